// Files in tars by hand: long names three ways, what is no file, and archives that are damaged.
// SPDX-License-Identifier: MIT
#include "io/tar.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "io/tar_writer.h"

namespace janus {
namespace {

struct Listed {
  std::vector<std::pair<std::string, std::string>> files;
  std::string fault;
};

Listed list(const std::string& tar) {
  Listed out;
  TarListing listing = list_tar(std::as_bytes(std::span(tar)), "a.tar");
  for (const TarFile& file : listing.files) {
    out.files.emplace_back(file.name, std::string(reinterpret_cast<const char*>(file.bytes.data()),
                                                  file.bytes.size()));
  }
  out.fault = listing.fault;
  return out;
}

std::string refusal(const std::string& tar) {
  try {
    list(tar);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::bad_input);
    return error.what();
  }
  return "accepted";
}

std::string pax(const std::string& record) {
  return tar_member("PaxHeaders/x", std::to_string(record.size() + 4) + " " + record + "\n", 'x');
}

TEST(Tar, FilesInTheirOrder) {
  const std::string full(512, 'f');
  const Listed listed =
      list(tar_member("d/", "", '5') + tar_member("d/b.txt", "bee") + tar_member("a", full) +
           tar_member("l", "", '2') + tar_member("empty", "") + tar_member("x", "old", '\0') +
           tar_end() + "what follows the end");
  EXPECT_EQ(listed.fault, "");
  const std::vector<std::pair<std::string, std::string>> wanted = {
      {"d/b.txt", "bee"}, {"a", full}, {"empty", ""}, {"x", "old"}};
  EXPECT_EQ(listed.files, wanted);
  EXPECT_EQ(list(tar_member("a", "1")).files.size(), 1u);  // the end mark may lack
  EXPECT_TRUE(list("").files.empty());
}

TEST(Tar, LongNamesAndSizes) {
  const std::string name = std::string(150, 'n') + ".txt";
  const Listed listed = list(tar_member("short", "1", '0', "folder/of/names") +
                             tar_member("././@LongLink", name + '\0', 'L') +
                             tar_member("cut", "2") + tar_member("next", "3") + pax("mtime=123") +
                             tar_member("plain", "4") + tar_member("g", "13 path=all\n", 'g') +
                             pax("path=told/by-pax") + tar_member("not", "5"));
  ASSERT_EQ(listed.files.size(), 5u);
  EXPECT_EQ(listed.files[0].first, "folder/of/names/short");
  EXPECT_EQ(listed.files[1].first, name);
  EXPECT_EQ(listed.files[2].first, "next");
  EXPECT_EQ(listed.files[3].first, "plain");
  EXPECT_EQ(listed.files[4].first, "told/by-pax");
  EXPECT_EQ(listed.files[4].second, "5");
}

TEST(Tar, DamageEndsTheListingWithItsReason) {
  const std::string one = tar_member("a", "1"), two = tar_member("b", std::string(600, '2'));
  const Listed cut = list(one + two.substr(0, 1000));
  EXPECT_EQ(cut.files.size(), 1u);
  EXPECT_EQ(cut.fault, "cut off in a file that begins at byte 1024");
  EXPECT_EQ(list(one + two.substr(0, 100)).fault, "cut off in a header at byte 1024");
  const Listed behind = list(one + two.substr(0, 1200));  // the file is whole, its block is not
  EXPECT_EQ(behind.files.size(), 2u);
  EXPECT_EQ(behind.fault, "cut off behind a file that begins at byte 1024");
  std::string flipped = one + two;
  flipped[1024 + 5] = 'x';
  EXPECT_EQ(list(flipped).fault, "no header of a file at byte 1024");
  EXPECT_EQ(list(pax("size=99999999999") + one).fault,
            "cut off in a file that begins at byte 1024");
}

TEST(Tar, WhatIsNoTarIsRefused) {
  EXPECT_NE(refusal(std::string("\x1f\x8b\x08", 3) + std::string(600, 'z')).find("gzip -d"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(600, 'z')).find("is no tar"), std::string::npos);
}

}  // namespace
}  // namespace janus
