// SPDX-License-Identifier: MIT
#include "kernels/panels.h"

#include <algorithm>

#include "kernels/cpu/table.h"

namespace janus {
namespace {

using cpu::Blocks;
using cpu::kPanel;

static_assert(kPanel == kPanelOutputs);

Blocks blocks_of(Dtype dtype) { return dtype == Dtype::q8_0 ? Blocks::q8_0 : Blocks::q4_0; }

int64_t inputs_of(Dtype dtype, int64_t row_bytes) {
  return row_bytes / traits(dtype).bytes * traits(dtype).block;
}

// Calls move(place in the row, place in the panel, bytes) for every run of a row of blocks.
template <class Move>
void each_run(Blocks blocks, int64_t count, int64_t lane, const Move& move) {
  constexpr int64_t kScale = 2, kGroup = 4;
  const int64_t groups = cpu::code_bytes(blocks) / kPanel / kGroup;
  for (int64_t b = 0, at = 0; b < count; ++b) {
    const int64_t pair = b / 2 * cpu::pair_bytes(blocks);
    move(at, pair + (b % 2 * kPanel + lane) * kScale, kScale);
    at += kScale;
    const int64_t codes = pair + 2 * kPanel * kScale + b % 2 * cpu::code_bytes(blocks);
    for (int64_t g = 0; g < groups; ++g, at += kGroup) {
      move(at, codes + (g * kPanel + lane) * kGroup, kGroup);
    }
  }
}

// q8_0's numbers lie there + 128; scales are runs of two bytes, codes of four.
void flip(Blocks blocks, std::byte* run, int64_t bytes) {
  if (blocks == Blocks::q4_0 || bytes == 2) return;
  for (int64_t i = 0; i < bytes; ++i) run[i] ^= std::byte{0x80};
}

template <class Element>
void place_elements(std::span<const std::byte> row, std::byte* panel, int64_t lane) {
  const auto* from = reinterpret_cast<const Element*>(row.data());
  auto* to = reinterpret_cast<Element*>(panel) + lane;
  const auto count = static_cast<int64_t>(row.size() / sizeof(Element));
  for (int64_t k = 0; k < count; ++k) to[k * kPanel] = from[k];
}

template <class Element>
void take_elements(const std::byte* panel, int64_t lane, std::span<std::byte> row) {
  const auto* from = reinterpret_cast<const Element*>(panel) + lane;
  auto* to = reinterpret_cast<Element*>(row.data());
  const auto count = static_cast<int64_t>(row.size() / sizeof(Element));
  for (int64_t k = 0; k < count; ++k) to[k] = from[k * kPanel];
}

}  // namespace

int64_t count_panels(int64_t outputs) { return (outputs + kPanel - 1) / kPanel; }

int64_t bytes_of_panel(Dtype dtype, int64_t inputs) {
  return multiplied_as_stored(dtype) ? cpu::panel_bytes(blocks_of(dtype), inputs)
                                     : bytes_of(dtype, kPanel * inputs);
}

void place_row(Dtype dtype, std::span<const std::byte> row, int64_t index, std::byte* panels) {
  const int64_t inputs = inputs_of(dtype, std::ssize(row));
  std::byte* panel = panels + index / kPanel * bytes_of_panel(dtype, inputs);
  const int64_t lane = index % kPanel;
  if (dtype == Dtype::f32) return place_elements<float>(row, panel, lane);
  if (dtype == Dtype::bf16) return place_elements<uint16_t>(row, panel, lane);
  const Blocks blocks = blocks_of(dtype);
  each_run(blocks, inputs / cpu::kQuant, lane, [&](int64_t from, int64_t to, int64_t bytes) {
    std::copy_n(row.data() + from, bytes, panel + to);
    flip(blocks, panel + to, bytes);
  });
}

void take_row(Dtype dtype, const std::byte* panels, int64_t index, std::span<std::byte> row) {
  const int64_t inputs = inputs_of(dtype, std::ssize(row));
  const std::byte* panel = panels + index / kPanel * bytes_of_panel(dtype, inputs);
  const int64_t lane = index % kPanel;
  if (dtype == Dtype::f32) return take_elements<float>(panel, lane, row);
  if (dtype == Dtype::bf16) return take_elements<uint16_t>(panel, lane, row);
  const Blocks blocks = blocks_of(dtype);
  each_run(blocks, inputs / cpu::kQuant, lane, [&](int64_t to, int64_t from, int64_t bytes) {
    std::copy_n(panel + from, bytes, row.data() + to);
    flip(blocks, row.data() + to, bytes);
  });
}

}  // namespace janus
