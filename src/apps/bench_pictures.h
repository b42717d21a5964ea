// `bench --work pictures`: a step of several pictures that are drawn together.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "generate/state.h"

namespace janus {

// Writes all that sequences may take. What is there does not change the time of a step, but
// whether there is any: memory that was never written reads as one page of zeros, from a cache.
void give_memory(KvCache& cache);

// Pictures of one prompt, guided: their rows share its keys and values, as the rows without a
// prompt share theirs.
class PicturesStep {
 public:
  // Each row has `context` tokens before it, the first `words` of them the prompt. What is there
  // does not change the time.
  PicturesStep(const Model& model, Dtype cache, int64_t pictures, int64_t words, int64_t context);
  // One more code of each, until the logits of the next.
  void run();

 private:
  const Model& model_;
  int64_t context_;
  State state_;
  std::vector<int32_t> sequences_, codes_;
  OwnedTensor x_, logits_;
};

}  // namespace janus
