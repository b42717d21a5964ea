// Drawing and answering with the network in training, to score it: plain sampling with keys and
// values kept. Requests of equal prompt length run together. The engine's own is generate/.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "io/image.h"
#include "train/net.h"

namespace janus::train {

struct DrawRequest {
  std::vector<int32_t> prompt, unguided;  // equal lengths
  uint64_t seed = 0;
};

// Codes of the pictures drawn at temperature 1.   -> [requests][N]
std::vector<std::vector<int64_t>> draw_codes(Janus& net, const std::vector<DrawRequest>& requests,
                                             double guidance);

// Pixels [3, S, S] of the pictures.
torch::Tensor decode_codes(Janus& net, const std::vector<std::vector<int64_t>>& codes);

struct AskRequest {
  std::vector<int32_t> prompt;  // image ids in place
  std::vector<float> pixels;    // [3, S, S]; empty without a picture
};

// Greedy replies, without the end token.   `image`, `eos`: ids
std::vector<std::vector<int32_t>> answers(Janus& net, const std::vector<AskRequest>& requests,
                                          int32_t image, int32_t eos, int64_t longest);

}  // namespace janus::train
