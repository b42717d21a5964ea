// Sizes of one model, read from config.json of either layout, with exactly the reference's defaults
// for what is absent, and checked against each other.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "io/preprocess.h"

namespace janus {

// How a checkpoint's tensors are named: as deepseek-ai/Janus does (model_type multi_modality), as
// transformers (model_type janus), as a .gguf made here, as llama.cpp's language and vision files.
enum class Layout { official, transformers, gguf, llama_cpp };
inline constexpr int kLayouts = 4;
std::string_view layout_name(Layout layout);

// LLaMA decoder. (transformers, models/llama, LlamaConfig)
struct LlamaConfig {
  int width = 4096;        // D
  int layers = 32;         // L
  int heads = 32;          // N
  int kv_heads = 32;       // M
  int head_width = 128;    // H
  int mlp_width = 11008;   // F
  int vocabulary = 32000;  // V
  int context = 2048;      // max_position_embeddings
  float rms_eps = 1e-6f;
  double rope_theta = 10000;
};

// SigLIP vision tower. (janus/models/siglip_vit.py)
struct VisionConfig {
  int image = 384;
  int patch = 16;
  int width = 1024;
  int layers = 24;
  int heads = 16;
  int mlp_width = 4096;
  float eps = 1e-6f;
  int grid() const { return image / patch; }
  int tokens() const { return grid() * grid(); }
};

// VQ image codec. (janus/models/vq_model.py)
struct VqConfig {
  int codes = 16384;                                       // C
  int code_width = 8;                                      // E
  int latent = 256;                                        // z_channels
  int base = 128;                                          // channels of the first level
  std::vector<int> multipliers = {1, 1, 2, 2, 4};          // encoder, highest resolution first
  std::vector<int> decoder_multipliers = {1, 1, 2, 2, 4};  // same order; the decoder reverses it
  int blocks = 2;   // residual blocks a level in the encoder; the decoder has one more
  int groups = 32;  // of every GroupNorm
  float eps = 1e-6f;
  int downsample() const { return 1 << (static_cast<int>(multipliers.size()) - 1); }
};

struct Config {
  Layout layout = Layout::transformers;
  LlamaConfig llama;
  VisionConfig vision;
  VqConfig vq;
  int aligner_depth = 2;                                // linear layers of the reading adaptor
  int gen_aligner_depth = 2;                            // … of the drawing adaptor
  int gen_head_width = 0;                               // hidden width of the image head
  int image = 384;                                      // side of drawn pictures
  Preprocessing preprocessing;                          // of pictures that are read
  int grid() const { return image / vq.downsample(); }  // G
  int image_tokens() const { return grid() * grid(); }  // codes of one picture
};

// Reads <dir>/config.json, and preprocessor_config.json where there is one. Throws
// Code::bad_checkpoint naming key, value and cure for what is missing, of the wrong type, out of
// range or contradictory; Code::not_supported for another model family (named).
Config load_config(const std::filesystem::path& dir);
Config parse_config(std::string_view json, const std::string& name);

}  // namespace janus
