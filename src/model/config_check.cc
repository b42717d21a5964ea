// SPDX-License-Identifier: MIT
#include "model/config_check.h"

#include "base/error.h"

namespace janus {

void refuse(const Section& section, const std::string& key, const std::string& value,
            const std::string& supported) {
  fail(Code::not_supported, section.file(), ": ", section.name(key), " is ", value, "; only ",
       supported, " is supported");
}

void require_text(const Section& section, const std::string& key, const std::string& wanted) {
  const std::string value = section.text(key, wanted);
  if (value != wanted) refuse(section, key, "\"" + value + "\"", "\"" + wanted + "\"");
}

void require_flag(const Section& section, const std::string& key, bool wanted) {
  if (section.flag(key, wanted) != wanted) {
    refuse(section, key, wanted ? "false" : "true", wanted ? "true" : "false");
  }
}

void require_size(const Section& section, const std::string& key, int fallback, int wanted,
                  const std::string& because) {
  const int value = section.whole(key, fallback, 1, kMaxIds);
  check(value == wanted, Code::bad_checkpoint, section.file(), ": ", section.name(key), " is ",
        value, ", but ", because, " is ", wanted, "; they must be equal");
}

void check_llama(const LlamaConfig& c, const Section& section, const LlamaKeys& keys) {
  check(c.heads % c.kv_heads == 0, Code::bad_checkpoint, section.file(), ": ",
        section.name(keys.heads), " ", c.heads, " is not a multiple of ",
        section.name(keys.kv_heads), " ", c.kv_heads);
  check(c.head_width % 2 == 0, Code::bad_checkpoint, section.file(), ": the head width ",
        c.head_width, " of ", section.name(keys.width), " is odd; rotary positions need pairs");
  check(int64_t{c.context} * c.head_width <= kMaxRopeValues, Code::not_supported, section.file(),
        ": ", section.name(keys.context), " ", c.context, " with heads of ", c.head_width,
        " needs too large a table of rotations");
}

void check_vision(const VisionConfig& c, const Section& section) {
  check(c.patch <= c.image, Code::bad_checkpoint, section.file(), ": ", section.name("patch_size"),
        " ", c.patch, " is larger than the image of ", c.image);
  check(c.grid() <= kMaxGrid, Code::bad_checkpoint, section.file(), ": ", section.path(), " has ",
        c.grid(), " patches a side, above ", kMaxGrid);
  check(c.width % c.heads == 0, Code::bad_checkpoint, section.file(), ": the vision width ",
        c.width, " of ", section.path(), " is not a multiple of its ", c.heads, " heads");
}

void check_vq(const VqConfig& c, const Section& section, const VqKeys& keys) {
  check(c.multipliers.size() == c.decoder_multipliers.size(), Code::not_supported, section.file(),
        ": ", keys.encoder, " and ", keys.decoder, " of ", section.path(),
        " differ in length; the codec needs as many levels up as down");
  std::vector<int> multipliers = c.multipliers;
  multipliers.insert(multipliers.end(), c.decoder_multipliers.begin(), c.decoder_multipliers.end());
  multipliers.push_back(1);
  for (const int multiplier : multipliers) {
    const int64_t channels = int64_t{c.base} * multiplier;
    check(channels <= kMaxChannels, Code::bad_checkpoint, section.file(), ": ", c.base,
          " base channels times ", multiplier, " in ", section.path(), " is above ", kMaxChannels);
    check(channels % c.groups == 0, Code::bad_checkpoint, section.file(), ": ", channels,
          " channels (", c.base, " times ", multiplier, ") do not divide into ", c.groups,
          " normalisation groups; ", keys.groups, " of ", section.path(), " names another count");
  }
}

void set_picture_size(Config& c, const std::string& file) {
  c.image = c.vision.grid() * c.vq.downsample();
  check(c.image <= kMaxImage, Code::bad_checkpoint, file, ": ", c.vision.grid(),
        " codes a side times ", c.vq.downsample(), " pixels a code is above ", kMaxImage);
}

}  // namespace janus
