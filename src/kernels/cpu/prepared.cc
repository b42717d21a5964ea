// Products whose rows of x are made ready once for all parts: in blocks of 32 beside weights in
// blocks, in three pieces of bf16 beside bf16 weights under tile registers.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <vector>

#include "base/quant.h"
#include "kernels/cpu/backend.h"
#include "kernels/cpu/blocks.h"

namespace janus {
namespace {

using cpu::kPanel;
using cpu::kQuant;
using cpu::kTileHeight;
using cpu::QuantBlock;

static_assert(kQuant == traits(Dtype::q8_0).block && kQuant == traits(Dtype::q4_0).block);

// Rows of one part: what they take of a chunk of terms (150 kB) stays in the second-level cache.
constexpr int64_t kManyRows = 96;
constexpr int64_t kMostPanels = 32;
constexpr int64_t kPartsPerThread = 6;  // so that a slow neighbour delays one part of many

struct Cut {
  int64_t rows;    // of one part, a multiple of `beside` or all
  int64_t panels;  // of one part
};

// The cut depends on the threads; the bits of the result do not depend on the cut.
Cut cut_product(int64_t rows, int64_t beside, int64_t panels, int threads) {
  Cut cut{rows, kMostPanels};
  int64_t row_parts = 1;
  if (rows > beside) {
    row_parts = split(rows, kManyRows);
    cut.rows = split(split(rows, row_parts), beside) * beside;
    row_parts = split(rows, cut.rows);
  }
  const int64_t wanted = split(threads * kPartsPerThread, row_parts);
  constexpr int64_t kFewest = 4;
  cut.panels = std::clamp(split(panels, wanted), kFewest, kMostPanels);
  return cut;
}

}  // namespace

int64_t CpuBackend::do_prepared_rows_bytes(Dtype dtype, int64_t rows, int64_t inputs) const {
  if (multiplied_as_stored(dtype)) return cpu::block_row_bytes(rows, inputs);
  return tiles_ && dtype == Dtype::bf16 ? cpu::piece_bytes(rows, inputs) : 0;
}

template <class Prepare, class Scratch, class Multiply>
void CpuBackend::multiply_prepared(Tensor x, const Weight& w, int64_t beside,
                                   const Prepare& prepare, const Scratch& scratch_floats,
                                   const Multiply& multiply) const {
  const int64_t rows = x.rows(), panels = split(w.outputs, kPanel);
  each_row(rows, w.inputs, [&](int64_t r) {
    const int64_t tile = r / beside * beside;
    prepare(r, tile, std::min(beside, rows - tile));
  });
  const Cut cut = cut_product(rows, beside, panels, threads());
  const int64_t row_parts = split(rows, cut.rows);
  const cpu::MatmulPart largest{0, std::min(rows, cut.rows), 0, std::min(panels, cut.panels)};
  // Neighbouring parts share panels: what one thread has brought near, the other finds there.
  workers_->run(row_parts * split(panels, cut.panels), 1, scratch_floats(largest),
                [&](int64_t begin, int64_t end, float* scratch) {
                  for (int64_t i = begin; i < end; ++i) {
                    const int64_t row = i % row_parts * cut.rows;
                    const int64_t panel = i / row_parts * cut.panels;
                    multiply(cpu::MatmulPart{row, std::min(rows, row + cut.rows), panel,
                                             std::min(panels, panel + cut.panels)},
                             scratch);
                  }
                });
}

void CpuBackend::linear_blocks(Tensor x, const Weight& w, const cpu::MatmulArgs& product) const {
  const std::lock_guard lock(prepared_rows_->in_use);
  auto* const quantised = reinterpret_cast<QuantBlock*>(
      prepared_rows_->at_least(cpu::block_row_bytes(x.rows(), w.inputs)));
  const cpu::BlockArgs args{product, blocks_of(w.dtype), x.rows(), quantised};
  const int64_t count = w.inputs / kQuant;
  const auto multiply =
      x.rows() > cpu::kFewBlockRows ? blocks_.multiply_many : blocks_.multiply_few;
  multiply_prepared(
      x, w, blocks_.rows_beside,
      [&](int64_t r, int64_t tile, int64_t rows) {
        blocks_.quantise(x.row(r), w.inputs, args.blocks, quantised + tile * count + (r - tile),
                         rows);
      },
      [&](const cpu::MatmulPart& part) { return blocks_.block_scratch(args, part); },
      [&](const cpu::MatmulPart& part, float* scratch) { multiply(args, part, scratch); });
}

void CpuBackend::linear_tiles(Tensor x, const Weight& w, const cpu::MatmulArgs& product) const {
  const std::lock_guard lock(prepared_rows_->in_use);
  auto* const pieces =
      reinterpret_cast<uint16_t*>(prepared_rows_->at_least(cpu::piece_bytes(x.rows(), w.inputs)));
  const cpu::TileArgs args{product, pieces};
  const int64_t row_terms = split(w.inputs, cpu::kTileTerms) * cpu::kTileTerms * cpu::kPieces;
  multiply_prepared(
      x, w, kTileHeight,
      [&](int64_t r, int64_t tile, int64_t rows) {
        tiles_->split(x.row(r), w.inputs, rows,
                      pieces + tile * row_terms + (r - tile) * cpu::kTileTerms);
      },
      [&](const cpu::MatmulPart& part) { return tiles_->tile_scratch(args, part); },
      [&](const cpu::MatmulPart& part, float* scratch) { tiles_->multiply(args, part, scratch); });
}

}  // namespace janus
