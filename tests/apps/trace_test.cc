// `januspro trace` against the reference's values: names, shapes, types, numbers.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "io/safetensors.h"
#include "program.h"

namespace janus {
namespace {

// Largest difference over the reference's rms.
double error_of(const StoredTensor& ours, const StoredTensor& reference) {
  std::vector<float> a(static_cast<size_t>(ours.count())), b(a.size());
  ours.read_f32(0, a);
  reference.read_f32(0, b);
  double worst = 0, squares = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, static_cast<double>(std::abs(a[i] - b[i])));
    squares += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return worst / std::sqrt(squares / static_cast<double>(a.size()));
}

void expect_close(const std::string& file, const std::string& reference_file, double bound) {
  const StoredTensors ours = read_safetensors(file), reference = read_safetensors(reference_file);
  ASSERT_EQ(ours.size(), reference.size());
  for (const auto& [name, expected] : reference) {
    ASSERT_TRUE(ours.contains(name)) << name;
    const StoredTensor& got = ours.at(name);
    EXPECT_EQ(got.shape, expected.shape) << name;
    ASSERT_EQ(got.dtype, expected.dtype) << name;
    if (got.dtype == Dtype::f32) {
      EXPECT_LE(error_of(got, expected), bound) << name;
    } else if (got.dtype == Dtype::i64) {
      EXPECT_TRUE(std::ranges::equal(got.data, expected.data)) << name;
    } else {
      for (size_t i = 0; i < got.data.size(); ++i) {
        ASSERT_LE(std::abs(static_cast<int>(got.data[i]) - static_cast<int>(expected.data[i])), 1)
            << name << " " << i;
      }
    }
  }
}

class TraceProgram : public testing::TestWithParam<std::pair<const char*, double>> {
 protected:
  void trace(std::vector<std::string> more, const std::string& reference) {
    const std::string file = folder_.file("out.safetensors");
    more.insert(more.begin(), "trace");
    more.insert(more.end(), {"-m", golden("tiny-hf"), "--backend", GetParam().first, "-o", file});
    const Outcome outcome = run_program(more);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, file + "\n");
    expect_close(file, golden(reference), GetParam().second);
  }
  Folder folder_;
};

TEST_P(TraceProgram, AskEqualsTheReference) {
  const std::string image = golden("images/coffee-portrait.png");
  trace({"ask", "-i", image, "--tokens", "8", "What is shown in this image?"}, "ask.safetensors");
  trace({"ask", "-i", image, "--tokens", "8", "<image_placeholder>\nWhat is shown in this image?"},
        "ask.safetensors");
}

TEST_P(TraceProgram, DrawEqualsTheReference) {
  trace({"draw", "--image-ids", golden("codes.json"), "--guidance", "5",
         "a red apple on a blue table"},
        "draw.safetensors");
}

TEST_P(TraceProgram, EncodeEqualsTheReference) {
  trace({"encode", "-i", golden("images/astronaut-64.png")}, "encode.safetensors");
}

TEST_P(TraceProgram, RawIdsReplaceTheTokenizer) {
  const auto write_ids = [&](const char* name, const std::string& reference) {
    const StoredTensors tensors = read_safetensors(golden(reference));
    const StoredTensor& stored = tensors.at(name);
    std::vector<int64_t> ids(static_cast<size_t>(stored.count()));
    std::memcpy(ids.data(), stored.data.data(), stored.data.size());
    std::ofstream(folder_.file("ids.json")) << nlohmann::json(ids);
    return folder_.file("ids.json");
  };
  trace({"ask", "-i", golden("images/coffee-portrait.png"), "--raw-ids",
         write_ids("input_ids", "ask.safetensors")},
        "ask.safetensors");
  trace({"draw", "--image-ids", golden("codes.json"), "--raw-ids",
         write_ids("cond_ids", "draw.safetensors")},
        "draw.safetensors");
}

INSTANTIATE_TEST_SUITE_P(Backends, TraceProgram,
                         testing::Values(std::pair("ref", 2e-4), std::pair("cpu", 1e-3)),
                         [](const auto& one) { return std::string(one.param.first); });

TEST(TraceTokens, TextToIdsAndBack) {
  const Folder folder;
  const std::string tiny = golden("tiny-hf");
  const std::string text = "a red apple <|User|> on\ta table\n";
  std::ofstream(folder.file("t.txt")) << text;
  const Outcome ids =
      run_program({"trace", "tokens", "-m", tiny, "--text-file", folder.file("t.txt")});
  const auto list = nlohmann::json::parse(ids.out);
  EXPECT_NE(std::find(list.begin(), list.end(), 612), list.end());
  EXPECT_EQ(run_program({"trace", "tokens", "-m", tiny, text}).out, ids.out);
  std::ofstream(folder.file("ids.json")) << ids.out;
  const Outcome back =
      run_program({"trace", "tokens", "-m", tiny, "--decode", folder.file("ids.json")});
  EXPECT_EQ(back.out, "a red apple  on\ta table\n\n");
}

TEST(TraceErrors, IdsAndCodesOutOfRangeAreNamed) {
  const Folder folder;
  const std::string tiny = golden("tiny-hf");
  std::ofstream(folder.file("few.json")) << "[1, 2, 3]";
  std::ofstream(folder.file("big.json")) << "[600, 99999]";
  const Outcome few = run_program({"trace", "draw", "x", "-m", tiny, "--image-ids",
                                   folder.file("few.json"), "-o", folder.file("o")});
  EXPECT_EQ(few.code, 1);
  EXPECT_NE(few.err.find("has 64"), std::string::npos) << few.err;
  const Outcome big = run_program(
      {"trace", "ask", "-m", tiny, "--raw-ids", folder.file("big.json"), "-o", folder.file("o")});
  EXPECT_EQ(big.code, 1);
  EXPECT_NE(big.err.find("99999"), std::string::npos) << big.err;
  EXPECT_FALSE(std::filesystem::exists(folder.file("o")));
}

}  // namespace
}  // namespace janus
