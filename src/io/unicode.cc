// See unicode.h.
// SPDX-License-Identifier: MIT
#include "io/unicode.h"

#include <algorithm>
#include <span>

namespace janus {

namespace {

#include "io/unicode.inc"

bool in_ranges(std::span<const CodePointRange> ranges, char32_t code_point) {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), code_point,
                       [](char32_t value, const CodePointRange& r) { return value < r.first; });
  return after != ranges.begin() && code_point <= std::prev(after)->second;
}

}  // namespace

CodePointSet::CodePointSet(std::vector<CodePointRange> ranges) {
  std::sort(ranges.begin(), ranges.end());
  for (const CodePointRange& range : ranges) {
    if (!ranges_.empty() && range.first <= ranges_.back().second) {
      ranges_.back().second = std::max(ranges_.back().second, range.second);
    } else {
      ranges_.push_back(range);
    }
  }
  for (char32_t c = 0; c < ascii_.size(); ++c) ascii_[c] = in_ranges(ranges_, c);
}

bool CodePointSet::beyond_ascii(char32_t code_point) const {
  return in_ranges(ranges_, code_point);
}

bool is_white_space(char32_t code_point) {
  if (code_point < 0x80) return code_point == ' ' || (code_point >= '\t' && code_point <= '\r');
  return in_ranges(kWhiteSpace, code_point);
}

bool is_numeric(char32_t code_point) {
  if (code_point < 0x80) return code_point >= '0' && code_point <= '9';
  return in_ranges(kNumeric, code_point);
}

bool is_word(char32_t code_point) { return in_ranges(kWord, code_point); }

}  // namespace janus
