// What failed downloads leave in a file's place, told by the first bytes; and real files, which are
// never taken for it. SPDX-License-Identifier: MIT
#include "io/mishap.h"

#include <gtest/gtest.h>

#include "io/temp_dir.h"

namespace janus {
namespace {

using namespace std::string_literals;

std::string refusal(const std::string& head) {
  return error_of(Code::bad_checkpoint, [&] { refuse_weight_mishap("x.bin", head); });
}

TEST(Mishap, EachKindHasItsCure) {
  expect_has(refusal(""), "is empty");
  expect_has(refusal("version https://git-lfs.github.com/spec/v1\noid"), "git lfs pull");
  expect_has(refusal("\xEF\xBB\xBF \r\n\t<html>"), "web page");
  expect_has(refusal(std::string(512, '\0')), "zeros alone");
  expect_has(refusal("Entry not found"), "it begins \"Entry not found\"");
  expect_has(refusal("\n{\"error\":\n\"x\"}"), "it begins \"{\"error\":\"");
  const std::string text = refusal(std::string(79, 'a') + "\u00fc" + std::string(200, 'b'));
  expect_has(text, "a\uFFFD\u2026\"");  // cut within a character
  for (const std::string& head : {""s, "<html>"s, std::string(9, '\0')}) {
    error_of(Code::bad_checkpoint, [&] { refuse_mishap("x.json", head); });
  }
}

TEST(Mishap, RealFilesPass) {
  for (const std::string& head :
       {"\x10\0\0\0\0\0\0\0{\"a\":1}"s, "PK\3\4\0\0"s, "GGUF\3\0\0\0"s, "\x80\x02}q\0"s}) {
    EXPECT_NO_THROW(refuse_weight_mishap("x", head));
  }
  EXPECT_NO_THROW(refuse_mishap("x.json", "{\"a\": 1}"));
}

TEST(Mishap, UnfinishedDownloadsAreNamed) {
  const TempDir dir;
  dir.write("model.safetensors", "x");
  EXPECT_EQ(unfinished_downloads(dir.path()), "");
  EXPECT_EQ(unfinished_downloads(dir / "none"), "");
  for (const char* name : {"b.part", "a.aria2", "a.crdownload"}) dir.write(name, "x");
  EXPECT_EQ(unfinished_downloads(dir.path()),
            "; unfinished in the same folder: a.aria2, a.crdownload, b.part");
}

}  // namespace
}  // namespace janus
