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
// Each may say what is worse than that (recipe.h, preference): a drawing or an edit "rejected":
// PATH or "rejected_codes": [..], a conversation "rejected": TEXT in place of its last reply.
//
// `<image>` in a text stands for the next picture; without marks they come first. Paths are
// relative to the file. "task" (generate, edit, understand, text) may say what a row is; "target"
// is another name of "image" for what is drawn, and "messages" with one turn of the user's another
// form of "prompt". Other keys ("id", say) are left alone.
//
// LLaVA's form is a list of such objects, or one a line:
//
//   {"image": PATH, "conversations": [{"from": "human", "value": "<image>\nWhat is this?"},
//                                     {"from": "gpt", "value": "A ball."}]}
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"
#include "train/file_row.h"

namespace janus::train {

// One line. `folder`: what its paths are relative to. Throws Code::bad_input naming key and cure.
FileRow parse_row(const std::string& line, const std::filesystem::path& folder);

FileRow parse_llava_row(const std::string& text, const std::filesystem::path& folder);
using RowParser = FileRow (*)(const std::string& text, const std::filesystem::path& folder);

// The rows of a file, one a line or the items of a JSON list; only where each begins is kept.
class RowFile final : public StoredRows {
 public:
  // Throws Code::bad_input for a file that cannot be read or holds no row, and for a list that does
  // not end. Blank lines are none. `pictures`: what paths are relative to, if not the file's
  // folder.
  explicit RowFile(const std::filesystem::path& path, RowParser parse = parse_row,
                   const std::filesystem::path& pictures = {});
  int64_t count() const override { return static_cast<int64_t>(rows_.size()); }
  FileRow row(int64_t index) const override;
  std::string place(int64_t index) const override;

 private:
  struct Piece {
    std::string_view text;
    int64_t line;  // it begins in, from 1
  };
  void read_lines(std::string_view text);
  void read_list(std::string_view text);

  MappedFile file_;
  RowParser parse_;
  std::filesystem::path pictures_;
  std::vector<Piece> rows_;
};

}  // namespace janus::train
