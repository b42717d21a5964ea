// Folders of pictures as samples: each picture with a text beside it (`x.png` and `x.txt`), or in a
// folder named after its class (`ball/x.jpg`). No libtorch here.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "train/file_row.h"

namespace janus::train {

// What a template says for the caption or the class of a picture.
inline constexpr std::string_view kCaptionMark = "{}";

// Without blanks and line ends around it, nor a byte order mark in front.
std::string trimmed(const std::string& text);

// Row k takes template k modulo their number.
const std::string& template_of(const std::vector<std::string>& templates, int64_t index);

// `x.png` + `x.txt`, at any depth, in the order of their paths; hidden files are passed over, and
// so are texts without a picture. A picture without a text is a row that cannot be used.
class PictureFolder final : public StoredRows {
 public:
  explicit PictureFolder(const Source& source);
  int64_t count() const override { return static_cast<int64_t>(pictures_.size()); }
  FileRow row(int64_t index) const override;
  std::string place(int64_t index) const override;

 private:
  Teaches task_;
  std::vector<std::string> templates_;
  std::vector<std::filesystem::path> pictures_;
};

// `class/x.jpg`: the class is what the line `class name` of PATH/classes.txt calls it, where there
// is that file, else the folder's name with spaces for underscores.
class ClassFolders final : public StoredRows {
 public:
  explicit ClassFolders(const Source& source);
  int64_t count() const override { return static_cast<int64_t>(pictures_.size()); }
  FileRow row(int64_t index) const override;
  std::string place(int64_t index) const override;

 private:
  struct Picture {
    std::filesystem::path path;
    size_t name;  // of names_
  };
  Teaches task_;
  std::vector<std::string> templates_;
  std::vector<std::string> names_;
  std::vector<Picture> pictures_;
};

}  // namespace janus::train
