// UTF-8 one character at a time, with the replacement rule of the Unicode Standard (3.9, maximal
// subparts), which Rust's from_utf8_lossy and so the reference's decoder follow.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace janus {

enum class Utf8 : uint8_t {
  whole,   // a character
  broken,  // bytes that begin no character; `length` of them are replaced together
  cut,     // a good beginning that the end of the text cuts off
};

struct Utf8Step {
  char32_t value = 0;  // only when whole
  uint8_t length = 0;  // bytes taken, at least 1
  Utf8 kind = Utf8::broken;
};

// What stands at byte `at` < text.size().
Utf8Step utf8_at(std::string_view text, size_t at);

// Offset of the first byte that is not part of a whole character; text.size() when all are.
size_t valid_utf8_prefix(std::string_view text);

void append_utf8(std::string& out, char32_t code_point);

// Without the mark that some editors put in front of UTF-8.
inline std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

// Appends `bytes` with U+FFFD for what is broken; returns how many bytes were taken. A cut
// character at the end is left untaken, or replaced as well when `last`.
size_t append_lossy(std::string& out, std::string_view bytes, bool last);
// The same of a whole text: names of files, say, which are bytes.
std::string as_utf8(std::string_view bytes);

}  // namespace janus
