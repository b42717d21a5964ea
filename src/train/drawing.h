// What the network takes of rows besides their words: codes, and pixels and vectors of pictures
// that stand in prompts. N codes of a picture · P vectors of one that is read · D width.
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <vector>

#include "train/code_cache.h"
#include "train/data.h"
#include "train/net.h"

namespace janus::train {

// The codes that the rows are to give: those of a row, or else of its picture, which go to `kept`
// where the row says under what.   -> [rows, N]
torch::Tensor codes_of(Janus& net, std::span<const DrawRow> rows, CodeCache* kept = nullptr);

// Those of the pictures that rows change, E of them, likewise; undefined where no row does.
//   -> [E, N]
torch::Tensor source_codes(Janus& net, std::span<const DrawRow> rows, CodeCache* kept = nullptr);

// Those of the pictures that a preference rejects, likewise.   -> [rows, N]
torch::Tensor rejected_codes(Janus& net, std::span<const DrawRow> rows, CodeCache* kept = nullptr);

// Of the rows that have pictures to be read, all of them.   -> [pictures, 3, side, side]
torch::Tensor stack_pixels(std::span<const AskRow> rows, int side);

// The vectors that draw_inputs() numbers.   codes [rows, N], sources [E, N]
//   -> [rows * N + E * (N + P), D]
torch::Tensor draw_vectors(Janus& net, const torch::Tensor& codes, const torch::Tensor& sources,
                           std::span<const DrawRow> rows);

// How much each code counts where one that differs from the source's counts `changed` and any other
// 1, brought to a mean of 1 a row.   -> [rows, N]
torch::Tensor changed_weights(const torch::Tensor& codes, const torch::Tensor& sources,
                              std::span<const DrawRow> rows, double changed);

}  // namespace janus::train
