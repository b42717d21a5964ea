// What asking about many pictures needs: the pictures of a folder, and a file of answers that a
// later run goes on with. SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace janus {

// Files of a folder with the extension of a kind that is read, in the order of their names; hidden
// ones are passed over. `recursive` goes into its folders as well, but not through links. Throws
// Code::bad_input for a folder that is not there or cannot be read, or that holds none.
std::vector<std::filesystem::path> pictures_in(const std::filesystem::path& folder, bool recursive);

// A name as JSON can hold it: UTF-8, with U+FFFD for what is not.
std::string shown(const std::filesystem::path& path);

// JSON lines, one a picture, that only grow: each is written at once and whole. A line that an
// earlier run was stopped in is taken away.
class AnswerFile {
 public:
  // Throws Code::bad_input for a file that holds anything else, so that none is spoilt by mistake.
  explicit AnswerFile(const std::filesystem::path& path);
  ~AnswerFile();
  AnswerFile(const AnswerFile&) = delete;
  AnswerFile& operator=(const AnswerFile&) = delete;

  // Whether the picture has an answer, rather than an error, to this question.
  bool answers(const std::string& image, const std::string& question) const;
  void append(const nlohmann::ordered_json& line);

 private:
  bool read();  // whether its last line lacks the newline

  std::filesystem::path path_;
  int fd_ = -1;
  std::set<std::pair<std::string, std::string>> answered_;
};

}  // namespace janus
