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

// Rows padded at the right to one length: the decoder is causal, so padding needs no mask.
struct Inputs {
  int64_t rows = 0, length = 0;
  std::vector<int64_t> slots;   // [rows * length] below V a text id, else V + index of a vector
  std::vector<int64_t> at;      // [M] flat positions whose output is supervised
  std::vector<int64_t> labels;  // [M] text ids they should give; empty when drawing
};

// Vectors are the embedded codes, row after row. Begin-of-image predicts code 0 and the input of
// code k predicts code k + 1; the last code is no input. `at` goes over the codes row after row.
Inputs draw_inputs(std::span<const DrawRow> rows, const Config& config, const SpecialIds& ids);

// Vectors are the patches, row after row, in place of image ids. The token before the reply
// predicts its first one, and so on up to the end token.
Inputs ask_inputs(std::span<const AskRow> rows, const Config& config, const SpecialIds& ids);

}  // namespace janus::train
