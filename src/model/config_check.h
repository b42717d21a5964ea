// What every dialect of a model's sizes (config.json of either layout, metadata of a .gguf) shares:
// limits, and what must fit what. SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "model/config.h"
#include "model/config_json.h"

namespace janus {

// Far above any published size and far below overflow of products in int64_t.
inline constexpr int kMaxWidth = 1 << 16;
inline constexpr int kMaxLayers = 1 << 10;
inline constexpr int kMaxHeads = 1 << 10;
inline constexpr int kMaxMlpWidth = 1 << 20;
inline constexpr int kMaxIds = 1 << 22;
inline constexpr int kMaxContext = 1 << 20;
inline constexpr int64_t kMaxRopeValues = int64_t{1}
                                          << 25;  // context · head width: a table of 128 MiB
inline constexpr int kMaxImage = 1 << 12;
inline constexpr int kMaxGrid = 1 << 8;  // patches or codes a side; attention is over their square
inline constexpr int kMaxChannels = 1 << 16;
inline constexpr int kMaxLevels = 8;
inline constexpr int kMaxBlocks = 16;
inline constexpr int kMaxDepth = 16;

// Ends with Code::not_supported: `key` of the section has a value that would change the numbers.
[[noreturn]] void refuse(const Section& section, const std::string& key, const std::string& value,
                         const std::string& supported);

void require_text(const Section& section, const std::string& key, const std::string& wanted);
void require_flag(const Section& section, const std::string& key, bool wanted);
// A size that another part of the file (or a default) already fixes.
void require_size(const Section& section, const std::string& key, int fallback, int wanted,
                  const std::string& because);

// How a dialect calls what does not fit; for messages.
struct LlamaKeys {
  const char* width = "hidden_size";
  const char* heads = "num_attention_heads";
  const char* kv_heads = "num_key_value_heads";
  const char* context = "max_position_embeddings";
};
void check_llama(const LlamaConfig& c, const Section& section, const LlamaKeys& keys);

void check_vision(const VisionConfig& c, const Section& section);

struct VqKeys {
  const char* encoder = "encoder_ch_mult";
  const char* decoder = "decoder_ch_mult";
  const char* groups = "num_groups";
};
void check_vq(const VqConfig& c, const Section& section, const VqKeys& keys);

// Drawn pictures have as many codes a side as read ones have patches.
// (transformers, JanusConfig.__post_init__; the official script's constants agree)
void set_picture_size(Config& c, const std::string& file);

}  // namespace janus
