// SPDX-License-Identifier: MIT
#include "kernels/panels.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/cpu/blocks.h"

namespace janus {
namespace {

using cpu::Blocks;
using cpu::kPanel;

static_assert(kPanel == kPanelOutputs);

int64_t inputs_of(Dtype dtype, int64_t row_bytes) {
  return row_bytes / traits(dtype).bytes * traits(dtype).block;
}

// Bytes of a file's block that stay in order in a panel: `together` of them, then those of the next
// output.
struct Field {
  int64_t from;      // in the block
  int64_t bytes;     // of the block
  int64_t together;  // 1, 2 or 4
  int64_t to;        // in the unit of a panel, of its first block and first output
  int64_t step;      // from there to the same of the unit's next block
};

// Of each type, what kernels/cpu/table.h says.
constexpr int64_t kScales = 2 * kPanel;              // bytes of an f16 of each output
constexpr int64_t kOfQ6 = kPanel * (16 + 128 + 64);  // of one block but its scale
template <Blocks>
inline constexpr std::array<Field, 0> kFields;
template <>
inline constexpr std::array kFields<Blocks::q8_0> = {Field{0, 2, 2, 0, kScales},
                                                     Field{2, 32, 4, 2 * kScales, 32 * kPanel}};
template <>
inline constexpr std::array kFields<Blocks::q4_0> = {Field{0, 2, 2, 0, kScales},
                                                     Field{2, 16, 4, 2 * kScales, 16 * kPanel}};
template <>
inline constexpr std::array kFields<Blocks::q4_k> = {
    Field{0, 4, 2, 0, 0}, Field{4, 12, 1, 2 * kScales, 0},
    Field{16, 128, 4, 2 * kScales + 12 * kPanel, 0}};
template <>
inline constexpr std::array kFields<Blocks::q6_k> = {
    Field{208, 2, 2, 0, kScales}, Field{192, 16, 1, 2 * kScales, kOfQ6},
    Field{0, 128, 4, 2 * kScales + 16 * kPanel, kOfQ6},
    Field{128, 64, 4, 2 * kScales + 144 * kPanel, kOfQ6}};

template <Blocks kBlocks>
inline constexpr DtypeTraits kTraits = traits(kBlocks == Blocks::q8_0   ? Dtype::q8_0
                                              : kBlocks == Blocks::q4_0 ? Dtype::q4_0
                                              : kBlocks == Blocks::q4_k ? Dtype::q4_k
                                                                        : Dtype::q6_k);

// What stays together, as it lies in a file <-> in a panel, where q8_0's numbers are + 128.
template <int64_t kBytes, bool kFlip>
void move_together(const std::byte* from, std::byte* to) {
  std::conditional_t<kBytes == 4, uint32_t, std::conditional_t<kBytes == 2, uint16_t, uint8_t>> v;
  static_assert(sizeof v == kBytes);
  std::memcpy(&v, from, kBytes);
  if constexpr (kFlip) v ^= 0x80808080u;
  std::memcpy(to, &v, kBytes);
}

// Field kIndex of one output, between its block in a file and its unit of a panel.
template <Blocks kBlocks, size_t kIndex, bool kTaken, class File, class Unit>
void move_field(File* block, Unit* unit, int64_t which, int64_t lane) {
  constexpr Field kField = kFields<kBlocks>[kIndex];
  constexpr int64_t kBytes = kField.together;
  constexpr bool kFlip = kBlocks == Blocks::q8_0 && kBytes == 4;
  auto* in_file = block + kField.from;
  auto* in_unit = unit + kField.to + which * kField.step + lane * kBytes;
  for (int64_t i = 0; i < kField.bytes; i += kBytes) {
    if constexpr (kTaken) {
      move_together<kBytes, kFlip>(in_unit + i * kPanel, in_file + i);
    } else {
      move_together<kBytes, kFlip>(in_file + i, in_unit + i * kPanel);
    }
  }
}

// All fields of block `b` of output `lane` of a panel.
template <Blocks kBlocks, bool kTaken, class File, class Panel>
void move_block(File* row, Panel* panel, int64_t b, int64_t lane) {
  constexpr DtypeTraits kType = kTraits<kBlocks>;
  constexpr int64_t kInUnit = cpu::unit_blocks(kBlocks) * cpu::kQuant / kType.block;
  auto* unit = panel + b / kInUnit * cpu::unit_bytes(kBlocks);
  [&]<size_t... kIndex>(std::index_sequence<kIndex...>) {
    (move_field<kBlocks, kIndex, kTaken>(row + b * kType.bytes, unit, b % kInUnit, lane), ...);
  }
  (std::make_index_sequence<kFields<kBlocks>.size()>());
}

// Block by block through all rows: what is written then lies together.
template <Blocks kBlocks>
void place_blocks(std::span<const std::byte> rows, int64_t count, int64_t size, std::byte* panel) {
  for (int64_t b = 0; b < size / kTraits<kBlocks>.bytes; ++b) {
    for (int64_t lane = 0; lane < count; ++lane) {
      move_block<kBlocks, false>(rows.data() + lane * size, panel, b, lane);
    }
  }
}

template <Blocks kBlocks>
void take_blocks(const std::byte* panel, int64_t lane, std::span<std::byte> row) {
  for (int64_t b = 0; b < std::ssize(row) / kTraits<kBlocks>.bytes; ++b) {
    move_block<kBlocks, true>(row.data(), panel, b, lane);
  }
}

// Calls fn with the type as a constant.
template <class Fn>
void with_blocks(Blocks blocks, const Fn& fn) {
  switch (blocks) {
    case Blocks::q8_0:
      return fn.template operator()<Blocks::q8_0>();
    case Blocks::q4_0:
      return fn.template operator()<Blocks::q4_0>();
    case Blocks::q4_k:
      return fn.template operator()<Blocks::q4_k>();
    case Blocks::q6_k:
      return fn.template operator()<Blocks::q6_k>();
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
  const bool whole = !multiplied_as_stored(dtype) ||
                     inputs / cpu::kQuant % cpu::unit_blocks(blocks_of(dtype)) == 0;
  if (count < kPanel || !whole) {  // there are bytes that no row fills
    std::memset(panel, 0, static_cast<size_t>(bytes_of_panel(dtype, inputs)));
  }
  if (dtype == Dtype::f32) return place_elements<float>(rows, count, size, panel);
  if (dtype == Dtype::bf16) return place_elements<uint16_t>(rows, count, size, panel);
  with_blocks(blocks_of(dtype),
              [&]<Blocks kBlocks> { place_blocks<kBlocks>(rows, count, size, panel); });
}

void take_row(Dtype dtype, const std::byte* panels, int64_t index, std::span<std::byte> row) {
  const int64_t inputs = inputs_of(dtype, std::ssize(row));
  const std::byte* panel = panels + index / kPanel * bytes_of_panel(dtype, inputs);
  const int64_t lane = index % kPanel;
  if (dtype == Dtype::f32) return take_elements<float>(panel, lane, row);
  if (dtype == Dtype::bf16) return take_elements<uint16_t>(panel, lane, row);
  with_blocks(blocks_of(dtype), [&]<Blocks kBlocks> { take_blocks<kBlocks>(panel, lane, row); });
}

}  // namespace janus
