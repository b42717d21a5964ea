// Writes what tests want to find in a tar. SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <string>

namespace janus {

// One member: its header and its content in whole blocks.
inline std::string tar_member(const std::string& name, const std::string& content, char kind = '0',
                              const std::string& folder = "") {
  std::string header(512, '\0');
  const auto put = [&header](size_t at, const std::string& text) {
    header.replace(at, text.size(), text);
  };
  char octal[13];
  std::snprintf(octal, sizeof octal, "%011zo", content.size());
  put(0, name.substr(0, 100));
  put(100, "0000644");
  put(124, octal);
  put(136, "00000000000");
  put(148, "        ");
  header[156] = kind;
  put(257, std::string("ustar\0"
                       "00",
                       8));
  put(345, folder);
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  std::snprintf(octal, sizeof octal, "%06o", sum);
  put(148, std::string(octal, 7));
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

inline std::string tar_end() { return std::string(1024, '\0'); }

}  // namespace janus
