// The numbers a vision tower reads: the golden pictures to the bit, other rules by arithmetic.
// SPDX-License-Identifier: MIT
#include "io/preprocess.h"

#include <gtest/gtest.h>

#include "base/sha256.h"
#include "io/json.h"
#include "io/temp_dir.h"

namespace janus {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(JANUSPRO_SOURCE_DIR) / "tests/golden";

TEST(Preprocess, GoldenPicturesAreReadToTheBit) {
  const auto sums = read_json(kGolden / "images/preprocess.json");
  ASSERT_EQ(sums.size(), 8u);
  constexpr size_t kSide = 384;
  std::vector<float> pixels(kSide * kSide * 3);
  std::vector<float> planes(pixels.size());  // [3, S, S], as the reference has them
  for (const auto& [name, expected] : sums.items()) {
    prepare_for_reading(load_image(kGolden / "images" / name), kSide, {}, pixels);
    for (size_t i = 0; i < pixels.size(); ++i) {
      planes[i % 3 * kSide * kSide + i / 3] = pixels[i];
    }
    const std::string_view bytes(reinterpret_cast<const char*>(planes.data()),
                                 planes.size() * sizeof(float));
    EXPECT_EQ(sha256_hex(bytes), expected["f32_384"]) << name;
  }
}

TEST(Preprocess, PublishedFilesGiveThePublishedRule) {
  EXPECT_EQ(load_preprocessing(kGolden / "tiny-hf"), Preprocessing{});
  EXPECT_EQ(load_preprocessing(kGolden / "tiny-official"), Preprocessing{});
  EXPECT_EQ(load_preprocessing(kGolden / "images"), Preprocessing{});  // no such file there
}

TEST(Preprocess, AbsentKeysAreTheReferencesAndNotThePublishedOnes) {
  const auto rule = parse_preprocessing("{}", "p.json");
  EXPECT_EQ(rule.mean, (std::array<float, 3>{0.48145466f, 0.4578275f, 0.40821073f}));
  EXPECT_EQ(rule.deviation, (std::array<float, 3>{0.26862954f, 0.26130258f, 0.27577711f}));
  EXPECT_EQ(rule.fill, (std::array<uint8_t, 3>{122, 116, 104}));
  EXPECT_EQ(rule.min_side, 14);
}

TEST(Preprocess, OtherRulesAreFollowed) {
  const auto rule = parse_preprocessing(
      R"({"image_mean": [0.25, 0.5, 0.75], "image_std": [0.5, 1, 2], "min_size": 2})", "p.json");
  const Image image{.width = 4, .height = 1, .rgb = std::vector<uint8_t>(12, 51)};
  std::vector<float> out(4 * 4 * 3);
  prepare_for_reading(image, 4, rule, out);
  const size_t middle = 4 * 3;  // two rows of picture, one of fill above and below
  EXPECT_EQ(out[middle], (0.2f - 0.25f) / 0.5f);
  EXPECT_EQ(out[middle + 1], (0.2f - 0.5f) / 1.0f);
  EXPECT_EQ(out[middle + 2], (0.2f - 0.75f) / 2.0f);
  EXPECT_EQ(out[2], (static_cast<float>(191 / 255.0) - 0.75f) / 2.0f);
  const auto plain = parse_preprocessing(R"({"do_normalize": false})", "p.json");
  prepare_for_reading({.width = 1, .height = 1, .rgb = {0, 51, 255}}, 1, plain,
                      std::span(out).first(3));
  EXPECT_EQ(out[1], 0.2f);
  EXPECT_EQ(out[2], 1.0f);
}

TEST(Preprocess, UnusableFilesAreNamed) {
  for (const char* text :
       {"[]", "{", R"({"image_mean": 0.5})", R"({"image_mean": [1, 2, 3]})",
        R"({"image_std": [0, 0, 0]})", R"({"image_mean": ["a", 0, 0]})",
        R"({"rescale_factor": "x"})", R"({"min_size": 0})", R"({"do_normalize": 1})"}) {
    SCOPED_TRACE(text);
    expect_has(error_of(Code::bad_checkpoint, [&] { parse_preprocessing(text, "p.json"); }),
               "p.json");
  }
  expect_has(error_of(Code::not_supported,
                      [] { parse_preprocessing(R"({"do_rescale": false})", "p.json"); }),
             "do_rescale");
}

}  // namespace
}  // namespace janus
