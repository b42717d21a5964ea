// See tar.h.
// SPDX-License-Identifier: MIT
#include "io/tar.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace janus {
namespace {

constexpr size_t kBlock = 512;  // everything lies in whole ones

// A field of a header, up to its first zero byte.
std::string_view field(std::string_view header, size_t begin, size_t length) {
  const std::string_view whole = header.substr(begin, length);
  return whole.substr(0, whole.find('\0'));
}

// Octal digits with blanks around them, or where the first bit is set a binary number.
std::optional<uint64_t> number(std::string_view header, size_t begin, size_t length) {
  const std::string_view whole = header.substr(begin, length);
  uint64_t value = 0;
  if (static_cast<uint8_t>(whole.front()) & 0x80) {
    if (whole.front() != '\x80') return std::nullopt;  // negative, or beyond every disk
    for (const char c : whole.substr(1)) {
      if (value >> 55) return std::nullopt;
      value = value << 8 | static_cast<uint8_t>(c);
    }
    return value;
  }
  std::string_view digits = field(header, begin, length);
  digits.remove_prefix(std::min(digits.find_first_not_of(' '), digits.size()));
  digits = digits.substr(0, digits.find(' '));
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 8);
  if (!digits.empty() && (error != std::errc() || end != digits.data() + digits.size())) {
    return std::nullopt;
  }
  return value;
}

// The sum of a header's bytes, those of the sum itself counted as blanks.
bool sum_is_right(std::string_view header) {
  constexpr size_t kSum = 148, kSumLength = 8;
  const auto told = number(header, kSum, kSumLength);
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    sum += i >= kSum && i < kSum + kSumLength ? uint8_t{' '} : static_cast<uint8_t>(header[i]);
  }
  return told == sum;
}

// What a header says of the next file in place of its own fields.
struct Extension {
  std::optional<std::string> name;
  std::optional<uint64_t> size;
};

// Records of pax, "LENGTH KEY=VALUE\n"; what is malformed ends them.
void read_pax(std::string_view records, Extension& next) {
  while (!records.empty()) {
    size_t length = 0;
    const auto [end, error] =
        std::from_chars(records.data(), records.data() + records.size(), length);
    const auto digits = static_cast<size_t>(end - records.data());
    if (error != std::errc() || length > records.size() || length < digits + 2) return;
    const std::string_view record = records.substr(digits + 1, length - digits - 2);
    records.remove_prefix(length);
    const size_t equals = record.find('=');
    if (equals == std::string_view::npos) return;
    const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key == "path") next.name = std::string(value);
    if (key == "size") {
      uint64_t size = 0;
      const auto read = std::from_chars(value.data(), value.data() + value.size(), size);
      if (read.ec == std::errc()) next.size = size;
    }
  }
}

std::string name_of(std::string_view header) {
  std::string name(field(header, 0, 100));
  const std::string_view folder = field(header, 345, 155);
  const bool ustar = header.substr(257, 6) == std::string_view("ustar\0", 6);  // GNU has a blank
  return ustar && !folder.empty() ? std::string(folder) + "/" + name : name;
}

void refuse_packed(std::string_view all, const std::string& name) {
  const char* packer = all.starts_with("\x1f\x8b")           ? "gzip -d"
                       : all.starts_with("\x28\xb5\x2f\xfd") ? "zstd -d"
                       : all.starts_with("BZh")              ? "bzip2 -d"
                       : all.starts_with(
                             "\xfd"
                             "7zXZ")
                           ? "xz -d"
                           : nullptr;
  check(packer == nullptr, Code::bad_input, name,
        ": a packed tar, in which nothing can be found without unpacking; `", packer ? packer : "",
        "` makes it a plain one");
}

}  // namespace

TarListing list_tar(std::span<const std::byte> bytes, const std::string& name) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  refuse_packed(all, name);
  TarListing listing;
  Extension next;
  size_t at = 0;
  const auto end_with = [&](const char* what) {
    listing.fault = std::string(what) + " at byte " + std::to_string(at);
    return listing;
  };
  while (at < all.size()) {
    if (all.size() - at < kBlock) return end_with("cut off in a header");
    const std::string_view header = all.substr(at, kBlock);
    if (header.find_first_not_of('\0') == std::string_view::npos) break;  // the end mark
    const auto told = number(header, 124, 12);
    if (!told || !sum_is_right(header)) {
      check(at > 0, Code::bad_input, name, ": is no tar");
      return end_with("no header of a file");
    }
    const char kind = header[156];
    const bool linked = kind >= '1' && kind <= '6';  // which holds nothing
    const uint64_t size = linked ? 0 : next.size.value_or(*told);
    const size_t begin = at + kBlock;
    if (size > all.size() - begin) return end_with("cut off in a file that begins");
    const std::string_view content = all.substr(begin, size);
    if (kind == 'L') {
      next.name = std::string(content.substr(0, content.find('\0')));
    } else if (kind == 'x') {
      read_pax(content, next);
    } else if (kind != 'g') {
      if (kind == '0' || kind == '\0' || kind == '7') {
        listing.files.push_back({next.name.value_or(name_of(header)), bytes.subspan(begin, size)});
      }
      next = {};
    }
    const size_t padded = (static_cast<size_t>(size) + kBlock - 1) / kBlock * kBlock;
    if (padded > all.size() - begin) return end_with("cut off behind a file that begins");
    at = begin + padded;
  }
  return listing;
}

}  // namespace janus
