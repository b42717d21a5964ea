// Samples in tar shards: pictures with captions, conversations, codes; shards that are damaged.
// SPDX-License-Identifier: MIT
#include "train/tar_rows.h"

#include <gtest/gtest.h>
#include "base/error.h"
#include "files.h"
#include "io/tar_writer.h"
#include "train/recipe_data.h"

namespace janus::train {
namespace {

Source source(const std::string& path, Teaches task) {
  Source one;
  one.path = path;
  one.format = "webdataset";
  one.task = task;
  complete_source(one, "test");
  return one;
}

std::string refusal(const std::string& path) {
  try {
    open_rows(source(path, Teaches::generate));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::bad_input);
    return error.what();
  }
  return "accepted";
}

std::string png(int side) {
  const auto bytes =
      encode_image({side, side, std::vector<uint8_t>(static_cast<size_t>(side) * side * 3, 200)});
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(TarRows, CaptionsInTextsAndInJson) {
  const Folder folder("tar-captions");
  write_text(folder / "s-08.tar",
             tar_member("a/0001.jpg", png(3)) + tar_member("a/0001.txt", "a ball\n") +
                 tar_member("a/0001.json", R"({"caption": "not this one"})") +
                 tar_member("a/0002.json", R"({"caption": "a cube", "url": "x"})") +
                 tar_member("a/0002.PNG", png(5)) + tar_end());
  write_text(folder / "s-09.tar", tar_member("a/0002.jpg", png(7)) +
                                      tar_member(".hidden.txt", "x") + tar_member("b.json", "[") +
                                      tar_member("b.jpg", "no picture") +
                                      tar_member("c.txt", "alone") + tar_end());
  const auto rows = open_rows(source((folder / "s-{08..09}.tar").string(), Teaches::generate));
  ASSERT_EQ(rows->count(), 5);
  EXPECT_EQ(rows->row(0).prompt, "a ball");
  EXPECT_EQ(load_upright(rows->row(0).target).width, 3);
  EXPECT_EQ(rows->row(1).prompt, "a cube");
  EXPECT_EQ(load_upright(rows->row(1).target).width, 5);
  EXPECT_EQ(rows->place(2), (folder / "s-09.tar").string() + ", a/0002");  // of the next shard
  EXPECT_THROW(rows->row(2), Error);                                       // no caption
  EXPECT_THROW(rows->row(3), Error);                                       // no JSON
  EXPECT_THROW(rows->row(4), Error);                                       // no picture
  const auto read = open_rows(source((folder / "").string(), Teaches::understand));
  EXPECT_EQ(read->row(0).messages.back().text, "a ball");
  EXPECT_EQ(load_upright(read->row(0).images.front()).width, 3);
}

TEST(TarRows, ConversationsAboutThePicturesBesideThem) {
  const Folder folder("tar-talk");
  const std::string ours =
      R"({"messages": [{"role": "user", "content": "<image> or <image>?"}, {"role": "assistant", "content": "b"}]})";
  const std::string llava =
      R"({"image": "elsewhere.jpg", "conversations": [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A ball."}]})";
  write_text(folder / "s.tar", tar_member("1.left.png", png(3)) +
                                   tar_member("1.right.png", png(5)) + tar_member("1.json", ours) +
                                   tar_member("2.json", llava) + tar_member("2.jpg", png(7)) +
                                   tar_member("3.json", ours) + tar_end());
  const auto rows = open_rows(source((folder / "s.tar").string(), Teaches::generate));
  ASSERT_EQ(rows->count(), 3);
  const FileRow two = rows->row(0);
  EXPECT_EQ(two.task, "understand");  // the row says itself what it is
  ASSERT_EQ(two.images.size(), 2u);
  EXPECT_EQ(load_upright(two.images[0]).width, 3);
  EXPECT_EQ(load_upright(two.images[1]).width, 5);
  EXPECT_EQ(rows->row(1).messages.back().text, "A ball.");
  EXPECT_EQ(load_upright(rows->row(1).images.at(0)).width, 7);
  EXPECT_THROW(rows->row(2), Error);  // marks without pictures
}

TEST(TarRows, CodesStandForThePicture) {
  const Folder folder("tar-codes");
  write_text(folder / "s.tar", tar_member("1.codes.u16", std::string("\x01\x00\x02\x01", 4)) +
                                   tar_member("1.txt", "a ball"));
  const FileRow row = open_rows(source((folder / "s.tar").string(), Teaches::generate))->row(0);
  EXPECT_EQ(row.codes, (std::vector<int64_t>{1, 258}));
  EXPECT_TRUE(row.target.path.empty());
}

TEST(TarRows, ShardsThatAreDamagedOrMissing) {
  const Folder folder("tar-damage");
  const std::string whole = tar_member("1.jpg", png(3)) + tar_member("1.txt", "a ball");
  write_text(folder / "s-0.tar", whole + tar_member("2.jpg", png(3)).substr(0, 520));
  const auto rows = open_rows(source((folder / "s-0.tar").string(), Teaches::generate));
  ASSERT_EQ(rows->count(), 2);
  EXPECT_EQ(rows->row(0).prompt, "a ball");
  EXPECT_THROW(rows->row(1), Error);  // stands for what is lost
  EXPECT_NE(refusal((folder / "s-{0..1}.tar").string()).find("s-1.tar"), std::string::npos);
  EXPECT_NE(refusal((folder / "s-{1..0}.tar").string()).find("no range"), std::string::npos);
  EXPECT_NE(refusal((folder / "s-{a..b}.tar").string()).find("no range"), std::string::npos);
  std::filesystem::create_directories(folder / "empty");
  EXPECT_NE(refusal((folder / "empty").string()).find("no .tar"), std::string::npos);
  write_text(folder / "none.tar", tar_end());
  EXPECT_NE(refusal((folder / "none.tar").string()).find("holds no sample"), std::string::npos);
}

}  // namespace
}  // namespace janus::train
