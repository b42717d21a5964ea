// Matrices on the processor: the packed layout, and how one product is cut into parts. Weights in
// blocks, and those under tile registers, are prepared.cc's.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <vector>

#include "base/half.h"
#include "kernels/cpu/backend.h"

namespace janus {
namespace {

using cpu::kPanel;

// Up to this many rows the weights set the pace and are streamed once.
constexpr int64_t kFewRows = 24;
// Rows of one part: the packed terms of a block (192 kB) stay in the second-level cache.
constexpr int64_t kManyRows = 192;
// Panels of one part: with kManyRows the sums take 384 kB.
constexpr int64_t kMostPanels = 32;
constexpr int64_t kPartsPerThread = 6;  // so that a slow neighbour delays one part of many

struct Cut {
  int64_t rows;    // of one part
  int64_t panels;  // of one part
};

// The cut depends on the threads; the bits of the result do not depend on the cut.
Cut cut_product(int64_t rows, int64_t panels, int threads) {
  Cut cut{rows, kMostPanels};
  int64_t row_parts = 1;
  if (rows > kFewRows) {
    constexpr int64_t kTileMultiple = 12;  // whole tiles at every level
    row_parts = split(rows, kManyRows);
    cut.rows = split(split(rows, row_parts), kTileMultiple) * kTileMultiple;
    row_parts = split(rows, cut.rows);
  }
  const int64_t wanted = split(threads * kPartsPerThread, row_parts);
  constexpr int64_t kFewest = 4;  // panels below which packing the rows again would tell
  cut.panels = std::clamp(split(panels, wanted), kFewest, kMostPanels);
  return cut;
}

cpu::Finish finish_of(Epilogue epilogue) {
  switch (epilogue) {
    case Epilogue::store:
      return cpu::Finish::store;
    case Epilogue::add:
      return cpu::Finish::add;
    case Epilogue::gelu:
      return cpu::Finish::gelu;
    case Epilogue::add_gelu:
      return cpu::Finish::add_gelu;
  }
  return cpu::Finish::store;
}

}  // namespace

int64_t CpuBackend::do_packed_bytes(Dtype dtype, int64_t outputs, int64_t inputs) const {
  return count_panels(outputs) * bytes_of_panel(dtype, inputs);
}

void CpuBackend::do_place(Weight& w, int64_t first, std::span<const std::byte> rows) const {
  static_assert(kPlacedTogether == kPanel);
  const int64_t panel = first / kPanel * bytes_of_panel(w.dtype, w.inputs);
  place_panel(w.dtype, w.inputs, rows, w.data.data() + panel);
}

void CpuBackend::do_share_out(int64_t n, const std::function<void(int64_t)>& fn) const {
  workers_->run(n, 1, 0, [&](int64_t begin, int64_t end, float*) {
    for (int64_t i = begin; i < end; ++i) fn(i);
  });
}

cpu::MatmulArgs CpuBackend::product(const cpu::Windows& x, const Weight& w, Tensor out,
                                    Epilogue epilogue) const {
  return {.x = x,
          .panels = w.data.data(),
          .format = w.dtype == Dtype::f32 ? cpu::Format::f32 : cpu::Format::bf16,
          .inputs = w.inputs,
          .outputs = w.outputs,
          .bias = w.bias.view ? w.bias.view.f32() : nullptr,
          .out = out.f32(),
          .out_stride = out.row_stride,
          .finish = finish_of(epilogue)};
}

void CpuBackend::multiply(const cpu::MatmulArgs& args, int64_t rows) const {
  const int64_t panels = split(args.outputs, kPanel);
  const Cut cut = cut_product(rows, panels, threads());
  const int64_t row_parts = split(rows, cut.rows);
  const bool few = rows <= kFewRows;
  const auto matmul = few ? table_.matmul_few : table_.matmul_many;
  const auto scratch_of = few ? table_.few_scratch : table_.many_scratch;
  const cpu::MatmulPart largest{0, std::min(rows, cut.rows), 0, std::min(panels, cut.panels)};
  // Neighbouring parts share panels: what one thread has brought near, the other finds there.
  workers_->run(
      row_parts * split(panels, cut.panels), 1, scratch_of(args, largest),
      [&](float* scratch) {
        if (few) table_.pack_few(args, 0, rows, scratch);
      },
      [&](int64_t begin, int64_t end, float* scratch) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t row = i % row_parts * cut.rows;
          const int64_t panel = i / row_parts * cut.panels;
          matmul(args,
                 {row, std::min(rows, row + cut.rows), panel, std::min(panels, panel + cut.panels)},
                 scratch);
        }
      });
}

void CpuBackend::do_linear(Tensor x, const Weight& w, Tensor out, Epilogue epilogue) const {
  const int64_t rows = x.rows();
  if (rows == 0) return;
  const cpu::Windows windows{.data = x.f32(),
                             .pixel_stride = x.row_stride,
                             .channels = w.inputs,
                             .height = 1,
                             .width = rows,
                             .out_height = 1,
                             .out_width = rows,
                             .kernel = 1,
                             .stride = 1,
                             .pad = 0};
  const cpu::MatmulArgs args = product(windows, w, out, epilogue);
  if (multiplied_as_stored(w.dtype)) return linear_blocks(x, w, args);
  if (tiles_ && w.dtype == Dtype::bf16) return linear_tiles(x, w, args);
  multiply(args, rows);
}

}  // namespace janus
