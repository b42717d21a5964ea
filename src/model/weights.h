// Weights: every parameter of the model as the backend holds it, and reading it from a checkpoint.
// Which tensors make up a field is weight_names.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "kernels/backend.h"
#include "kernels/weight.h"
#include "model/config.h"
#include "model/parts.h"
#include "model/tensor_source.h"

namespace janus {

struct Norm {
  OwnedTensor weight;  // [D]
  OwnedTensor bias;    // [D], empty for RMSNorm
};

struct LlamaBlock {
  Norm attention_norm;
  Weight qkv;  // [(N + 2M)·H, D]: q_proj, k_proj, v_proj one after another
  Weight out;  // [D, N·H]
  Norm mlp_norm;
  Weight gate_up;  // [2F, D]: gate_proj, up_proj
  Weight down;     // [D, F]
};

struct VisionBlock {
  Norm norm1;
  Weight qkv;   // [3·D, D] + bias
  Weight proj;  // [D, D] + bias
  Norm norm2;
  Weight fc1;  // [F, D] + bias
  Weight fc2;  // [D, F] + bias
};

struct VqResidual {
  Norm norm1;
  Conv conv1;
  Norm norm2;
  Conv conv2;
  Conv shortcut;  // 1×1, empty (no outputs) where the channels stay
};

struct VqAttention {
  Norm norm;
  Weight qkv;   // [3c, c]: the 1×1 convolutions q, k, v
  Weight proj;  // [c, c]
};

struct VqLevel {
  std::vector<VqResidual> residuals;
  std::vector<VqAttention> attentions;  // one after each residual, or none
  Conv resample;                        // after the level: down or up; empty at the last
};

struct VqMiddle {
  VqResidual first;
  VqAttention attention;
  VqResidual second;
};

struct VqTower {
  Conv conv_in;
  std::vector<VqLevel> levels;  // in order of execution
  VqMiddle middle;              // encoder: after the levels; decoder: before
  Norm norm_out;
  Conv conv_out;
};

struct Weights {
  // language tower
  Table embed_text;  // [V, D]
  std::vector<LlamaBlock> blocks;
  Norm final_norm;
  Weight text_head;  // lm_head [V, D]
  // reading
  Conv patch_embed;
  OwnedTensor position_embed;  // [P, D_vision]
  std::vector<VisionBlock> vision_blocks;
  Norm vision_norm;
  std::vector<Weight> aligner;  // GELU between
  // drawing
  Table embed_code;                 // gen_embed [C, E]
  std::vector<Weight> gen_aligner;  // GELU between
  Weight gen_hidden;                // output_mlp_projector, then GELU
  Weight gen_logits;                // vision_head [C, …]
  // codec
  OwnedTensor codebook;    // [C, E], rows of unit length
  Conv quant, post_quant;  // 1×1
  VqTower encoder, decoder;

  int64_t bytes = 0;         // of everything held
  int64_t mapped_bytes = 0;  // of these, what is pages of the file
  // Of every value as read, equal for all layouts of one model: of the parts that draw where they
  // are loaded, else of all that is loaded.
  uint64_t fingerprint = 0;
};

// Tensors that the fingerprint is taken of. Whatever else is loaded, a model that draws is told by
// what its pictures depend on, so that their recipes agree.
std::set<std::string> named_tensors(const Config& config, Layout layout, const Parts& parts);

// Reads every field of `parts` from `source`, whose names may be those of any layout, and packs it
// for `backend`: matrices, convolutions and tables in `matrices` (f32 or bf16), the rest in f32.
// With a type of blocks it is held_as() and plain_type() of storage.h that say which has which
// type. Fields of other parts stay empty. Throws Code::bad_checkpoint naming every tensor that is
// missing, unknown or of another shape (before any memory is taken), or the first value that is not
// finite. What lies in the file as it is wanted (TensorSource::mapped) stays there, unread: its
// values were looked at when they were packed.
Weights load_weights(const Config& config, const TensorSource& source, const Backend& backend,
                     Dtype matrices, const std::function<void(double fraction)>& on_progress = {},
                     const Parts& parts = {});

}  // namespace janus
