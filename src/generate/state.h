// State: keys and values, scratch memory, and where each new token stands, for who runs the
// language tower by hand: traces and benchmarks. Requests run in running.h.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/kv_cache.h"
#include "model/model.h"
#include "model/workspace.h"

namespace janus {

class State {
 public:
  // Rows of a prompt in one pass: enough to keep matrix products busy, little enough that the
  // widest scratch row of the 7B model (2 · 11008 values) stays under 50 MB.
  static constexpr int64_t kPrefillRows = 512;

  // Room for `sequences` sequences of at most `positions` tokens, in `blocks` blocks altogether;
  // `scratch` bytes of the workspace are taken at once, more when they are needed.
  State(const Model& model, Dtype cache, int sequences, int64_t positions, int64_t blocks,
        int64_t scratch = 0);

  KvCache& cache() { return cache_; }
  Workspace& space() { return space_; }

  // Runs x [T, D] as the next T tokens of one sequence: embeddings in, hidden states out. Long
  // prompts go in pieces, so that scratch memory does not grow with them; `between` is called
  // before each piece. With a trace there is one piece only.
  void prefill(int32_t sequence, Tensor x, const std::function<void()>& between = {},
               Trace* trace = nullptr);

  // One more token of each sequence.  x [S, D]: embeddings in, hidden states out.
  void step(std::span<const int32_t> sequences, Tensor x);

 private:
  void forward(Tensor x, Trace* trace);

  const Model& model_;
  KvCache cache_;
  Workspace space_;
  std::vector<int32_t> sequence_;  // [R] of the rows of one pass
  std::vector<int32_t> position_;  // [R]
};

}  // namespace janus
