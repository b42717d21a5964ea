// Rows of a pass are numbered here and nowhere else. SPDX-License-Identifier: MIT
#include "generate/state.h"

#include <algorithm>

namespace janus {

State::State(const Model& model, Dtype cache, int sequences, int64_t positions, int64_t blocks,
             int64_t scratch)
    : model_(model),
      cache_(model.backend(), model.config().llama, cache, sequences, positions, blocks),
      space_(scratch) {
  const auto rows = static_cast<size_t>(std::max<int64_t>(sequences, kPrefillRows));
  sequence_.reserve(rows);
  position_.reserve(rows);
}

void State::forward(Tensor x, Trace* trace) {
  const Rows rows{sequence_, position_, cache_.blocks(), cache_.blocks_per_sequence()};
  model_.forward(x, rows, cache_, space_, trace);
}

void State::prefill(int32_t sequence, Tensor x, const std::function<void()>& between,
                    Trace* trace) {
  const int64_t piece = trace ? x.rows() : kPrefillRows;
  for (int64_t begin = 0; begin < x.rows(); begin += piece) {
    if (between) between();
    const int64_t count = std::min(piece, x.rows() - begin);
    const int64_t first = cache_.extend(sequence, count);
    sequence_.assign(static_cast<size_t>(count), sequence);
    position_.clear();
    for (int64_t i = 0; i < count; ++i) position_.push_back(static_cast<int32_t>(first + i));
    forward(x.slice(begin, count), trace);
  }
}

void State::step(std::span<const int32_t> sequences, Tensor x) {
  sequence_.assign(sequences.begin(), sequences.end());
  position_.clear();
  for (const int32_t sequence : sequences) {
    position_.push_back(static_cast<int32_t>(cache_.extend(sequence, 1)));
  }
  forward(x, nullptr);
}

}  // namespace janus
