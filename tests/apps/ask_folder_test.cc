// `januspro ask --images`: one question about every picture of a folder.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "januspro/januspro.hpp"
#include "program.h"

namespace janus {
namespace {

using nlohmann::json;

std::vector<std::string> ask(const Folder& folder, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"ask", "-m", golden("tiny-hf"), "--images", folder.file("in"), "What?",
                             "--max-tokens", "4"});
  return more;
}

void make(const Folder& folder, const std::string& name, uint8_t grey) {
  const auto path = folder.path() / "in" / name;
  std::filesystem::create_directories(path.parent_path());
  Image image;
  image.width = 8;
  image.height = 6;
  image.rgb.assign(8 * 6 * 3, grey);
  save_file(path, encode_picture(image, {}, {picture_format(path)}));
}

void write(const Folder& folder, const std::string& name, const std::string& text) {
  std::ofstream(folder.path() / "in" / name, std::ios::binary) << text;
}

std::vector<json> objects_of(const std::string& text) {
  std::vector<json> objects;
  for (const std::string& line : lines_of(text)) objects.push_back(json::parse(line));
  return objects;
}

std::string image_of(const json& object) { return object["image"]; }

TEST(AskFolderProgram, LinesComeInTheOrderOfNames) {
  const Folder folder;
  make(folder, "c.webp", 10);
  make(folder, "a.png", 90);
  make(folder, "B.JPG", 200);
  make(folder, "sub/d.png", 5);
  write(folder, "notes.txt", "not a picture");
  write(folder, ".hidden.png", "");
  const Outcome outcome = run_program(ask(folder, {"--json"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const std::vector<json> objects = objects_of(outcome.out);
  ASSERT_EQ(objects.size(), 3u);
  EXPECT_EQ(image_of(objects[0]), folder.file("in/B.JPG"));
  EXPECT_EQ(image_of(objects[1]), folder.file("in/a.png"));
  EXPECT_EQ(image_of(objects[2]), folder.file("in/c.webp"));
  EXPECT_EQ(objects[0]["question"], "What?");
  EXPECT_EQ(objects[0]["answer_tokens"], 4);
  // The answer to each is that of a single question.
  const Outcome single = run_program({"ask", "-m", golden("tiny-hf"), "-i", folder.file("in/a.png"),
                                      "What?", "--max-tokens", "4"});
  EXPECT_EQ(objects[1]["text"].get<std::string>() + "\n", single.out);
  const Outcome all = run_program(ask(folder, {"--json", "--recursive"}));
  ASSERT_EQ(lines_of(all.out).size(), 4u);
  EXPECT_EQ(image_of(objects_of(all.out)[3]), folder.file("in/sub/d.png"));
}

TEST(AskFolderProgram, WithoutJsonALineIsAPathAndAText) {
  const Folder folder;
  make(folder, "a.png", 90);
  make(folder, "b.png", 9);
  const std::vector<std::string> lines = lines_of(run_program(ask(folder)).out);
  const std::vector<json> objects = objects_of(run_program(ask(folder, {"--json"})).out);
  ASSERT_EQ(lines.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    std::string text = objects[i]["text"];
    for (char& c : text) c = c == '\n' || c == '\t' || c == '\r' ? ' ' : c;
    EXPECT_EQ(lines[i], image_of(objects[i]) + "\t" + text);
  }
}

TEST(AskFolderProgram, AFailureStopsNothingAndIsCounted) {
  const Folder folder;
  make(folder, "a.png", 90);
  write(folder, "b.png", "not a picture");
  write(folder, "c.gif", "GIF89a");
  make(folder, "d.png", 9);
  std::filesystem::create_symlink(folder.file("none"), folder.file("in/e.png"));
  const Outcome outcome = run_program(ask(folder, {"--json"}));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("3 of 5 pictures"), std::string::npos) << outcome.err;
  const std::vector<json> objects = objects_of(outcome.out);
  ASSERT_EQ(objects.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    const bool good = i == 0 || i == 3;
    EXPECT_EQ(objects[i].contains("text"), good);
    EXPECT_EQ(objects[i].contains("error"), !good);
  }
  EXPECT_NE(objects[1]["error"].get<std::string>().find("in/b.png"), std::string::npos);
  const Outcome plain = run_program(ask(folder));
  EXPECT_EQ(plain.code, 1);
  EXPECT_EQ(lines_of(plain.out).size(), 2u);
  EXPECT_NE(plain.err.find("c.gif"), std::string::npos) << plain.err;
}

TEST(AskFolderProgram, AFileOfAnswersGoesOn) {
  const Folder folder;
  const std::string out = folder.file("out.jsonl");
  make(folder, "a.png", 90);
  write(folder, "b.png", "not yet");
  make(folder, "c.png", 9);
  const Outcome first = run_program(ask(folder, {"-o", out}));
  EXPECT_EQ(first.code, 1);
  EXPECT_EQ(first.out, out + "\n");
  ASSERT_EQ(objects_of(read_file(out)).size(), 3u);
  // The failed one is tried again, the others are not.
  make(folder, "b.png", 50);
  make(folder, "d.png", 70);
  const Outcome second = run_program(ask(folder, {"-o", out}));
  EXPECT_EQ(second.code, 0) << second.err;
  EXPECT_NE(second.err.find("answers 2 of 4"), std::string::npos) << second.err;
  const std::vector<json> objects = objects_of(read_file(out));
  ASSERT_EQ(objects.size(), 5u);
  EXPECT_EQ(image_of(objects[3]), folder.file("in/b.png"));
  EXPECT_EQ(image_of(objects[4]), folder.file("in/d.png"));
  const std::string before = read_file(out);
  EXPECT_EQ(run_program(ask(folder, {"-o", out, "--quiet"})).err, "");
  EXPECT_EQ(read_file(out), before);
  // Another question is asked.
  EXPECT_EQ(run_program({"ask", "-m", golden("tiny-hf"), "--images", folder.file("in"), "Why?",
                         "--max-tokens", "1", "-o", out})
                .code,
            0);
  EXPECT_EQ(objects_of(read_file(out)).size(), 9u);
}

TEST(AskFolderProgram, AHalfWrittenLineIsWrittenAgain) {
  const Folder folder;
  const std::string out = folder.file("out.jsonl");
  make(folder, "a.png", 90);
  make(folder, "b.png", 9);
  ASSERT_EQ(run_program(ask(folder, {"-o", out})).code, 0);
  const std::string whole = read_file(out);
  const size_t begin = whole.find('\n') + 1;
  for (const size_t kept : {begin + 1, begin + 20, whole.size() - 2}) {
    std::ofstream(out) << whole.substr(0, kept);
    EXPECT_EQ(run_program(ask(folder, {"-o", out})).code, 0);
    const std::vector<json> objects = objects_of(read_file(out));
    ASSERT_EQ(objects.size(), 2u);
    EXPECT_EQ(image_of(objects[1]), folder.file("in/b.png"));
    EXPECT_EQ(read_file(out).back(), '\n');
  }
  // Whole but for the end of the line: kept.
  std::ofstream(out) << whole.substr(0, begin - 1);
  EXPECT_EQ(run_program(ask(folder, {"-o", out})).code, 0);
  EXPECT_EQ(read_file(out).substr(0, begin), whole.substr(0, begin));
  EXPECT_EQ(objects_of(read_file(out)).size(), 2u);
}

TEST(AskFolderProgram, OtherFilesAreNotSpoilt) {
  const Folder folder;
  make(folder, "a.png", 90);
  for (const std::string text : {"hello", "hello\n", "{\"image\": 1}\n", "[]\n", "\n"}) {
    std::ofstream(folder.file("x")) << text;
    const Outcome outcome = run_program(ask(folder, {"-o", folder.file("x")}));
    EXPECT_EQ(outcome.code, 1) << text;
    EXPECT_NE(outcome.err.find("line 1"), std::string::npos) << outcome.err;
    EXPECT_EQ(read_file(folder.file("x")), text);
  }
  const Outcome full = run_program(ask(folder, {"-o", "/dev/full"}));
  EXPECT_EQ(full.code, 1);
  EXPECT_NE(full.err.find("No space left"), std::string::npos) << full.err;
  EXPECT_EQ(run_program(ask(folder, {"-o", folder.file("no/x")})).code, 1);
}

TEST(AskFolderProgram, InterruptKeepsWhatIsFinished) {
  const Folder folder;
  const std::string out = folder.file("out.jsonl");
  for (int i = 0; i < 400; ++i) make(folder, std::to_string(1000 + i) + ".png", 90);
  Setting setting;
  setting.signal = SIGINT;
  setting.until = [&] {
    std::error_code none;
    return std::filesystem::exists(out) && std::filesystem::file_size(out, none) > 1000;
  };
  const Outcome outcome = run_program(ask(folder, {"-o", out}), setting);
  EXPECT_EQ(outcome.code, 130) << outcome.err;
  const size_t finished = objects_of(read_file(out)).size();
  EXPECT_GE(finished, 3u);
  EXPECT_LT(finished, 400u);
  for (const json& object : objects_of(read_file(out))) EXPECT_TRUE(object.contains("text"));
}

TEST(AskFolderProgram, ATerminalShowsProgress) {
  const Folder folder;
  make(folder, "a.png", 90);
  make(folder, "b.png", 9);
  Setting setting;
  setting.terminal = true;
  setting.environment = {{"TERM", "xterm"}};
  const Outcome outcome = run_program(ask(folder, {"--json"}), setting);
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.err.find("1/2 pictures"), std::string::npos) << outcome.err;
  EXPECT_EQ(objects_of(outcome.out).size(), 2u);
}

}  // namespace
}  // namespace janus
