// What the frozen lists of the public headers are compared with, and the golden files.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

namespace janus {

using Names = std::vector<std::string>;

inline std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(JANUSPRO_SOURCE_DIR) / "tests" / "golden" / name;
}

// What `field` catches in the lines between the two, in order.
inline Names names_between(const std::string& header, const std::string& begin,
                           const std::string& end, const std::regex& field) {
  std::ifstream file(std::filesystem::path(JANUSPRO_SOURCE_DIR) / "include/januspro" / header);
  Names fields;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    std::smatch match;
    if (line == begin) {
      inside = true;
    } else if (line == end) {
      inside = false;
    } else if (inside && std::regex_match(line, match, field)) {
      fields.push_back(match[1]);
    }
  }
  return fields;
}

// Names of the fields of a C++ struct, by its text: one "type name = value;" a line.
inline Names fields_of(const std::string& header, const std::string& name) {
  static const std::regex field(R"(^  [^/ ].*[ >](\w+) = [^;]*;.*$)");
  return names_between(header, "struct " + name + " {", "};", field);
}

// The same for C: one "type name;" a line, or "type (*name)(...);".
inline Names c_fields_of(const std::string& name) {
  static const std::regex field(R"(^  [^/ ].*?[ *(](\w+)(?:\)\(.*\))?;.*$)");
  return names_between("januspro.h", "typedef struct " + name + " {", "} " + name + ";", field);
}

}  // namespace janus
