// Tar shards of samples, as WebDataset keeps them: members that follow each other and share their
// name up to the first dot are one sample, told apart by what comes after it. No libtorch here.
//
//   .png .jpg .webp ...   a picture, several in the order they lie in
//   .txt                  its caption, what templates are filled with
//   .json                 "messages" or "conversations" as in row_file.h, which are about the
//                         pictures beside them; else "caption", "prompt" or "text" is the caption
//   .codes.u16            what is drawn, as codes: 16 bits each, the lower byte first
//
// Other members are left alone.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "io/file.h"
#include "train/file_row.h"

namespace janus::train {

// `a-{000..012}.tar`, a folder of tars in the order of their names, or one file.
std::vector<std::filesystem::path> shards_of(const std::string& path);

class TarRows final : public StoredRows {
 public:
  // Reads the headers of all shards. Throws Code::bad_input for one that is missing or no tar; one
  // that is cut off has one row at its end that cannot be used.
  explicit TarRows(const Source& source);
  int64_t count() const override { return static_cast<int64_t>(samples_.size()); }
  FileRow row(int64_t index) const override;
  std::string place(int64_t index) const override;

 private:
  struct Part {
    std::string kind;  // what follows the first dot, in lower case
    std::span<const std::byte> bytes;
  };
  struct Sample {
    size_t shard;
    std::string key;
    std::vector<Part> parts;
    std::string fault;  // of a shard that is cut off
  };
  void add_shard(size_t shard);
  FileRow conversation(const Sample& sample, const std::string& json) const;

  Teaches task_;
  std::vector<std::string> templates_;
  std::vector<MappedFile> shards_;
  std::vector<Sample> samples_;
};

}  // namespace janus::train
