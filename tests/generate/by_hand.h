// The language tower by hand, for rows of an edit's prompt: no sharing, no batch, no keeping.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "generate/ask.h"
#include "generate/pixels.h"
#include "generate/prompt.h"
#include "generate/state.h"
#include "model/model.h"

namespace janus {

// One row of a prompt at a time.
class ByHand {
 public:
  // `source`: S × S, what the prompts show; `vector_id`: what stands there for each of its vectors.
  ByHand(const Model& model, int32_t vector_id, const Image& source)
      : model_(model), vector_id_(vector_id) {
    const Config& config = model.config();
    Workspace space;
    vectors_ = read_picture(model, source, space);
    OwnedTensor pixels(Dtype::f32, {1, config.image, config.image, 3});
    to_pixels(source, pixels.view.as({config.image, config.image, 3}));
    codes_.resize(static_cast<size_t>(config.image_tokens()));
    model.encode_image(pixels.view, space, codes_);
  }

  // Logits [I, C] of a row of a prompt with `codes` fed back.
  std::vector<std::vector<float>> logits(const std::vector<int32_t>& ids,
                                         const std::vector<int32_t>& codes) const {
    const Config& config = model_.config();
    const int64_t width = config.llama.width;
    const auto rows = std::ssize(ids);
    State state(model_, Dtype::f32, 1, config.llama.context,
                KvCache::blocks_for(config.llama.context));
    const int32_t sequence = state.cache().add();
    OwnedTensor x(Dtype::f32, {rows, width});
    int64_t vector = 0;
    size_t code = 0;
    for (int64_t t = 0; t < rows; ++t) {
      const int32_t id = ids[static_cast<size_t>(t)];
      if (id == vector_id_) {
        std::copy_n(vectors_.view.row(vector++), width, x.view.row(t));
      } else if (id == kSourceCode) {
        model_.embed_codes(std::span(&codes_[code++], 1), state.space(), x.view.slice(t, 1));
      } else {
        model_.embed_text(std::span(&id, 1), x.view.slice(t, 1));
      }
    }
    state.prefill(sequence, x.view);
    std::vector<std::vector<float>> result;
    OwnedTensor out(Dtype::f32, {1, config.vq.codes});
    Tensor hidden = x.view.slice(rows - 1, 1);
    OwnedTensor next(Dtype::f32, {1, width});
    for (const int32_t chosen : codes) {
      model_.image_logits(hidden, state.space(), out.view);
      result.emplace_back(out.view.row(0), out.view.row(0) + config.vq.codes);
      model_.embed_codes(std::span(&chosen, 1), state.space(), next.view);
      state.step(std::span(&sequence, 1), next.view);
      hidden = next.view;
    }
    return result;
  }

 private:
  const Model& model_;
  int32_t vector_id_;
  OwnedTensor vectors_;
  std::vector<int32_t> codes_;
};

}  // namespace janus
