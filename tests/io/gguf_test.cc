// .gguf: what is written is read back, and every sort of damage is refused with its reason.
// SPDX-License-Identifier: MIT
#include "io/gguf.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/quant.h"
#include "io/temp_dir.h"
#include "io/torch_file.h"

namespace janus {
namespace {

using namespace std::string_literals;

TensorEntry entry(const std::string& name, Dtype type, std::vector<int64_t> shape,
                  const std::vector<float>& values) {
  return {name, type, std::move(shape), [type, values](const auto& sink) {
            std::vector<std::byte> bytes(
                static_cast<size_t>(bytes_of(type, static_cast<int64_t>(values.size()))));
            encode(type, values, bytes);
            sink(std::span(bytes).first(1));
            sink(std::span(bytes).subspan(1));
          }};
}

std::vector<float> ramp(size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i) - 20;
  return values;
}

TEST(Gguf, WrittenValuesComeBack) {
  const TempDir dir;
  GgufMetadata metadata;
  metadata.text("general.architecture", "janus");
  metadata.whole("a.small", 7);
  metadata.whole("a.large", int64_t{1} << 40);
  metadata.whole("a.negative", -3);
  metadata.number("a.narrow", 0.5);
  metadata.number("a.exact", 1.0 / 255);
  metadata.flag("a.deep.yes", true);
  metadata.texts("a.texts", std::vector<std::string>{"", "zwei", "drei Wörter hier"});
  metadata.wholes("a.wholes", std::vector<int>{1, -1, 1 << 30});
  metadata.numbers("a.numbers", std::vector<float>{0.25f, -1.0f});
  write_gguf(dir / "a.gguf", metadata, {});
  const GgufFile file(dir / "a.gguf");
  EXPECT_EQ(file.text("general.architecture"), "janus");
  EXPECT_EQ(file.whole("general.alignment"), 32);
  EXPECT_EQ(file.whole("a.large"), int64_t{1} << 40);
  EXPECT_EQ(file.whole("a.negative"), -3);
  EXPECT_EQ(file.whole("absent"), std::nullopt);
  EXPECT_EQ(file.text("absent"), std::nullopt);
  EXPECT_EQ(file.texts("a.texts"), (std::vector<std::string_view>{"", "zwei", "drei Wörter hier"}));
  EXPECT_EQ(file.wholes("a.wholes"), (std::vector<int64_t>{1, -1, 1 << 30}));
  EXPECT_TRUE(file.texts("absent").empty());
  const nlohmann::json a = file.section("a");
  EXPECT_EQ(a["small"], 7);
  EXPECT_EQ(a["narrow"], 0.5);
  EXPECT_EQ(a["exact"].get<double>(), 1.0 / 255);
  EXPECT_EQ(a["deep"]["yes"], true);
  EXPECT_EQ(a["numbers"], (std::vector<double>{0.25, -1}));
  EXPECT_FALSE(a.contains("texts"));
  EXPECT_TRUE(file.tensors().empty());
  for (const auto& ask : std::vector<std::function<void()>>{
           [&] { file.text("a.small"); }, [&] { file.whole("a.narrow"); },
           [&] { file.whole("a.wholes"); }, [&] { file.texts("a.wholes"); },
           [&] { file.wholes("a.small"); }, [&] { file.wholes("a.numbers"); }}) {
    expect_has(error_of(Code::bad_checkpoint, ask), "a.gguf\": a.");
  }
}

TEST(Gguf, WrittenTensorsComeBack) {
  const TempDir dir;
  const std::vector<float> values = ramp(3 * 64);
  std::vector<TensorEntry> entries;
  for (const Dtype type : {Dtype::q8_0, Dtype::bf16, Dtype::f16, Dtype::f32}) {
    entries.push_back(entry(std::string(traits(type).name), type, {3, 64}, values));
  }
  entries.push_back(entry("odd", Dtype::f16, {1, 3, 1}, {1, 2, 3}));
  write_gguf(dir / "a.gguf", {}, entries);
  EXPECT_EQ(std::filesystem::file_size(dir / "a.gguf") % 32, 0u);
  const StoredTensors tensors = GgufFile(dir / "a.gguf").tensors();
  ASSERT_EQ(tensors.size(), entries.size());
  for (const TensorEntry& written : entries) {
    const StoredTensor& stored = tensors.at(written.name);
    EXPECT_EQ(stored.dtype, written.dtype);
    EXPECT_EQ(stored.shape, written.shape);
    EXPECT_EQ(std::ssize(stored.data), written.bytes());
    EXPECT_TRUE(stored.dense());
    std::vector<float> back(static_cast<size_t>(stored.count()) - 1);
    stored.read_f32(1, back);
    const float bound = written.dtype == Dtype::q8_0 ? 172.0f / 127 : 0;
    for (size_t i = 0; i < back.size() && written.name != "odd"; ++i) {
      ASSERT_NEAR(back[i], values[i + 1], bound) << written.name;
    }
    stored.drop();
  }
}

TEST(Gguf, WriterRefusesWhatNobodyReads) {
  const TempDir dir;
  const auto write = [&](const std::vector<TensorEntry>& entries) {
    return error_of(Code::bug, [&] { write_gguf(dir / "a.gguf", {}, entries); });
  };
  expect_has(write({entry(std::string(64, 'n'), Dtype::f32, {1}, {1})}), "63");
  expect_has(write({entry("a", Dtype::f32, {1}, {1}), entry("a", Dtype::f32, {1}, {1})}), "two");
  expect_has(write({entry("a", Dtype::q8_0, {2, 16}, ramp(32))}), "whole blocks");
  expect_has(write({{"a", Dtype::u8, {1}, {}}}), "lacks");
  expect_has(write({{"a", Dtype::f32, {2}, [](const auto& sink) { sink({}); }}}), "bytes too many");
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

// --- damage ------------------------------------------------------------------------------------

std::string text(const std::string& value) { return little(uint64_t{value.size()}) + value; }

std::string key(const std::string& name, uint32_t kind, const std::string& value) {
  return text(name) + little(kind) + value;
}

struct Tensor1 {
  std::string name = "t";
  std::vector<uint64_t> sizes = {4};
  uint32_t type = 0;
  uint64_t offset = 0;
};

std::string tensor(const Tensor1& t) {
  std::string bytes = text(t.name) + little(static_cast<uint32_t>(t.sizes.size()));
  for (const uint64_t size : t.sizes) bytes += little(size);
  return bytes + little(t.type) + little(t.offset);
}

// A whole file; data begins at the next multiple of 32.
std::string whole(const std::vector<std::string>& tensors, const std::vector<std::string>& keys,
                  const std::string& data = {}, uint32_t version = 3) {
  std::string bytes =
      "GGUF" + little(version) + little(uint64_t{tensors.size()}) + little(uint64_t{keys.size()});
  for (const std::string& one : keys) bytes += one;
  for (const std::string& one : tensors) bytes += one;
  bytes.resize((bytes.size() + 31) / 32 * 32, '\0');
  return bytes + data;
}

class Damage : public testing::Test {
 protected:
  std::string refusal(const std::string& bytes, Code code = Code::bad_checkpoint) {
    const auto path = dir_.write("x.gguf", bytes);
    return error_of(code, [&] { GgufFile(path).tensors(); });
  }
  StoredTensors read(const std::string& bytes) {
    return GgufFile(dir_.write("x.gguf", bytes)).tensors();
  }
  TempDir dir_;
};

TEST_F(Damage, WholeFilesAreRead) {
  EXPECT_EQ(read(whole({tensor({})}, {}, std::string(16, '\0'))).size(), 1u);
  EXPECT_EQ(read(whole({tensor({})}, {}, std::string(16, '\0'), 2)).size(), 1u);
  EXPECT_EQ(read(whole({tensor({.sizes = {}})}, {}, std::string(4, '\0'))).at("t").count(), 1);
  // Gaps between tensors do no harm.
  EXPECT_EQ(read(whole({tensor({}), tensor({.name = "u", .offset = 96})}, {}, std::string(112, 0)))
                .size(),
            2u);
}

TEST_F(Damage, CutAnywhere) {
  const std::string bytes =
      whole({tensor({.sizes = {32, 2}, .type = 8})},
            {key("k", 8, text("value")),
             key("l", 9, little(uint32_t{8}) + little(uint64_t{2}) + text("a") + text("b"))},
            std::string(68, '\1'));
  EXPECT_EQ(read(bytes).size(), 1u);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::string message = refusal(bytes.substr(0, size));
    ASSERT_TRUE(message.find("cut short") != std::string::npos) << size << ": " << message;
  }
}

TEST_F(Damage, OtherFiles) {
  expect_has(refusal("PK\3\4 and so on, a zip file of some length"), "does not begin with GGUF");
  expect_has(refusal(whole({}, {}, {}, 1), Code::not_supported), "version 1");
  expect_has(refusal(whole({}, {}, {}, 4), Code::not_supported), "version 4");
  expect_has(refusal(whole({}, {}, {}, 3u << 24), Code::not_supported), "big-endian");
  expect_has(refusal(whole({}, {key("split.count", 2, little(uint16_t{3}))}), Code::not_supported),
             "one of 3 parts");
}

TEST_F(Damage, CountsWithoutRoom) {
  const std::string head = "GGUF" + little(uint32_t{3});
  const std::string tail(64, '\0');
  expect_has(refusal(head + little(UINT64_MAX) + little(uint64_t{0}) + tail), "number of tensors");
  expect_has(refusal(head + little(uint64_t{0}) + little(UINT64_MAX) + tail), "number of keys");
  for (const uint32_t kind : {0u, 5u, 8u, 9u, 12u}) {
    const std::string list = little(kind) + little(uint64_t{1} << 61);
    expect_has(refusal(whole({}, {key("k", 9, list)}, tail)), "the length of k");
  }
  expect_has(refusal(whole({}, {key("k", 8, little(UINT64_MAX))}, tail)), "reaches past its end");
  expect_has(refusal(whole({}, {little(UINT64_MAX)}, tail)), "above 65535");
  expect_has(refusal(whole({text(std::string(65, 'n'))}, {}, tail)), "above 64");
}

TEST_F(Damage, ListsInLists) {
  const auto nested = [&](int depth) {
    std::string value;
    for (int i = 1; i < depth; ++i) value += little(uint32_t{9}) + little(uint64_t{1});
    return key("k", 9, value + little(uint32_t{0}) + little(uint64_t{2}) + "\1\2");
  };
  EXPECT_TRUE(read(whole({}, {nested(4)})).empty());
  expect_has(refusal(whole({}, {nested(5)})), "deeper than 4");
  expect_has(refusal(whole({}, {nested(100000)})), "deeper than 4");
}

TEST_F(Damage, KeysAndNames) {
  const std::string seven = key("k", 0, "\7");
  expect_has(refusal(whole({}, {seven, seven})), "the key k twice");
  expect_has(refusal(whole({}, {key("", 0, "\7")})), "a key has no name");
  expect_has(refusal(whole({}, {key("k", 13, "\7")}, std::string(64, 0))), "kind 13");
  expect_has(refusal(whole({}, {key("k", 9, little(uint32_t{77}))}, std::string(64, 0))),
             "kind 77");
  const std::string data(64, '\0');
  expect_has(refusal(whole({tensor({}), tensor({.offset = 32})}, {}, data)), "the tensor t twice");
  expect_has(refusal(whole({tensor({.name = ""})}, {}, data)), "no name");
  const GgufFile clash(
      dir_.write("c.gguf", whole({}, {key("a.b", 0, "\7"), key("a.b.c", 0, "\7")})));
  expect_has(error_of(Code::bad_checkpoint, [&] { clash.section("a"); }), "contradict");
}

TEST_F(Damage, Alignment) {
  const auto aligned = [&](uint32_t alignment) {
    return whole({tensor({})}, {key("general.alignment", 4, little(alignment))},
                 std::string(4096, '\0'));
  };
  EXPECT_EQ(read(aligned(1024)).size(), 1u);
  for (const uint32_t bad : {0u, 3u, 48u, 1u << 21, UINT32_MAX}) {
    expect_has(refusal(aligned(bad)), "power of two");
  }
  expect_has(refusal(whole({tensor({.offset = 8})}, {}, std::string(64, 0))), "no multiple");
}

TEST_F(Damage, ShapesAndPlaces) {
  const std::string data(128, '\0');
  expect_has(refusal(whole({tensor({.sizes = {1, 1, 1, 1, 1}})}, {}, data)), "5 dimensions");
  expect_has(refusal(whole({tensor({.sizes = {0, 4}})}, {}, data)), "size 0");
  expect_has(refusal(whole({tensor({.sizes = {UINT64_MAX}})}, {}, data)), "dimension of size");
  const uint64_t large = uint64_t{1} << 40;
  expect_has(refusal(whole({tensor({.sizes = {large, large}})}, {}, data)), "more elements");
  expect_has(refusal(whole({tensor({.sizes = {large}})}, {}, data)), "past the end");
  expect_has(refusal(whole({tensor({.offset = uint64_t{1} << 63})}, {}, data)), "past the end");
  expect_has(refusal(whole({tensor({.offset = 128})}, {}, data)), "past the end");
  expect_has(
      refusal(whole({tensor({.sizes = {16}}), tensor({.name = "u", .offset = 32})}, {}, data)),
      "tensor u overlaps t");
  expect_has(refusal(whole({tensor({.sizes = {16, 2}, .type = 8})}, {}, data)), "whole blocks");
}

TEST_F(Damage, TypesAreNamedWithTheCure) {
  const std::string message =
      refusal(whole({tensor({.name = "blk.0.ffn_up.weight", .sizes = {256}, .type = 13})}, {},
                    std::string(176, '\0')),
              Code::not_supported);
  expect_has(message, "blk.0.ffn_up.weight");
  expect_has(message, "q5_K");
  expect_has(message, "convert the original checkpoint");
  expect_has(refusal(whole({tensor({.type = 99})}, {}, std::string(64, 0)), Code::not_supported),
             "type 99");
  // The header can be looked at all the same.
  EXPECT_EQ(GgufFile(dir_ / "x.gguf").entries().front().type, 99u);
}

}  // namespace
}  // namespace janus
