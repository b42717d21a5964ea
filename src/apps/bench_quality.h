// `bench --work quality`: what a type of weights and one of keys and values cost, against f32 for
// both. Pictures are drawn in f32 with the guidance that the model recommends; their codes are fed
// back to each other pair, whose laws over the next code under guidance 5 are compared with those
// of f32; then each pair draws the pictures itself. Single objects of the drawn world are asked
// for, so that its detector can say which pictures are right.
// I codes of a picture · C codes in the book. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/command.h"
#include "generate/draw.h"
#include "kernels/backend.h"

namespace janus {

inline constexpr const char* kQuality = "quality";

// How far laws [N, C] are from those they stand for, both given as logits.
struct LawsApart {
  int64_t laws = 0;   // N
  double sum = 0;     // of their divergences KL(law ‖ other), in nats
  double most = 0;    // the largest of them
  int64_t flips = 0;  // laws whose likeliest code is another one

  void add(std::span<const float> logits, std::span<const float> others, int64_t book);
};

// What a pair costs, over all pictures.
struct QualityRow {
  Dtype weights = Dtype::f32, cache = Dtype::f32;
  LawsApart laws;
  double squares = 0;  // mean square of what values of pixels, 0 to 255, differ by
  int64_t same = 0;    // pictures equal to the pixel
  // … that the detector calls right; none where the model does not know its world: a side that the
  // detector cannot look at, or no picture right in f32.
  std::optional<int64_t> right;
};

struct QualityFlags {
  int pictures = 16;
  uint64_t seed = 0;  // of the first picture

  void add_to(CLI::App& app);
};

// Every pair, f32 beside f32 first, but for those that `model` does not name; a line each on
// stdout. Throws Code::out_of_memory, with the numbers, before weights are read.
void bench_quality(const ModelFlags& model, const std::shared_ptr<const Backend>& backend,
                   const QualityFlags& flags, bool json, const Interrupt& interrupt);

}  // namespace janus
