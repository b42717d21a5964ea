// See utf8.h. Table 3-7 of the Unicode Standard gives the ranges of the second byte.
// SPDX-License-Identifier: MIT
#include "io/utf8.h"

namespace janus {

namespace {

struct Lead {
  int length;         // of the whole character; 0: no character begins so
  uint8_t low, high;  // range of the second byte
};

Lead lead_of(uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};  // no surrogates
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};  // no more than U+10FFFF
  return {0, 0, 0};
}

}  // namespace

Utf8Step utf8_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1, Utf8::whole};
  const Lead lead = lead_of(first);
  if (lead.length == 0) return {0, 1, Utf8::broken};
  const size_t left = text.size() - at;
  char32_t value = first & (0x7Fu >> lead.length);
  for (int i = 1; i < lead.length; ++i) {
    if (static_cast<size_t>(i) == left) return {0, static_cast<uint8_t>(i), Utf8::cut};
    const uint8_t next = byte(static_cast<size_t>(i));
    const uint8_t low = i == 1 ? lead.low : 0x80, high = i == 1 ? lead.high : 0xBF;
    if (next < low || next > high) return {0, static_cast<uint8_t>(i), Utf8::broken};
    value = value << 6 | (next & 0x3Fu);
  }
  return {value, static_cast<uint8_t>(lead.length), Utf8::whole};
}

size_t valid_utf8_prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const Utf8Step step = utf8_at(text, at);
    if (step.kind != Utf8::whole) break;
    at += step.length;
  }
  return at;
}

void append_utf8(std::string& out, char32_t code_point) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

size_t append_lossy(std::string& out, std::string_view bytes, bool last) {
  size_t at = 0;
  while (at < bytes.size()) {
    const Utf8Step step = utf8_at(bytes, at);
    if (step.kind == Utf8::cut && !last) break;
    if (step.kind == Utf8::whole) {
      out.append(bytes.substr(at, step.length));
    } else {
      append_utf8(out, 0xFFFD);
    }
    at += step.length;
  }
  return at;
}

std::string as_utf8(std::string_view bytes) {
  std::string text;
  append_lossy(text, bytes, true);
  return text;
}

}  // namespace janus
