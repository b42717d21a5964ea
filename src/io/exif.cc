// See exif.h. Numbers of tags and types, and the form of a user comment, are those of EXIF 2.32
// (CIPA DC-008). SPDX-License-Identifier: MIT
#include "io/exif.h"

#include <cstdint>
#include <string_view>

#include "io/utf8.h"

namespace janus {
namespace {

constexpr uint16_t kOrientation = 0x0112;
constexpr uint16_t kExifPointer = 0x8769;  // where the second table of tags stands
constexpr uint16_t kVersion = 0x9000;
constexpr uint16_t kUserComment = 0x9286;

constexpr uint16_t kByte = 1;
constexpr uint16_t kText = 2;
constexpr uint16_t kShort = 3;
constexpr uint16_t kLong = 4;
constexpr uint16_t kUndefined = 7;  // bytes with a meaning of their own

constexpr size_t kEntry = 12;  // tag, type, count, and the value or its place
constexpr std::string_view kJpegMark("Exif\0\0", 6);

// The first eight bytes of a comment name its characters.
constexpr std::string_view kAscii("ASCII\0\0\0", 8);
constexpr std::string_view kUnicode("UNICODE\0", 8);
constexpr std::string_view kUnnamed("\0\0\0\0\0\0\0\0", 8);

struct Entry {
  uint16_t tag = 0;
  uint16_t type = 0;
  uint32_t count = 0;
  size_t value = 0;  // where the four bytes of the value, or of its place, stand
};

// Numbers of a TIFF in its own byte order. What reaches past the end reads as zero, and so as a
// table of no entries.
class Tiff {
 public:
  explicit Tiff(std::string_view bytes) : bytes_(bytes), big_(bytes.starts_with("MM")) {}

  bool good() const {
    return (big_ || bytes_.starts_with("II")) && bytes_.size() >= 8 && number(2, 2) == 42;
  }
  bool big() const { return big_; }

  uint32_t number(size_t at, size_t size) const {
    if (at > bytes_.size() || bytes_.size() - at < size) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      value = value << 8 | static_cast<uint8_t>(bytes_[at + (big_ ? i : size - 1 - i)]);
    }
    return value;
  }

  // The entry of `tag` in the table at `at`; the last one, where several claim the same.
  std::optional<Entry> find(size_t at, uint16_t tag) const {
    std::optional<Entry> found;
    const size_t count = number(at, 2);
    for (size_t i = 0; i < count; ++i) {
      const size_t entry = at + 2 + i * kEntry;
      if (entry + kEntry > bytes_.size()) break;
      if (number(entry, 2) != tag) continue;
      found = {tag, static_cast<uint16_t>(number(entry + 2, 2)), number(entry + 4, 4), entry + 8};
    }
    return found;
  }

  // The value of an entry whose elements are bytes; empty when it is not all there.
  std::string_view bytes_of(const Entry& entry) const {
    const size_t at = entry.count <= 4 ? entry.value : number(entry.value, 4);
    if (at > bytes_.size() || bytes_.size() - at < entry.count) return {};
    return bytes_.substr(at, entry.count);
  }

 private:
  std::string_view bytes_;
  bool big_;
};

char32_t unit_at(std::string_view text, size_t at, bool big) {
  const auto first = static_cast<uint8_t>(text[at]);
  const auto second = static_cast<uint8_t>(text[at + 1]);
  return static_cast<char32_t>(big ? first << 8 | second : second << 8 | first);
}

std::string from_utf16(std::string_view text, bool big) {
  std::string out;
  for (size_t at = 0; at + 1 < text.size(); at += 2) {
    char32_t value = unit_at(text, at, big);
    const bool surrogate = value >= 0xd800 && value < 0xe000;
    const char32_t next = surrogate && at + 3 < text.size() ? unit_at(text, at + 2, big) : 0;
    if (value < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
      value = 0x10000 + ((value - 0xd800) << 10) + (next - 0xdc00);
      at += 2;
    } else if (surrogate) {
      value = 0xfffd;
    }
    append_utf8(out, value);
  }
  return out;
}

// The order of the text is that of its file by the standard, but not in many files: where the other
// order gives more characters of ASCII, it is the right one.
bool is_big_endian(std::string_view text, bool file_is_big) {
  const auto plain = [](char32_t value) { return value == '\n' || (value >= ' ' && value < 0x7f); };
  int64_t more_if_swapped = 0;
  for (size_t at = 0; at + 1 < text.size(); at += 2) {
    more_if_swapped += plain(unit_at(text, at, !file_is_big)) ? 1 : 0;
    more_if_swapped -= plain(unit_at(text, at, file_is_big)) ? 1 : 0;
  }
  return more_if_swapped > 0 ? !file_is_big : file_is_big;
}

std::optional<std::string> comment_of(std::string_view value, bool file_is_big) {
  if (value.size() < kAscii.size()) return std::nullopt;
  const std::string_view code = value.substr(0, kAscii.size());
  std::string_view text = value.substr(kAscii.size());
  std::string out;
  if (code == kUnicode) {
    bool big = is_big_endian(text, file_is_big);
    if (text.starts_with("\xfe\xff") || text.starts_with("\xff\xfe")) {
      big = text[0] == '\xfe';
      text.remove_prefix(2);
    }
    out = from_utf16(text, big);
  } else if (code == kAscii || code == kUnnamed) {
    out = as_utf8(text);
  } else {
    return std::nullopt;
  }
  out.erase(out.find_last_not_of('\0') + 1);  // some cameras reserve room for it
  return out;
}

void put(std::string& out, uint32_t value, int size) {
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

void put_entry(std::string& out, uint16_t tag, uint16_t type, size_t count) {
  put(out, tag, 2);
  put(out, type, 2);
  put(out, static_cast<uint32_t>(count), 4);
}

}  // namespace

Exif read_exif(std::span<const std::byte> block) {
  std::string_view bytes(reinterpret_cast<const char*>(block.data()), block.size());
  if (bytes.starts_with(kJpegMark)) bytes.remove_prefix(kJpegMark.size());
  Exif exif;
  const Tiff tiff(bytes);
  if (!tiff.good()) return exif;
  const size_t first = tiff.number(4, 4);
  if (const auto entry = tiff.find(first, kOrientation); entry && entry->count == 1) {
    const uint32_t value = entry->type == kShort  ? tiff.number(entry->value, 2)
                           : entry->type == kLong ? tiff.number(entry->value, 4)
                                                  : 1;
    if (value >= 1 && value <= 8) exif.orientation = static_cast<int>(value);
  }
  const auto pointer = tiff.find(first, kExifPointer);
  if (!pointer || pointer->type != kLong) return exif;
  const auto comment = tiff.find(tiff.number(pointer->value, 4), kUserComment);
  const uint16_t type = comment ? comment->type : 0;
  if (type == kUndefined || type == kByte || type == kText) {  // the first by the standard
    exif.comment = comment_of(tiff.bytes_of(*comment), tiff.big());
  }
  return exif;
}

std::vector<std::byte> write_exif(const std::string& comment) {
  constexpr uint32_t kFirst = 8;                         // behind the header
  constexpr uint32_t kSecond = kFirst + 2 + kEntry + 4;  // behind the one entry of the first
  constexpr uint32_t kPlace = kSecond + 2 + 2 * kEntry + 4;
  std::string text(kUnicode);
  for (size_t at = 0; at < comment.size();) {
    const Utf8Step step = utf8_at(comment, at);
    const char32_t value = step.kind == Utf8::whole ? step.value : 0xfffd;
    if (value < 0x10000) {
      put(text, value, 2);
    } else {
      put(text, 0xd800 + ((value - 0x10000) >> 10), 2);
      put(text, 0xdc00 + ((value - 0x10000) & 0x3ff), 2);
    }
    at += step.length;
  }
  std::string out("MM\0\x2a", 4);
  put(out, kFirst, 4);
  put(out, 1, 2);
  put_entry(out, kExifPointer, kLong, 1);
  put(out, kSecond, 4);
  put(out, 0, 4);  // no further table
  put(out, 2, 2);
  put_entry(out, kVersion, kUndefined, 4);
  out += "0232";
  put_entry(out, kUserComment, kUndefined, text.size());
  put(out, kPlace, 4);
  put(out, 0, 4);
  out += text;
  const auto bytes = std::as_bytes(std::span(out));
  return {bytes.begin(), bytes.end()};
}

}  // namespace janus
