// See bench_pictures.h. SPDX-License-Identifier: MIT
#include "apps/bench_pictures.h"

namespace janus {

void give_memory(KvCache& cache) {
  while (cache.make_ready(cache.free_blocks())) {
  }
}

PicturesStep::PicturesStep(const Model& model, Dtype cache, int64_t pictures, int64_t words,
                           int64_t context)
    : model_(model),
      context_(context),
      state_(model, cache, static_cast<int>(2 * pictures), context + 1,
             2 * pictures * KvCache::blocks_for(context + 1)),
      codes_(static_cast<size_t>(2 * pictures), 0),
      x_(Dtype::f32, {2 * pictures, model.config().llama.width}),
      logits_(Dtype::f32, {2 * pictures, model.config().vq.codes}) {
  KvCache& kept = state_.cache();
  give_memory(kept);
  for (int half = 0; half < 2; ++half) {
    const int32_t first = kept.add();
    kept.extend(first, words);
    sequences_.push_back(first);
    for (int64_t i = 1; i < pictures; ++i) sequences_.push_back(kept.fork(first));
  }
  for (const int32_t sequence : sequences_) kept.extend(sequence, context - words);
}

void PicturesStep::run() {
  model_.embed_codes(codes_, state_.space(), x_.view);
  state_.step(sequences_, x_.view);
  model_.image_logits(x_.view, state_.space(), logits_.view);
  for (const int32_t sequence : sequences_) state_.cache().truncate(sequence, context_);
}

}  // namespace janus
