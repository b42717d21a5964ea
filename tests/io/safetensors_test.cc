// safetensors: what is written is read back, and every sort of damage is refused with its reason.
// SPDX-License-Identifier: MIT
#include "io/safetensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "io/temp_dir.h"
#include "io/torch_file.h"

namespace janus {
namespace {

using namespace std::string_literals;

std::string container(const std::string& header, const std::string& data) {
  return little(uint64_t{header.size()}) + header + data;
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  int64_t begin, int64_t end) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
}

TensorEntry floats_entry(const std::string& name, std::vector<int64_t> shape,
                         const std::vector<float>& values) {
  return {name, Dtype::f32, std::move(shape), [values](const auto& sink) {
            sink(std::as_bytes(std::span(values).first(1)));
            sink(std::as_bytes(std::span(values).subspan(1)));
          }};
}

TEST(Safetensors, WrittenTensorsComeBack) {
  const TempDir dir;
  const std::vector<float> values = {1.5f, -2.0f, 0.0f, 3e30f, -0.0f, 7.0f};
  const std::vector<uint8_t> bytes = {1, 2, 3};
  write_safetensors(
      dir / "a.safetensors",
      {{"small", Dtype::u8, {3}, [&](const auto& sink) { sink(std::as_bytes(std::span(bytes))); }},
       floats_entry("values", {2, 3}, values)},
      {{"format", "pt"}});
  std::map<std::string, std::string> metadata;
  const StoredTensors tensors = read_safetensors(dir / "a.safetensors", &metadata);
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(metadata.at("format"), "pt");
  const StoredTensor& stored = tensors.at("values");
  EXPECT_EQ(stored.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(stored.dense());
  std::vector<float> back(4);
  stored.read_f32(2, back);
  EXPECT_EQ(0, std::memcmp(back.data(), values.data() + 2, 4 * sizeof(float)));
  EXPECT_EQ(tensors.at("small").data[2], std::byte{3});
  // Wide elements first, so that f32 data is aligned whatever stands beside it.
  EXPECT_EQ(reinterpret_cast<uintptr_t>(stored.data.data()) % 4, 0u);
}

TEST(Safetensors, NonFiniteValuesAreData) {
  const TempDir dir;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  write_safetensors(dir / "nan.safetensors", {floats_entry("w", {2}, {nan, INFINITY})});
  const auto tensors = read_safetensors(dir / "nan.safetensors");
  std::vector<float> back(2);
  tensors.at("w").read_f32(0, back);
  EXPECT_TRUE(std::isnan(back[0]));
  EXPECT_TRUE(std::isinf(back[1]));
}

TEST(Safetensors, HalfTypesAndOddAlignment) {
  const TempDir dir;
  // 1.0 and -2.5 in both types, behind one byte, so that every element is misaligned.
  const std::string data = std::string(1, '\x09') + "\x00\x3c\x00\xc1\x80\x3f\x20\xc0"s;
  const auto path = dir.write(
      "h", container("{" + entry("a", "U8", "[1]", 0, 1) + "," + entry("b", "F16", "[2]", 1, 5) +
                         "," + entry("c", "BF16", "[2,1]", 5, 9) + "}",
                     data));
  const auto tensors = read_safetensors(path);
  for (const char* name : {"b", "c"}) {
    std::vector<float> back(2);
    tensors.at(name).read_f32(0, back);
    EXPECT_EQ(back, (std::vector<float>{1.0f, -2.5f})) << name;
  }
}

TEST(Safetensors, ScalarsAndEmptyTensorsAreLegal) {
  const TempDir dir;
  const auto path = dir.write("s", container("{" + entry("none", "F32", "[0,4]", 0, 0) + "," +
                                                 entry("one", "F32", "[]", 0, 4) + "}   ",
                                             little(2.0f)));
  const auto tensors = read_safetensors(path);
  std::vector<float> back(1);
  tensors.at("one").read_f32(0, back);
  EXPECT_EQ(back[0], 2.0f);
  EXPECT_EQ(tensors.at("none").count(), 0);
}

struct Damage {
  const char* label;
  std::string bytes;
  const char* reason;
};

TEST(Safetensors, DamageIsNamed) {
  const std::string four(4, '\0');
  const std::string eight(8, '\0');
  const std::vector<Damage> cases = {
      {"empty", "", "too short"},
      {"seven bytes", "1234567", "too short"},
      {"header past the end", little(uint64_t{1000}) + "{}", "header alone takes 1000 bytes"},
      {"header of 2^64 - 1", little(~uint64_t{0}) + "{}", "claims a header"},
      {"no JSON", container("hello", four), "not valid JSON"},
      {"cut JSON", container("{\"a\":{\"dtype\":", four), "not valid JSON"},
      {"list", container("[]", ""), "a list"},
      {"number", container("7", ""), "a number"},
      {"nested", container("{\"a\":" + std::string(1000, '['), four), "a list"},
      {"unknown field", container("{\"a\":{\"kind\":1}}", four), "unknown field 'kind'"},
      {"no offsets", container("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", four), "lacks dtype"},
      {"rank nine", container("{" + entry("a", "F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) + "}", four),
       "too many numbers in 'shape'"},
      {"negative size", container("{" + entry("a", "F32", "[-1]", 0, 4) + "}", four),
       "a negative number"},
      {"fraction", container("{" + entry("a", "F32", "[1.0]", 0, 4) + "}", four), "a fraction"},
      {"past the end", container("{" + entry("a", "F32", "[2]", 0, 8) + "}", four), "cut short"},
      {"reversed", container("{" + entry("a", "F32", "[1]", 4, 0) + "}", four),
       "ends before it begins"},
      {"wrong size", container("{" + entry("a", "F32", "[3]", 0, 8) + "}", eight),
       "another size than its shape"},
      {"overlap",
       container("{" + entry("a", "F32", "[1]", 0, 4) + "," + entry("b", "F32", "[1]", 2, 6) + "}",
                 eight),
       "overlaps"},
      {"gap",
       container("{" + entry("a", "F32", "[1]", 0, 4) + "," + entry("b", "F32", "[0]", 6, 6) + "}",
                 eight),
       "gap"},
      {"left over", container("{" + entry("a", "F32", "[1]", 0, 4) + "}", eight), "4 bytes"},
      {"huge claim",
       container("{" + entry("a", "F32", "[4294967296,4294967296]", 0, 4) + "}", four),
       "more elements than a file can hold"},
      {"twice",
       container("{" + entry("a", "F32", "[0]", 0, 0) + "," + entry("a", "F32", "[0]", 0, 0) + "}",
                 ""),
       "listed twice"},
  };
  const TempDir dir;
  for (const auto& [label, bytes, reason] : cases) {
    SCOPED_TRACE(label);
    const auto path = dir.write("bad.safetensors", bytes);
    const auto text = error_of(Code::bad_checkpoint, [&] { read_safetensors(path); });
    expect_has(text, reason);
    expect_has(text, "bad.safetensors");
  }
}

TEST(Safetensors, EndlessHeadersAreNotRead) {
  const TempDir dir;
  const uint64_t size = 100'000'001;
  const auto path = dir.write("endless", little(size));
  std::filesystem::resize_file(path, 8 + size);
  expect_has(error_of(Code::bad_checkpoint, [&] { read_safetensors(path); }), "claims a header");
}

TEST(Safetensors, UnknownTypeIsNamedWithItsTensor) {
  const TempDir dir;
  const auto path = dir.write(
      "f64",
      container("{" + entry("layer.weight", "F64", "[1]", 0, 8) + "}", std::string(8, '\0')));
  const auto text = error_of(Code::not_supported, [&] { read_safetensors(path); });
  expect_has(text, "layer.weight");
  expect_has(text, "F64");
}

TEST(Safetensors, EveryTruncationOfAGoodFileIsRefused) {
  const TempDir dir;
  write_safetensors(dir / "good",
                    {floats_entry("a", {2}, {1, 2}), floats_entry("b", {1, 3}, {3, 4, 5})});
  const std::string good = read_text(dir / "good");
  ASSERT_EQ(read_safetensors(dir / "good").size(), 2u);
  for (size_t n = 0; n < good.size(); ++n) {
    const auto path = dir.write("cut", good.substr(0, n));
    EXPECT_THROW(read_safetensors(path), Error) << n << " bytes";
  }
}

TEST(StoredTensor, ReadsOutsideAreOurOwnMistake) {
  const TempDir dir;
  write_safetensors(dir / "t", {floats_entry("a", {2}, {1, 2})});
  const auto tensors = read_safetensors(dir / "t");
  std::vector<float> back(2);
  error_of(Code::bug, [&] { tensors.at("a").read_f32(1, back); });
  error_of(Code::bug, [&] { tensors.at("a").read_f32(-1, back); });
}

}  // namespace
}  // namespace janus
