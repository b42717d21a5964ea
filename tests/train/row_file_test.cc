// What rows of a file say, as numbers; and rows that cannot be used.
// SPDX-License-Identifier: MIT
#include "train/row_file.h"

#include <gtest/gtest.h>
#include <algorithm>

#include "base/error.h"
#include "files.h"
#include "io/file.h"
#include "io/image.h"

namespace janus::train {
namespace {

FileRow parse(const std::string& line) { return parse_row(line, "/data"); }

std::string refusal(const std::string& line) {
  try {
    parse(line);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::bad_input);
    return error.what();
  }
  return "accepted";
}

PromptBuilder tiny_prompts() {
  return PromptBuilder(Tokenizer::load(golden("tiny-hf/tokenizer.json")), 64, std::string());
}

Config tiny_config() { return load_config(golden("tiny-hf")); }

void write(const std::filesystem::path& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

TEST(RowFile, DrawingsInTheirThreeForms) {
  const FileRow short_form = parse(R"({"prompt": "a ball", "image": "b/1.png", "id": 7})");
  EXPECT_EQ(short_form.task, "generate");
  EXPECT_EQ(short_form.prompt, "a ball");
  EXPECT_EQ(short_form.target.path, "/data/b/1.png");
  const FileRow long_form = parse(
      R"({"task": "generate", "messages": [{"role": "user", "content": "a ball"}], "target": "/1.png"})");
  EXPECT_EQ(long_form.prompt, "a ball");
  EXPECT_EQ(long_form.target.path, "/1.png");
  const FileRow codes = parse(R"({"prompt": "a ball", "target": "1.png", "target_codes": [3, 1]})");
  EXPECT_EQ(codes.codes, (std::vector<int64_t>{3, 1}));
  EXPECT_TRUE(codes.target.path.empty());  // codes are used as given
}

TEST(RowFile, ConversationsWithAndWithoutPictures) {
  const std::string turns =
      R"("messages": [{"role": "user", "content": "<image> or <image>?"}, {"role": "assistant", "content": "b"}])";
  const FileRow two =
      parse("{" + turns + R"(, "images": ["a.png", "b.png"], "system": "Be brief."})");
  EXPECT_EQ(two.task, "understand");
  EXPECT_EQ(two.messages.front().images, 2);
  EXPECT_EQ(two.messages.front().text, "<image_placeholder> or <image_placeholder>?");
  EXPECT_EQ(two.images.back().path, "/data/b.png");
  EXPECT_EQ(two.system, "Be brief.");
  const FileRow first = parse(
      R"({"images": ["a.png"], "messages": [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "b"}]})");
  EXPECT_EQ(first.messages.front().images, 1);
  const FileRow text = parse(
      R"({"messages": [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "b"}]})");
  EXPECT_EQ(text.task, "text");
  EXPECT_FALSE(text.system);
}

TEST(RowFile, RefusalsSayWhatIsMissing) {
  const auto expect = [](const std::string& line, const std::string& words) {
    EXPECT_NE(refusal(line).find(words), std::string::npos) << line << " -> " << refusal(line);
  };
  expect("[1", "docs/training.md");
  expect("{}", "messages");
  expect(R"({"prompt": 3, "image": "a"})", "string");
  expect(R"({"prompt": "a"})", "\"image\" (a file) or \"target_codes\" is missing");
  expect(R"({"task": "edit", "prompt": "a"})", "\"source\" (a file) is missing");
  expect(R"({"task": "translate", "prompt": "a"})", "none of generate");
  expect(R"({"task": "text", "images": ["a"], "messages": []})", "\"understand\"");
  expect(R"({"messages": []})", "is empty");
  expect(R"({"messages": [{"role": "user", "content": "a"}]})", "nothing to learn");
  expect(R"({"messages": [{"role": "system", "content": "a"}]})", "a key of the row");
  expect(R"({"images": ["a"], "messages": [{"role": "user", "content": "<image><image>"}]})",
         "2 <image> marks for 1");
  expect(R"({"messages": [{"role": "user", "content": "<image>"}]})", "1 <image> marks for 0");
}

TEST(RowFile, LinesAreFoundAndNamed) {
  const Folder folder("rows");
  write(folder / "r.jsonl", "\n{\"prompt\": \"a\", \"target_codes\": [1]}\r\n  \n{}");
  const RowFile file(folder / "r.jsonl");
  ASSERT_EQ(file.count(), 2);
  EXPECT_EQ(file.row(0).prompt, "a");
  EXPECT_THROW(file.row(1), Error);
  EXPECT_EQ(file.place(1), (folder / "r.jsonl").string() + ", line 4");
  write(folder / "empty.jsonl", "\n");
  EXPECT_THROW(RowFile(folder / "empty.jsonl"), Error);
  EXPECT_THROW(RowFile(folder / "absent.jsonl"), Error);
}

FileRow llava(const std::string& text) { return parse_llava_row(text, "/data"); }

TEST(RowFile, LlavaRowsAreConversations) {
  const FileRow row = llava(
      R"({"id": "1", "image": "coco/1.jpg", "conversations": [{"from": "system", "value": "Be brief."},
          {"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A ball."},
          {"from": "human", "value": "Red?"}, {"from": "gpt", "value": "Yes."}]})");
  EXPECT_EQ(row.task, "understand");
  EXPECT_EQ(row.system, "Be brief.");
  ASSERT_EQ(row.messages.size(), 4u);
  EXPECT_EQ(row.messages[0].text, "<image_placeholder>\nWhat?");
  EXPECT_EQ(row.messages[3].text, "Yes.");
  EXPECT_EQ(row.images.at(0).path, "/data/coco/1.jpg");
  const std::string talk =
      R"("conversations": [{"from": "human", "value": "One"}, {"from": "gpt", "value": "Two"}]})";
  EXPECT_EQ(llava("{" + talk).task, "text");
  EXPECT_EQ(llava("{\"image\": null, " + talk).task, "text");
  EXPECT_EQ(llava("{\"image\": [\"a\", \"b\"], " + talk).images.size(), 2u);
  EXPECT_THROW(llava(R"({"conversations": [{"from": "bot", "value": "One"}]})"), Error);
  EXPECT_THROW(llava(R"({"messages": []})"), Error);
}

TEST(RowFile, ItemsOfAListAreFoundAndNamed) {
  const Folder folder("list");
  const std::string talk =
      R"("conversations": [{"from": "human", "value": "a ] } \" , ["}, {"from": "gpt", "value": "b\\"}]})";
  write(folder / "l.json",
        "\xEF\xBB\xBF\n[ {\n" + talk + ",\n\n {\"image\": \"1.png\", " + talk + "\n]\n");
  const RowFile file(folder / "l.json", parse_llava_row, "/pictures");
  ASSERT_EQ(file.count(), 2);
  EXPECT_EQ(file.row(0).messages[0].text, "a ] } \" , [");
  EXPECT_EQ(file.row(1).images.at(0).path, "/pictures/1.png");
  EXPECT_EQ(file.place(0), (folder / "l.json").string() + ", line 2");
  EXPECT_EQ(file.place(1), (folder / "l.json").string() + ", line 5");
  write(folder / "cut.json", "[{" + talk + ", {\"image\"");
  EXPECT_THROW(RowFile(folder / "cut.json", parse_llava_row), Error);
  write(folder / "none.json", "[ ]");
  EXPECT_THROW(RowFile(folder / "none.json", parse_llava_row), Error);
  write(folder / "lines.jsonl", "{" + talk + "\n{" + talk);  // as some write it
  EXPECT_EQ(RowFile(folder / "lines.jsonl", parse_llava_row).count(), 2);
}

TEST(RowFile, PicturesAreFittedForReadingAndCoveredForDrawing) {
  const Folder folder("pictures");
  Image wide{100, 50, std::vector<uint8_t>(100 * 50 * 3, 255)};
  for (size_t i = 0; i < wide.rgb.size(); i += 3) wide.rgb[i] = 0;  // no red
  write_atomically(folder / "wide.png", encode_image(wide));
  const Config config = tiny_config();
  FileRow row;
  row.prompt = "a ball";
  row.target.path = folder / "wide.png";
  const DrawRow drawn = draw_row(row, tiny_prompts(), config);
  ASSERT_EQ(drawn.pixels.size(), 3u * 64 * 64);
  EXPECT_EQ(drawn.pixels.front(), -1);  // covered to its corner
  EXPECT_EQ(drawn.pixels.back(), 1);
  row.images = {row.target, row.target};
  row.messages = {{Role::user, "Same?", 2}, {Role::assistant, "Yes.", 0}};
  const AskRow asked = ask_row(row, tiny_prompts(), config);
  ASSERT_EQ(asked.pixels.size(), 2u * 3 * 64 * 64);
  EXPECT_NEAR(asked.pixels.front(), 127 / 127.5 - 1, 1e-6);  // grey above and below
  EXPECT_EQ(asked.pixels[32 * 64], -1);
  EXPECT_EQ(std::count(asked.dialogue.ids.begin(), asked.dialogue.ids.end(), 611), 128);
}

TEST(RowFile, CodesMustFitTheModel) {
  FileRow row;
  row.codes.assign(64, 255);
  EXPECT_EQ(draw_row(row, tiny_prompts(), tiny_config()).codes.size(), 64u);
  row.codes.back() = 256;
  EXPECT_THROW(draw_row(row, tiny_prompts(), tiny_config()), Error);
  row.codes.pop_back();
  EXPECT_THROW(draw_row(row, tiny_prompts(), tiny_config()), Error);
}

}  // namespace
}  // namespace janus::train
