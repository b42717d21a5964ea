// Products with weights in blocks, over what the ISA file defines: Codes8, Codes4 and CodesK, a
// vector of weights; spread4, a group of x for all of them; Sums8, Sums4 and SumsK, whole sums of a
// block and their value times the scale of x; kBlockSums, the vectors of sums in a tile;
// kRowsBeside, the rows of x that lie together; kAdded8, what is added to numbers of q8_0 when
// multiplied; kSumsAreFloats, see kAsFloat; block_largest and block_round; fused, a multiply-add
// that rounds once. One output is added block after block from zero, as kernels/backend.h has it,
// whatever tile it is in.
// SPDX-License-Identifier: MIT

// As the bits of a float this is 1.5·2²³, and this + s that number + s, |s| < 2²²: so the sum needs
// no conversion, and since scales of x have 8 bits, s·scale is rounded once.
constexpr int32_t kAsFloat = 0x4b400000;
constexpr float kAsFloatValue = 12582912.0f;

constexpr int kBlockVecs = kPanel / Vec::kWidth;
// Rows of a tile of that many panels.
constexpr int block_tile_rows(int panels) {
  const int rows = kBlockSums / (panels * kBlockVecs);
  return rows < 1 ? 1 : rows < kFewBlockRows ? rows : kFewBlockRows;
}
constexpr int kBlockPanels = kBlockVecs == 1 ? 2 : 1;  // of a tile for many rows
// Blocks that pass a part's rows before the next: two panels of them (17 kB of q8_0) and a tile of
// rows (6 kB) stay in the first-level cache.
constexpr int64_t kBlockChunk = 16;
constexpr int64_t kBlockAhead = 1536;  // bytes that are fetched ahead in each panel

// bf16 to the nearest, halves to even, of a number that is not negative.
inline float to_bf16(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  const bool finite = bits <= 0x7f800000u;
  bits = finite ? (bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u : 0x7fc00000u;
  __builtin_memcpy(&x, &bits, 4);
  return x;
}

constexpr int32_t added_to(Blocks weights) {
  switch (weights) {
    case Blocks::q8_0:
      return kAdded8;
    case Blocks::q4_0:
      return 8;
    case Blocks::q4_k:
      return 0;
    case Blocks::q6_k:
      return 32;
  }
  return 0;
}

// Of numbers with that sum. Those that are not finite may overflow here, in the same way
// everywhere.
inline int32_t start_of(int32_t added, int32_t sum) {
  return static_cast<int32_t>(static_cast<uint32_t>(kSumsAreFloats ? kAsFloat : 0) -
                              static_cast<uint32_t>(added) * static_cast<uint32_t>(sum));
}

void quantise(const float* x, int64_t inputs, Blocks weights, QuantBlock* out, int64_t step) {
  const int32_t added = added_to(weights);
  for (int64_t i = 0; i < inputs; i += kQuant, out += step) {
    const float largest = block_largest(x + i);
    const float scale = largest < 0x1p-64f ? 0.0f : to_bf16(largest * (1.0f / 127.0f));
    const float inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
    const int32_t sum = block_round(x + i, inverse, out->q);
    out->start = start_of(added, sum);
    out->scale = scale;
    out->offset = kSumsAreFloats ? -scale * kAsFloatValue : 0.0f;
    out->least = -static_cast<float>(sum) * scale;
    if (weights == Blocks::q6_k) {
      int32_t first = 0;
      for (int k = 0; k < kQuant / 2; ++k) first += out->q[k];
      out->start = start_of(added, first);
      out->second = start_of(added, sum - first);
    }
  }
}

inline const char* block_at(const BlockArgs& b, int64_t panel, int64_t block) {
  return static_cast<const char*>(b.product.panels) +
         panel * panel_bytes(b.blocks, b.product.inputs) +
         block / unit_blocks(b.blocks) * unit_bytes(b.blocks);
}

// One block of R rows of x, beside each other, and of P panels: sums so far in c [P][c_panel].
// `pairs` are where the block's pair begins in each panel, Half which of the two it is.
template <int R, int P, Blocks F, int Half>
inline void one_block(const QuantBlock* x, const char* const* pairs, float* c, int64_t c_panel) {
  constexpr int kVecs = P * kBlockVecs;
  constexpr int64_t kCodes = 4 * kPanel + Half * code_bytes(F);
  using Sums = std::conditional_t<F == Blocks::q8_0, Sums8, Sums4>;
  Sums sum[R][kVecs];
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < kVecs; ++j) sum[r][j] = Sums::begin(x[r]);
  }
  const auto codes = [&](int j, int group) {
    const char* at = pairs[j / kBlockVecs] + kCodes + group * 4 * kPanel;
    if (j % kBlockVecs == 0) __builtin_prefetch(at + kBlockAhead);
    return at + j % kBlockVecs * 4 * Vec::kWidth;
  };
  if constexpr (F == Blocks::q8_0) {
#pragma GCC unroll 8
    for (int g = 0; g < kQuant / 4; ++g) {
      Codes8 w[kVecs];
      for (int j = 0; j < kVecs; ++j) w[j] = Codes8::load(codes(j, g));
      for (int r = 0; r < R; ++r) {
        const auto four = spread4(x[r].q + 4 * g);
        for (int j = 0; j < kVecs; ++j) sum[r][j].add(w[j], four);
      }
    }
  } else {
#pragma GCC unroll 4
    for (int g = 0; g < kQuant / 8; ++g) {
      Codes4 low[kVecs], high[kVecs];
      for (int j = 0; j < kVecs; ++j) Codes4::load(codes(j, g), low[j], high[j]);
      for (int r = 0; r < R; ++r) {
        const auto first = spread4(x[r].q + 4 * g), second = spread4(x[r].q + 16 + 4 * g);
        for (int j = 0; j < kVecs; ++j) sum[r][j].add(low[j], first);
        for (int j = 0; j < kVecs; ++j) sum[r][j].add(high[j], second);
      }
    }
  }
  Vec scales[kVecs];
  for (int j = 0; j < kVecs; ++j) {
    const char* at = pairs[j / kBlockVecs] + Half * 2 * kPanel;
    scales[j] = Vec::load_f16(reinterpret_cast<const uint16_t*>(at) + j % kBlockVecs * Vec::kWidth);
  }
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < kVecs; ++j) {
      float* to = c + j / kBlockVecs * c_panel + r * kPanel + j % kBlockVecs * Vec::kWidth;
      (Vec::load(to) + sum[r][j].value(x[r]) * scales[j]).store(to);
    }
  }
}

inline int64_t count_blocks(const BlockArgs& b, int64_t k, int64_t most) {
  const int64_t rest = b.product.inputs / kQuant - k;
  return rest < most ? rest : most;
}

// `blocks` blocks from the beginning of a pair on; x steps by `step` from block to block.
template <int R, int P, Blocks F>
void block_tile(const QuantBlock* x, int64_t step, const char* const* panels, int64_t blocks,
                float* c, int64_t c_panel) {
  const char* pairs[P];
  for (int p = 0; p < P; ++p) pairs[p] = panels[p];
  for (; blocks >= 2; blocks -= 2, x += 2 * step) {
    one_block<R, P, F, 0>(x, pairs, c, c_panel);
    one_block<R, P, F, 1>(x + step, pairs, c, c_panel);
    for (int p = 0; p < P; ++p) pairs[p] += pair_bytes(F);
  }
  if (blocks > 0) one_block<R, P, F, 0>(x, pairs, c, c_panel);
}

// q8_0 and q4_0.
template <int R, int P>
void block_tile_of(int rows, Blocks format, const QuantBlock* x, int64_t step,
                   const char* const* panels, int64_t blocks, float* c, int64_t c_panel) {
  if (rows != R) {
    if constexpr (R > 1) {
      block_tile_of<R - 1, P>(rows, format, x, step, panels, blocks, c, c_panel);
    }
    return;
  }
  if (format == Blocks::q8_0) {
    block_tile<R, P, Blocks::q8_0>(x, step, panels, blocks, c, c_panel);
  } else {
    block_tile<R, P, Blocks::q4_0>(x, step, panels, blocks, c, c_panel);
  }
}

// One tile of `rows` rows of x in as many tiles of registers as it takes.
template <int P>
void block_rows_of(const BlockArgs& b, int64_t rows, const QuantBlock* x,
                   const char* const* panels, int64_t blocks, float* c, int64_t c_panel) {
  constexpr int64_t kMost = block_tile_rows(P);
  for (int64_t r = 0; r < rows; r += kMost) {
    const int some = static_cast<int>(rows - r < kMost ? rows - r : kMost);
    block_tile_of<block_tile_rows(P), P>(some, b.blocks, x + r, rows, panels, blocks,
                                         c + r * kPanel, c_panel);
  }
}

// Blocks of q8_0 or q4_0 of P panels, from block `k` on.
template <int P>
struct PlainChunk {
  static constexpr int64_t kBlocks = kBlockChunk;

  PlainChunk(const BlockArgs& args, const int64_t* panel, int64_t k)
      : b(args), blocks(count_blocks(args, k, kBlocks)) {
    for (int p = 0; p < P; ++p) at[p] = block_at(b, panel[p], k);
  }
  void multiply(int64_t rows, const QuantBlock* x, float* c, int64_t c_panel) const {
    block_rows_of<P>(b, rows, x, at, blocks, c, c_panel);
  }

  const BlockArgs& b;
  int64_t blocks;
  const char* at[P];
};

#include "kernels/cpu/superblocks.inl"

int64_t block_scratch(const BlockArgs&, const MatmulPart& part) {
  constexpr int64_t kFew = 4 * kFewBlockRows * kPanel;
  const int64_t many =
      (part.row_end - part.row_begin) * (part.panel_end - part.panel_begin) * kPanel;
  return many > kFew ? many : kFew;
}

inline void clear(float* c, int64_t floats) {
  for (int64_t i = 0; i < floats; i += Vec::kWidth) Vec::set(0.0f).store(c + i);
}

// P panels far apart side by side, over all of K.
template <template <int> class Chunk, int P>
void stream_blocks(const BlockArgs& b, const int64_t* panel, float* c) {
  const int64_t blocks = b.product.inputs / kQuant;
  clear(c, P * b.rows * kPanel);
  for (int64_t k = 0; k < blocks; k += Chunk<P>::kBlocks) {
    Chunk<P> chunk(b, panel, k);
    chunk.multiply(b.rows, b.x + k * b.rows, c, b.rows * kPanel);
  }
  for (int p = 0; p < P; ++p) {
    finish_panel(b.product, 0, b.rows, panel[p], c + p * b.rows * kPanel);
  }
}

template <template <int> class Chunk, int P>
void stream_block_part(const BlockArgs& b, const MatmulPart& part, float* c) {
  const int64_t each = (part.panel_end - part.panel_begin) / P;  // panels of one stream
  for (int64_t i = 0; i < each; ++i) {
    int64_t panel[P];
    for (int p = 0; p < P; ++p) panel[p] = part.panel_begin + p * each + i;
    stream_blocks<Chunk, P>(b, panel, c);
  }
  for (int64_t rest = part.panel_begin + P * each; rest < part.panel_end; ++rest) {
    stream_blocks<Chunk, 1>(b, &rest, c);
  }
}

template <template <int> class Chunk>
void few_rows(const BlockArgs& b, const MatmulPart& part, float* scratch) {
  if (b.rows <= block_tile_rows(4)) {
    stream_block_part<Chunk, 4>(b, part, scratch);
  } else if (b.rows <= block_tile_rows(2)) {
    stream_block_part<Chunk, 2>(b, part, scratch);
  } else {
    stream_block_part<Chunk, kBlockPanels>(b, part, scratch);
  }
}

void multiply_few(const BlockArgs& b, const MatmulPart& part, float* scratch) {
  if (has_runs(b.blocks)) return few_rows<StreamedChunk>(b, part, scratch);
  few_rows<PlainChunk>(b, part, scratch);
}

// A chunk of blocks of P panels under all rows of the part; c [P][rows][16].
template <template <int> class Chunk, int P>
void pass_blocks(const BlockArgs& b, const MatmulPart& part, int64_t first, int64_t k, float* c) {
  const int64_t all = b.product.inputs / kQuant, rows = part.row_end - part.row_begin;
  int64_t panel[P];
  for (int p = 0; p < P; ++p) panel[p] = first + p;
  Chunk<P> chunk(b, panel, k);
  for (int64_t r = 0; r < rows; r += kRowsBeside) {
    const int64_t some = rows - r < kRowsBeside ? rows - r : kRowsBeside;
    const QuantBlock* x = b.x + (part.row_begin + r) * all + k * some;
    chunk.multiply(some, x, c + r * kPanel, rows * kPanel);
  }
}

template <template <int> class Chunk>
void many_rows(const BlockArgs& b, const MatmulPart& part, float* scratch) {
  constexpr int P = kBlockPanels;
  const int64_t rows = part.row_end - part.row_begin;
  const auto sums_of = [&](int64_t p) { return scratch + (p - part.panel_begin) * rows * kPanel; };
  clear(scratch, (part.panel_end - part.panel_begin) * rows * kPanel);
  for (int64_t k = 0; k < b.product.inputs / kQuant; k += Chunk<P>::kBlocks) {
    int64_t panel = part.panel_begin;
    for (; panel + P <= part.panel_end; panel += P) {
      pass_blocks<Chunk, P>(b, part, panel, k, sums_of(panel));
    }
    for (; panel < part.panel_end; ++panel) {
      pass_blocks<Chunk, 1>(b, part, panel, k, sums_of(panel));
    }
  }
  for (int64_t panel = part.panel_begin; panel < part.panel_end; ++panel) {
    finish_panel(b.product, part.row_begin, rows, panel, sums_of(panel));
  }
}

void multiply_many(const BlockArgs& b, const MatmulPart& part, float* scratch) {
  if (has_runs(b.blocks)) return many_rows<TakenChunk>(b, part, scratch);
  many_rows<PlainChunk>(b, part, scratch);
}

constexpr BlockKernels make_blocks(const char* level) {
  return {.level = level,
          .rows_beside = kRowsBeside,
          .quantise = quantise,
          .multiply_few = multiply_few,
          .multiply_many = multiply_many,
          .block_scratch = block_scratch};
}
