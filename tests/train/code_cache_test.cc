// Codes on disk: found again under their picture, by their codec alone, whatever a stop left
// behind. SPDX-License-Identifier: MIT
#include "train/code_cache.h"

#include <gtest/gtest.h>
#include <fstream>

#include "base/error.h"
#include "files.h"
#include "train/file_row.h"

namespace janus::train {
namespace {

Digest digest(const std::string& text) { return digest_of(std::as_bytes(std::span(text))); }

// FIPS 180-2, appendix B.1: "abc".
TEST(CodeCache, DigestsAreHalvesOfSha256) {
  const Digest half = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                       0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23};
  EXPECT_EQ(digest("abc"), half);
  Hash parts;
  for (const char c : std::string("abc")) parts.add(std::as_bytes(std::span(&c, 1)));
  EXPECT_EQ(parts.digest(), half);
}

TEST(CodeCache, KeepsCodesOverSittings) {
  const Folder folder("codes");
  const std::vector<int64_t> one = {1, 0, 300, 511}, two = {2, 2, 2, 2};
  {
    CodeCache cache(folder / "c", digest("codec"), 4, 512);
    EXPECT_FALSE(cache.find(digest("a")));
    cache.add(digest("a"), one);
    cache.add(digest("b"), two);
    cache.add(digest("a"), two);  // known already
    EXPECT_EQ(cache.find(digest("a")), one);
  }
  CodeCache again(folder / "c", digest("codec"), 4, 512);
  EXPECT_EQ(again.count(), 2);
  EXPECT_EQ(again.find(digest("a")), one);
  EXPECT_EQ(again.find(digest("b")), two);
  EXPECT_EQ(CodeCache(folder / "c", digest("another"), 4, 512).count(), 0);
  EXPECT_FALSE(CodeCache(folder / "c", digest("codec"), 4, 300).find(digest("a")));
  EXPECT_THROW(CodeCache(folder / "c", digest("codec"), 5, 512), Error);
}

TEST(CodeCache, ARecordThatIsCutOffIsTakenAway) {
  const Folder folder("cut");
  const std::vector<int64_t> one = {1, 2, 3, 4};
  CodeCache(folder / "c", digest("codec"), 4, 512).add(digest("a"), one);
  const auto file = std::filesystem::directory_iterator(folder / "c")->path();
  std::ofstream(file, std::ios::app) << "half a record";
  {
    CodeCache cache(folder / "c", digest("codec"), 4, 512);
    EXPECT_EQ(cache.count(), 1);
    cache.add(digest("b"), one);
  }
  EXPECT_EQ(CodeCache(folder / "c", digest("codec"), 4, 512).find(digest("b")), one);
}

TEST(CodeCache, TwoWhoAddAtOnceLearnFromEachOther) {
  const Folder folder("two");
  const std::vector<int64_t> one = {1, 2, 3, 4}, two = {5, 6, 7, 8};
  CodeCache mine(folder / "c", digest("codec"), 4, 512), yours(folder / "c", digest("codec"), 4, 9);
  mine.add(digest("a"), one);
  yours.add(digest("b"), two);
  EXPECT_EQ(yours.find(digest("a")), one);  // learnt on the way
  mine.add(digest("b"), one);               // there already
  EXPECT_EQ(mine.find(digest("b")), two);
  EXPECT_EQ(mine.count(), 2);
  const auto file = std::filesystem::directory_iterator(folder / "c")->path();
  EXPECT_EQ(std::filesystem::file_size(file), 16u + 2 * (16 + 2 * 4));
}

TEST(CodeCache, WhatIsOverwrittenIsNotFound) {
  const Folder folder("damaged");
  CodeCache cache(folder / "c", digest("codec"), 4, 512);
  cache.add(digest("a"), std::vector<int64_t>{1, 2, 3, 4});
  const auto file = std::filesystem::directory_iterator(folder / "c")->path();
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(20).put('x');
  EXPECT_FALSE(cache.find(digest("a")));  // that is somebody else's
}

TEST(CodeCache, ARowOfAKeptPictureHasItsCodes) {
  const Folder folder("kept");
  write_picture(folder / "a.png", 70);
  const Config config = load_config(golden("tiny-hf"));
  const PromptBuilder prompts(Tokenizer::load(golden("tiny-hf/tokenizer.json")), 64, std::string());
  CodeCache cache(folder / "c", digest("codec"), config.image_tokens(), config.vq.codes);
  FileRow row;
  row.prompt = "a ball";
  row.target.path = folder / "a.png";
  EXPECT_FALSE(draw_row(row, prompts, config).picture);
  const DrawRow fresh = draw_row(row, prompts, config, &cache);
  EXPECT_FALSE(fresh.pixels.empty());
  ASSERT_TRUE(fresh.picture);
  const std::vector<int64_t> codes(static_cast<size_t>(config.image_tokens()), 7);
  cache.add(*fresh.picture, codes);
  const DrawRow kept = draw_row(row, prompts, config, &cache);
  EXPECT_TRUE(kept.pixels.empty());
  EXPECT_EQ(kept.codes, codes);
  EXPECT_EQ(kept.prompt, fresh.prompt);
  row.task = "edit";
  row.source = row.target;
  for (const EditLayout layout : {EditLayout::und_gen, EditLayout::janus_4o}) {
    const PromptBuilder edits(Tokenizer::load(golden("tiny-hf/tokenizer.json")), 64, std::string(),
                              {}, layout);
    const DrawRow edit = draw_row(row, edits, config, &cache);
    EXPECT_FALSE(edit.source.empty());
    // Fitted by another rule, a picture has other codes.
    EXPECT_EQ(edit.source_picture == fresh.picture, layout == EditLayout::und_gen);
    EXPECT_EQ(edit.source_codes.empty(), layout == EditLayout::janus_4o);
    EXPECT_EQ(edit.codes, codes);
  }
  row.task = "generate";
  write_picture(folder / "a.png", 70, 3);  // another picture under the same name
  EXPECT_FALSE(draw_row(row, prompts, config, &cache).pixels.empty());
}

}  // namespace
}  // namespace janus::train
