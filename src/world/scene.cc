// Streams and records. The record's text is written by hand: its bytes are what the stored hashes
// name, and std::to_chars prints them alike under every locale.
// SPDX-License-Identifier: MIT
#include "world/scene.h"

#include <array>
#include <charconv>

#include "base/sha256.h"

namespace janus {
namespace {

void append_number(std::string& text, double value) {
  std::array<char, 64> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                 std::chars_format::fixed, 4);
  text.append(digits.data(), end.ptr);
}

std::string quoted(std::string_view word) { return '"' + std::string(word) + '"'; }

}  // namespace

std::string_view split_name(Split split) {
  switch (split) {
    case Split::train:
      return "train";
    case Split::val:
      return "val";
    case Split::test:
      break;
  }
  return "test";
}

Philox world_stream(Split split, std::string_view task, uint64_t index) {
  std::string name = "toyland/" + std::to_string(kWorldVersion) + '/';
  name.append(split_name(split)).append("/").append(task);
  const std::array<uint8_t, 32> digest = sha256(name);
  uint64_t key = 0;
  for (size_t i = 0; i < 8; ++i) key = (key << 8) | digest[i];
  return Philox(key, index);
}

std::string scene_record(const Scene& scene, Split split, std::string_view task, uint64_t index) {
  std::string text = "{\"v\":" + std::to_string(kWorldVersion);
  text += ",\"split\":" + quoted(split_name(split)) + ",\"task\":" + quoted(task);
  text += ",\"index\":" + std::to_string(index);
  text += ",\"bg\":{\"palette\":" + quoted(kPalettes[static_cast<size_t>(scene.palette)].name);
  text += ",\"kind\":" + quoted(kBackdrops[static_cast<size_t>(scene.backdrop)]);
  if (scene.glow_x != kGlowX || scene.glow_y != kGlowY) {
    text += ",\"at\":[", append_number(text, scene.glow_x);
    text += ',', append_number(text, scene.glow_y);
    text += ']';
  }
  text += "},\"objects\":[";
  for (size_t i = 0; i < scene.objects.size(); ++i) {
    const Object& object = scene.objects[i];
    if (i > 0) text += ',';
    text += "{\"class\":" + quoted(shape_name(object.shape).one);
    text += ",\"color\":" + quoted(colour_name(object.colour));
    text += ",\"cx\":", append_number(text, object.cx);
    text += ",\"cy\":", append_number(text, object.cy);
    text += ",\"r\":", append_number(text, object.r);
    text += ",\"rot\":", append_number(text, object.rot);
    text += '}';
  }
  return text + "]}";
}

}  // namespace janus
