// CLI11 takes a text in brackets for a list and cuts it at its commas, a prompt as well. A mark in
// front of the bracket hides it from that, and is taken away before anything else sees the text.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace janus {

inline constexpr char kBracketMark = '\x1a';

// Where the value of an argument begins: behind --name= or -n, or at its beginning.
inline size_t value_begin(const std::string& argument) {
  if (argument.starts_with("--")) return argument.find('=') + 1;
  return argument.starts_with("-") ? 2 : 0;
}

inline std::string hide_bracket(std::string argument) {
  const size_t place = value_begin(argument);
  const bool hide =
      place < argument.size() && (argument[place] == '[' || argument[place] == kBracketMark);
  if (hide) argument.insert(place, 1, kBracketMark);
  return argument;
}

// Of the whole argument or of its value alone, whichever the parser took.
inline std::string show_bracket(std::string text) {
  const size_t place = text.starts_with(kBracketMark) ? 0 : value_begin(text);
  if (place < text.size() && text[place] == kBracketMark) text.erase(place, 1);
  return text;
}

}  // namespace janus
