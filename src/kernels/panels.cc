// SPDX-License-Identifier: MIT
#include "kernels/panels.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/table.h"

namespace janus {
namespace {

using cpu::Blocks;
using cpu::kPanel;

static_assert(kPanel == kPanelOutputs);

constexpr int64_t kScale = 2, kGroup = 4;  // bytes of a scale, and of codes that lie together

Blocks blocks_of(Dtype dtype) { return dtype == Dtype::q8_0 ? Blocks::q8_0 : Blocks::q4_0; }

int64_t inputs_of(Dtype dtype, int64_t row_bytes) {
  return row_bytes / traits(dtype).bytes * traits(dtype).block;
}

// What goes with block `b` of a panel of blocks: where the scale and the codes of a lane are.
struct BlockPlace {
  int64_t scale, codes;
};
BlockPlace place_of(Blocks blocks, int64_t b, int64_t lane) {
  const int64_t pair = b / 2 * cpu::pair_bytes(blocks), half = b % 2;
  return {pair + (half * kPanel + lane) * kScale,
          pair + 2 * kPanel * kScale + half * cpu::code_bytes(blocks) + lane * kGroup};
}

// A group of codes as it lies in a file <-> in a panel, where q8_0's numbers are + 128.
template <Blocks kBlocks>
void move_group(const std::byte* from, std::byte* to) {
  uint32_t codes;
  static_assert(sizeof codes == kGroup);
  std::memcpy(&codes, from, kGroup);
  if constexpr (kBlocks == Blocks::q8_0) codes ^= 0x80808080u;
  std::memcpy(to, &codes, kGroup);
}

// Block by block through all rows: what is written then lies together.
template <Blocks kBlocks>
void place_blocks(std::span<const std::byte> rows, int64_t count, int64_t size, std::byte* panel) {
  constexpr int64_t kGroups = cpu::code_bytes(kBlocks) / kPanel / kGroup;
  constexpr int64_t kBlock = kScale + kGroups * kGroup;
  for (int64_t b = 0; b < size / kBlock; ++b) {
    for (int64_t lane = 0; lane < count; ++lane) {
      const std::byte* from = rows.data() + lane * size + b * kBlock;
      const BlockPlace to = place_of(kBlocks, b, lane);
      std::memcpy(panel + to.scale, from, kScale);
      for (int64_t g = 0; g < kGroups; ++g) {
        move_group<kBlocks>(from + kScale + g * kGroup, panel + to.codes + g * kPanel * kGroup);
      }
    }
  }
}

template <Blocks kBlocks>
void take_blocks(const std::byte* panel, int64_t lane, std::span<std::byte> row) {
  constexpr int64_t kGroups = cpu::code_bytes(kBlocks) / kPanel / kGroup;
  constexpr int64_t kBlock = kScale + kGroups * kGroup;
  for (int64_t b = 0; b < std::ssize(row) / kBlock; ++b) {
    std::byte* to = row.data() + b * kBlock;
    const BlockPlace from = place_of(kBlocks, b, lane);
    std::memcpy(to, panel + from.scale, kScale);
    for (int64_t g = 0; g < kGroups; ++g) {
      move_group<kBlocks>(panel + from.codes + g * kPanel * kGroup, to + kScale + g * kGroup);
    }
  }
}

// Some inputs of all rows at a time, so that the lines that they share stay near.
template <class Element>
void place_elements(std::span<const std::byte> rows, int64_t count, int64_t size,
                    std::byte* panel) {
  constexpr int64_t kTogether = 64;
  const auto* from = reinterpret_cast<const Element*>(rows.data());
  auto* to = reinterpret_cast<Element*>(panel);
  const int64_t inputs = size / int64_t{sizeof(Element)};
  for (int64_t begin = 0; begin < inputs; begin += kTogether) {
    const int64_t end = std::min(inputs, begin + kTogether);
    for (int64_t lane = 0; lane < count; ++lane) {
      for (int64_t k = begin; k < end; ++k) to[k * kPanel + lane] = from[lane * inputs + k];
    }
  }
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

void place_panel(Dtype dtype, int64_t inputs, std::span<const std::byte> rows, std::byte* panel) {
  const int64_t size = bytes_of(dtype, inputs), count = std::ssize(rows) / size;
  const bool pairs = !multiplied_as_stored(dtype) || inputs / cpu::kQuant % 2 == 0;
  if (count < kPanel || !pairs) {  // there are bytes that no row fills
    std::memset(panel, 0, static_cast<size_t>(bytes_of_panel(dtype, inputs)));
  }
  if (dtype == Dtype::f32) return place_elements<float>(rows, count, size, panel);
  if (dtype == Dtype::bf16) return place_elements<uint16_t>(rows, count, size, panel);
  if (dtype == Dtype::q8_0) return place_blocks<Blocks::q8_0>(rows, count, size, panel);
  place_blocks<Blocks::q4_0>(rows, count, size, panel);
}

void take_row(Dtype dtype, const std::byte* panels, int64_t index, std::span<std::byte> row) {
  const int64_t inputs = inputs_of(dtype, std::ssize(row));
  const std::byte* panel = panels + index / kPanel * bytes_of_panel(dtype, inputs);
  const int64_t lane = index % kPanel;
  if (dtype == Dtype::f32) return take_elements<float>(panel, lane, row);
  if (dtype == Dtype::bf16) return take_elements<uint16_t>(panel, lane, row);
  if (dtype == Dtype::q8_0) return take_blocks<Blocks::q8_0>(panel, lane, row);
  take_blocks<Blocks::q4_0>(panel, lane, row);
}

}  // namespace janus
