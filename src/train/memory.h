// What a training takes in memory, told from its recipe alone before any of it is taken, and what
// to change where that is too much. The counts follow what libtorch keeps for backward, operation
// by operation; tests hold them against measured peaks. No libtorch here.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "train/recipe.h"

namespace janus::train {

// Bytes at the peak of a step; samples as long as batch.max_len lets them be.
struct TrainingMemory {
  int64_t program = 0;      // the process with libtorch in it
  int64_t weights = 0;      // all in f32: of those that learn, these are the master copies
  int64_t before = 0;       // of a preference the model it starts from
  int64_t casts = 0;        // copies of weights in bf16, where products are computed in it
  int64_t gradients = 0;    // of each thread's share of the rows, and their sum
  int64_t moments = 0;      // AdamW's two
  int64_t average = 0;      // of the weights (optim.ema)
  int64_t activations = 0;  // kept for backward, and one layer's gradients of them
  int64_t logits = 0;       // of one pass over codes or ids, with what their loss keeps
  int64_t rows = 0;         // made ahead of the step, with the codec at work on them

  int64_t total() const;
};

// `threads`: shards of a pass's rows, of which each of the `processes` has a part.
TrainingMemory training_memory(const Recipe& recipe, int threads, int processes = 1);

// "memory 1.20 GB: weights 800 MB, gradients …"
std::string memory_text(const TrainingMemory& memory);

// What a training may take: what is free (base/free_memory.h), of `sharers` on this machine a part
// each, or less where so `allowed`; 0: all that is free. The largest number where the system does
// not say.
int64_t memory_limit(int64_t allowed, int sharers = 1);

// Throws Code::out_of_memory where the training takes more than `limit`: what it takes, how much is
// missing, and the smallest change of its recipe that fits, tried by the same counts.
void check_memory(const Recipe& recipe, int threads, int64_t limit, int processes = 1);

}  // namespace janus::train
