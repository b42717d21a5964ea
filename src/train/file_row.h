// A sample that a person brings, as its file tells it, and what the network takes of it. Where it
// comes from: row_file.h, picture_folders.h, tar_rows.h. No libtorch here.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "generate/prompt.h"
#include "io/image.h"
#include "train/data.h"

namespace janus::train {

// A picture that is not decoded yet: a file, or bytes that somebody else holds.
struct StoredPicture {
  std::filesystem::path path;  // of the file; of bytes, their name in messages
  std::span<const std::byte> bytes = {};
};
// As a person sees it. Throws Code::bad_input naming it.
Image load_upright(const StoredPicture& picture);

// Appends its pixels [3, S, S] as the vision tower sees them.
void append_picture(const StoredPicture& picture, const Config& config, std::vector<float>& out);

struct FileRow {
  std::string task;  // generate, edit, understand, text
  std::vector<Message> messages;
  std::vector<StoredPicture> images;  // that are read, in the order of their places
  std::optional<std::string> system;  // none: the model's own
  std::string prompt;                 // of what is drawn, or what is to change
  StoredPicture source;               // of an edit: the picture in which
  StoredPicture target;               // the picture drawn; without a path where codes are given
  std::vector<int64_t> codes;
  // Of a preference what is worse than that: a picture or its codes, or the last reply.
  StoredPicture rejected;
  std::vector<int64_t> rejected_codes;
  std::optional<std::string> rejected_reply;

  bool draws() const { return task == "generate" || task == "edit"; }
};

// Rows that lie somewhere, by their number.
class StoredRows {
 public:
  virtual ~StoredRows() = default;
  virtual int64_t count() const = 0;
  // Throws Error for a row that cannot be used, without its place; may be called by several threads
  // at once.
  virtual FileRow row(int64_t index) const = 0;
  // Where it is, for messages: "FILE, line N".
  virtual std::string place(int64_t index) const = 0;
};

// Opens what a source of the recipe names by its format. Throws Code::bad_input for what is not
// there or holds no row.
std::unique_ptr<StoredRows> open_rows(const Source& source);

// A picture drawn from `pattern`, in which {} stands for the caption, or answered with the caption
// when asked it.
FileRow captioned_row(Teaches task, const StoredPicture& picture, const std::string& caption,
                      const std::string& pattern);

// What the network takes, of pictures that become codes these where `kept` has them. Pictures are
// decoded here: the one drawn is scaled to cover config.image and its middle cut out, those that
// are read are fitted as config.preprocessing says, the one that an edit changes as
// io/edit_source.h says.
DrawRow draw_row(const FileRow& row, const PromptBuilder& prompts, const Config& config,
                 const CodeCache* kept = nullptr);
AskRow ask_row(const FileRow& row, const PromptBuilder& prompts, const Config& config);

}  // namespace janus::train
