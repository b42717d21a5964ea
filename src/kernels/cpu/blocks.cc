// Weights in blocks on the processor: packing them, rows of x in blocks, and how one product is
// cut. SPDX-License-Identifier: MIT
#include <algorithm>
#include <vector>

#include "base/quant.h"
#include "kernels/cpu/backend.h"

namespace janus {
namespace {

using cpu::Blocks;
using cpu::kPanel;
using cpu::kQuant;
using cpu::kQuantRows;
using cpu::QuantBlock;

static_assert(kQuant == traits(Dtype::q8_0).block && kQuant == traits(Dtype::q4_0).block);

// Rows of one part: their blocks of a chunk (150 kB) stay in the second-level cache.
constexpr int64_t kManyRows = 96;
constexpr int64_t kMostPanels = 32;
constexpr int64_t kPartsPerThread = 6;  // so that a slow neighbour delays one part of many

Blocks blocks_of(Dtype dtype) { return dtype == Dtype::q8_0 ? Blocks::q8_0 : Blocks::q4_0; }

struct Cut {
  int64_t rows;    // of one part, a multiple of kQuantRows or all
  int64_t panels;  // of one part
};

// The cut depends on the threads; the bits of the result do not depend on the cut.
Cut cut_product(int64_t rows, int64_t panels, int threads) {
  Cut cut{rows, kMostPanels};
  int64_t row_parts = 1;
  if (rows > kQuantRows) {
    row_parts = split(rows, kManyRows);
    cut.rows = split(split(rows, row_parts), kQuantRows) * kQuantRows;
    row_parts = split(rows, cut.rows);
  }
  const int64_t wanted = split(threads * kPartsPerThread, row_parts);
  constexpr int64_t kFewest = 4;
  cut.panels = std::clamp(split(panels, wanted), kFewest, kMostPanels);
  return cut;
}

}  // namespace

int64_t CpuBackend::do_block_rows_bytes(int64_t rows, int64_t inputs) const {
  return rows * (inputs / kQuant) * int64_t{sizeof(QuantBlock)};
}

void CpuBackend::linear_blocks(Tensor x, const Weight& w, const cpu::MatmulArgs& product) const {
  const int64_t rows = x.rows(), count = w.inputs / kQuant;
  const std::lock_guard lock(block_rows_->in_use);
  const int64_t bytes = do_block_rows_bytes(rows, w.inputs);
  if (block_rows_->memory.bytes() < bytes) {
    block_rows_->memory = Buffer();  // the old goes before the new comes
    block_rows_->memory = Buffer(bytes);
  }
  auto* const quantised = reinterpret_cast<QuantBlock*>(block_rows_->memory.data());
  const Blocks blocks = blocks_of(w.dtype);
  each_row(rows, w.inputs, [&](int64_t r) {
    const int64_t tile = r / kQuantRows * kQuantRows;
    const int64_t beside = std::min<int64_t>(kQuantRows, rows - tile);
    blocks_.quantise(x.row(r), w.inputs, blocks, quantised + tile * count + (r - tile), beside);
  });
  const cpu::BlockArgs args{product, blocks, rows, quantised};
  const int64_t panels = split(w.outputs, kPanel);
  const Cut cut = cut_product(rows, panels, threads());
  const int64_t row_parts = split(rows, cut.rows);
  const auto multiply = rows > kQuantRows ? blocks_.multiply_many : blocks_.multiply_few;
  const cpu::MatmulPart largest{0, std::min(rows, cut.rows), 0, std::min(panels, cut.panels)};
  // Neighbouring parts share panels: what one thread has brought near, the other finds there.
  workers_->run(row_parts * split(panels, cut.panels), 1, blocks_.block_scratch(args, largest),
                [&](int64_t begin, int64_t end, float* scratch) {
                  for (int64_t i = begin; i < end; ++i) {
                    const int64_t row = i % row_parts * cut.rows;
                    const int64_t panel = i / row_parts * cut.panels;
                    multiply(args,
                             {row, std::min(rows, row + cut.rows), panel,
                              std::min(panels, panel + cut.panels)},
                             scratch);
                  }
                });
}

}  // namespace janus
