// Samples kept in a file, one JSON object a line: what a person trains on or compares with. No
// libtorch here.
//
//   {"prompt": TEXT, "image": PATH}                a picture to draw; or "target_codes": [..]
//   {"prompt": TEXT, "source": PATH, "image": PATH}
//                                                  what is to change in a picture, and what comes
//                                                  of it
//   {"messages": [{"role": "user", "content": "<image> What is this?"},
//                 {"role": "assistant", "content": "A ball."}],
//    "images": [PATH, ...], "system": TEXT}        a conversation, with or without pictures
//
// `<image>` in a text stands for the next picture; without marks they come first. Paths are
// relative to the file. "task" (generate, edit, understand, text) may say what a row is; "target"
// is another name of "image" for what is drawn, and "messages" with one turn of the user's another
// form of "prompt". Other keys ("id", say) are left alone.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "generate/prompt.h"
#include "io/file.h"
#include "train/data.h"

namespace janus::train {

struct FileRow {
  std::string task;  // generate, edit, understand, text
  std::vector<Message> messages;
  std::vector<std::filesystem::path> images;  // that are read, in the order of their places
  std::optional<std::string> system;          // none: the model's own
  std::string prompt;                         // of what is drawn, or what is to change
  std::filesystem::path source;               // of an edit: the picture in which
  std::filesystem::path target;               // the picture drawn; empty where codes are given
  std::vector<int64_t> codes;
};

// One line. `folder`: what its paths are relative to. Throws Code::bad_input naming key and cure.
FileRow parse_row(const std::string& line, const std::filesystem::path& folder);

// The rows of a file, by their number; only where each line begins is kept.
class RowFile {
 public:
  // Throws Code::bad_input for a file that cannot be read or holds no row. Blank lines are none.
  explicit RowFile(const std::filesystem::path& path);
  int64_t count() const { return static_cast<int64_t>(begins_.size()); }
  // Throws as parse_row() does, naming file and line.
  FileRow row(int64_t index) const;
  // "FILE, line N": for messages.
  std::string place(int64_t index) const;

 private:
  MappedFile file_;
  std::vector<std::string_view> begins_;  // each row's line
  std::vector<int64_t> lines_;            // its number, from 1
};

// What the network takes. Pictures are read here: the one drawn is scaled to cover config.image and
// its middle cut out, those that are read are fitted as config.preprocessing says.
DrawRow draw_row(const FileRow& row, const PromptBuilder& prompts, const Config& config);
AskRow ask_row(const FileRow& row, const PromptBuilder& prompts, const Config& config);

}  // namespace janus::train
