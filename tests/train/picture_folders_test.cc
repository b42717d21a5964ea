// Folders of pictures: captions in texts beside them, classes in the names of folders.
// SPDX-License-Identifier: MIT
#include "train/picture_folders.h"

#include <gtest/gtest.h>
#include "base/error.h"
#include "files.h"
#include "io/file.h"
#include "train/recipe_data.h"

namespace janus::train {
namespace {

Source source(const std::filesystem::path& path, const std::string& format, Teaches task,
              std::vector<std::string> templates = {}) {
  Source one;
  one.path = path.string();
  one.format = format;
  one.task = task;
  one.templates = std::move(templates);
  complete_source(one, "test");
  return one;
}

std::string refusal(const Source& one) {
  try {
    open_rows(one);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::bad_input);
    return error.what();
  }
  return "accepted";
}

TEST(PictureFolders, CaptionsLieBesideTheirPictures) {
  const Folder folder("captions");
  write_picture(folder / "b.png", 4);
  write_text(folder / "b.txt", "\n a red ball \r\n");
  write_picture(folder / "a/x.jpeg", 4);  // told by content; the name only chooses files
  write_text(folder / "a/x.txt",
             "\xEF\xBB\xBF"
             "a cube");  // by an editor that marks UTF-8
  write_picture(folder / "c.PNG", 4);
  write_picture(folder / ".hidden.png", 4);
  write_text(folder / "notes.txt", "not a caption");
  const auto rows = open_rows(source(folder / "", "folder", Teaches::generate));
  ASSERT_EQ(rows->count(), 3);
  EXPECT_EQ(rows->row(0).prompt, "a cube");
  EXPECT_EQ(rows->row(0).target.path, folder / "a/x.jpeg");
  EXPECT_EQ(rows->row(1).prompt, "a red ball");
  EXPECT_EQ(rows->place(2), (folder / "c.PNG").string());
  EXPECT_THROW(rows->row(2), Error);  // nothing says what it shows
  write_text(folder / "c.txt", " \n");
  EXPECT_THROW(rows->row(2), Error);

  const auto read = open_rows(source(folder / "", "folder", Teaches::understand));
  const FileRow row = read->row(1);
  EXPECT_EQ(row.task, "understand");
  ASSERT_EQ(row.messages.size(), 2u);
  EXPECT_EQ(row.messages[0].text, "Describe this picture.");
  EXPECT_EQ(row.messages[0].images, 1);
  EXPECT_EQ(row.messages[1].text, "a red ball");
  EXPECT_EQ(row.images.front().path, folder / "b.png");
}

TEST(PictureFolders, ClassesAreNamesOfFolders) {
  const Folder folder("classes");
  write_picture(folder / "n01/1.png", 4);
  write_picture(folder / "n01/deeper/2.png", 4);
  write_picture(folder / "blue_bird/1.png", 4);
  write_text(folder / "classes.txt", "n01 tench, Tinca tinca\n\n");
  const auto rows = open_rows(
      source(folder / "", "classes", Teaches::generate, {"a photo of a {}", "{}, seen from afar"}));
  ASSERT_EQ(rows->count(), 3);
  EXPECT_EQ(rows->row(0).prompt, "a photo of a blue bird");
  EXPECT_EQ(rows->row(1).prompt, "tench, seen from afar");
  EXPECT_EQ(rows->row(2).prompt, "a photo of a tench");
  const auto read = open_rows(source(folder / "", "classes", Teaches::understand));
  EXPECT_EQ(read->row(1).messages[0].text, "What is in this picture?");
  EXPECT_EQ(read->row(1).messages[1].text, "tench");
  write_text(folder / "classes.txt", "n01\n");
  EXPECT_NE(refusal(source(folder / "", "classes", Teaches::generate)).find("line 1"),
            std::string::npos);
}

TEST(PictureFolders, WhatHoldsNothingIsRefused) {
  const Folder folder("nothing");
  const auto expect = [&](const std::string& format, const std::string& words) {
    const std::string said = refusal(source(folder / "", format, Teaches::generate));
    EXPECT_NE(said.find(words), std::string::npos) << said;
  };
  expect("folder", "holds no picture");
  expect("classes", "holds no folder with pictures");
  write_picture(folder / "ball/a.png", 4);
  expect("folder", "has a text beside it");
  EXPECT_NE(refusal(source(folder / "absent", "folder", Teaches::generate)).find("absent"),
            std::string::npos);
  EXPECT_NE(refusal(source(folder / "absent", "classes", Teaches::generate)).find("absent"),
            std::string::npos);
}

TEST(PictureFolders, TemplatesAreCheckedWithTheRecipe) {
  EXPECT_THROW(source("x", "folder", Teaches::generate, {"a photo"}), Error);  // of what?
  EXPECT_NO_THROW(source("x", "folder", Teaches::understand, {"What is it?"}));
  EXPECT_THROW(source("x", "jsonl", Teaches::generate, {"{}"}), Error);
  EXPECT_THROW(source("x", "parquet", Teaches::generate), Error);
}

}  // namespace
}  // namespace janus::train
