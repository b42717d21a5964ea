// Which inputs the decoder gets for a batch of rows and which of its outputs are held to what: the
// alignment of codes and replies, apart from any arithmetic. No libtorch here.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "generate/prompt.h"
#include "model/config.h"
#include "train/data.h"

namespace janus::train {

// Samples in sequences of one length, padded at the right: the decoder is causal, so padding needs
// no mask. A sequence holds one sample, or where packed several, which do not see each other.
struct Inputs {
  int64_t rows = 0, length = 0;
  std::vector<int64_t> slots;   // [rows * length] below V a text id, else V + index of a vector
  std::vector<int64_t> at;      // [M] flat positions whose output is supervised
  std::vector<int64_t> labels;  // [M] text ids they should give; empty when drawing
  // [rows * length] where in its sequence the sample of each position begins: its position 0, and
  // the first it sees. Empty where every sample has a sequence of its own.
  std::vector<int64_t> starts;
};

// Vectors are the embedded codes, row after row; then of the rows that change a picture the
// embedded codes of that, row after row, and then its patches likewise. Begin-of-image predicts
// code 0 and the input of code k predicts code k + 1; the last code is no input. `at` goes over the
// codes row after row. `pack`: the longest sequence of several samples, 0 for one each. A sample
// goes into the first sequence that has room for it, so what lies where depends on the rows alone.
Inputs draw_inputs(std::span<const DrawRow> rows, const Config& config, const SpecialIds& ids,
                   int64_t pack = 0);

// Vectors are the patches, row after row, in place of image ids. The token before the reply
// predicts its first one, and so on up to the end token.
Inputs ask_inputs(std::span<const AskRow> rows, const Config& config, const SpecialIds& ids,
                  int64_t pack = 0);

}  // namespace janus::train
