// See event_file.h. SPDX-License-Identifier: MIT
#include "train/event_file.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <climits>
#include <cmath>

#include "base/error.h"
#include "io/file.h"

namespace janus::train {
namespace {

std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t rest = i;
    for (int bit = 0; bit < 8; ++bit) rest = rest >> 1 ^ (rest & 1 ? 0x82f63b78u : 0u);
    table[i] = rest;
  }
  return table;
}

// As little-endian bytes.
template <class T>
std::string fixed(T value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(T); ++i) bytes += static_cast<char>(value >> 8 * i & 0xff);
  return bytes;
}

// A checksum of data that holds checksums itself is turned and shifted.
std::string masked(std::string_view bytes) {
  return fixed(std::rotr(crc32c(bytes), 15) + 0xa282ead8u);
}

// --- protocol buffers: a key (number of the field, kind of its value), then the value
// -------------

enum Kind { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

std::string key(int field, Kind kind) { return varint(static_cast<uint64_t>(field) << 3 | kind); }

std::string whole(int field, int64_t value) {
  return key(field, kVarint) + varint(static_cast<uint64_t>(value));
}

std::string text(int field, std::string_view value) {
  return key(field, kBytes) + varint(value.size()) + std::string(value);
}

// event.proto, Event: wall_time, step. A number of zero is left out.
std::string event(int64_t step, double time) {
  return key(1, kFixed64) + fixed(std::bit_cast<uint64_t>(time)) +
         (step == 0 ? "" : whole(2, step));
}

std::string summary(const std::string& tag, const std::string& value) {
  return text(5, text(1, text(1, tag) + value));
}

std::string host() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return gethostname(name.data(), name.size() - 1) == 0 && name[0] != 0 ? name.data() : "localhost";
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static const std::array<uint32_t, 256> table = crc_table();
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = table[(crc ^ static_cast<uint8_t>(c)) & 0xff] ^ crc >> 8;
  return ~crc;
}

// TensorBoard reads the files of a folder in the order of their names; two starts in one second
// must not share one.
EventFile::EventFile(const std::filesystem::path& dir, int64_t step, double time) {
  auto second = static_cast<int64_t>(std::floor(time));
  do {
    path_ = dir / ("events.out.tfevents." + std::to_string(second++) + "." + host());
  } while (std::filesystem::exists(path_));
  out_.open(path_, std::ios::binary);
  write(event(0, time) + text(3, "brain.Event:2"));
  if (step > 0) write(event(step + 1, time) + text(7, whole(1, 1)));  // SessionLog: START
}

void EventFile::scalar(const std::string& tag, double value, int64_t step, double time) {
  const auto bits = std::bit_cast<uint32_t>(static_cast<float>(value));
  write(event(step, time) + summary(tag, key(2, kFixed32) + fixed(bits)));
}

void EventFile::picture(const std::string& tag, std::string_view png, int width, int height,
                        int64_t step, double time) {
  constexpr int kRgb = 3;
  write(event(step, time) +
        summary(tag, text(4, whole(1, height) + whole(2, width) + whole(3, kRgb) + text(4, png))));
}

void EventFile::write(const std::string& event) {
  const std::string length = fixed(static_cast<uint64_t>(event.size()));
  out_ << length << masked(length) << event << masked(event) << std::flush;
  check(out_.good(), Code::device_failure, path_.string(),
        ": cannot be written: ", system_reason());
}

}  // namespace janus::train
