// Results of a long evaluation, one JSON object a case and line, in a file that only grows, so that
// a later run goes on where one ended. SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace janus {

class CaseFile {
 public:
  // Reads what is there; a line that an earlier run was stopped in is taken away. `settings` are
  // kept in the first line. Throws Code::bad_input for a file that holds anything else, or was made
  // with other settings.
  CaseFile(const std::filesystem::path& path, const nlohmann::ordered_json& settings);

  bool has(const std::string& key) const { return cases_.contains(key); }
  // `line` has the case's key under "case". Written at once and whole.
  void add(nlohmann::ordered_json line);
  // All cases by their keys.
  const std::map<std::string, nlohmann::ordered_json>& cases() const { return cases_; }

 private:
  void read(const nlohmann::ordered_json& settings);
  void append(const nlohmann::ordered_json& line);

  std::filesystem::path path_;
  std::ofstream out_;
  std::map<std::string, nlohmann::ordered_json> cases_;
};

}  // namespace janus
