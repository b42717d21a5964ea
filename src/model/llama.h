// The language tower: LLaMA's decoder blocks over rows of any sequences at any positions. What goes
// in (embeddings) and what is made of the result (text or image logits) is bridge.
// References: transformers, models/llama/modeling_llama.py.
// SPDX-License-Identifier: MIT
#pragma once

#include "kernels/backend.h"
#include "model/config.h"
#include "model/kv_cache.h"
#include "model/trace.h"
#include "model/weights.h"
#include "model/workspace.h"

namespace janus {

// cos and sin of every position of the context. `round_to_bf16`: the frequencies as the official
// scripts have them after casting the whole module to bf16.
RopeTable make_rope_table(const LlamaConfig& config, bool round_to_bf16);

// A view of the parts; cheap to make.
struct Llama {
  const Backend& be;
  const LlamaConfig& cfg;
  const Weights& weights;
  const RopeTable& rope;

  // x [R, D]: embeddings in, hidden states after the final norm out. New keys and values are stored
  // at each row's place in `cache`; rows of one sequence stand in rising order of position.
  void forward(Tensor x, const Rows& rows, const KvCache& cache, Workspace& space,
               Trace* trace) const;
  // What that takes of `space`.
  static int64_t scratch_bytes(const LlamaConfig& config, int64_t rows);

 private:
  struct Scratch;
  void block(const LlamaBlock& w, const KvLayer& cache, const Rows& rows, const Scratch& s,
             Tensor x) const;
};

}  // namespace janus
