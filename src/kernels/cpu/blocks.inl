// Products with weights in blocks of 32, over what the ISA file defines: Codes8 and Codes4, a vector
// of weights; spread4, a group of x for all of them; Sums8 and Sums4, whole sums of a block and
// their value times the scale of x; kBlockSums, the vectors of sums in a tile; kRowsBeside, the
// rows of x that lie together; kAdded8, what is
// added to numbers of q8_0 when multiplied; kSumsAreFloats, see kAsFloat; block_largest and
// block_round. One output is added block after block from zero, as kernels/backend.h has it,
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

void quantise(const float* x, int64_t inputs, Blocks weights, QuantBlock* out, int64_t step) {
  const int32_t added = weights == Blocks::q8_0 ? kAdded8 : 8;
  for (int64_t i = 0; i < inputs; i += kQuant, out += step) {
    const float largest = block_largest(x + i);
    const float scale = largest < 0x1p-64f ? 0.0f : to_bf16(largest * (1.0f / 127.0f));
    const float inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
    const int32_t sum = block_round(x + i, inverse, out->q);
    // Numbers that are not finite may overflow here, in the same way everywhere.
    const auto start = static_cast<uint32_t>(kSumsAreFloats ? kAsFloat : 0) -
                       static_cast<uint32_t>(added) * static_cast<uint32_t>(sum);
    out->start = static_cast<int32_t>(start);
    out->scale = scale;
    out->offset = kSumsAreFloats ? -scale * kAsFloatValue : 0.0f;
    out->unused = 0;
  }
}

inline const char* block_at(const BlockArgs& b, int64_t panel, int64_t block) {
  return static_cast<const char*>(b.product.panels) +
         panel * panel_bytes(b.blocks, b.product.inputs) + block / 2 * pair_bytes(b.blocks);
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
template <int P>
void stream_blocks(const BlockArgs& b, const int64_t* panel, float* c) {
  const int64_t blocks = b.product.inputs / kQuant;
  clear(c, P * b.rows * kPanel);
  for (int64_t k = 0; k < blocks; k += kBlockChunk) {
    const char* at[P];
    for (int p = 0; p < P; ++p) at[p] = block_at(b, panel[p], k);
    block_rows_of<P>(b, b.rows, b.x + k * b.rows, at,
                     blocks - k < kBlockChunk ? blocks - k : kBlockChunk, c, b.rows * kPanel);
  }
  for (int p = 0; p < P; ++p) {
    finish_panel(b.product, 0, b.rows, panel[p], c + p * b.rows * kPanel);
  }
}

template <int P>
void stream_block_part(const BlockArgs& b, const MatmulPart& part, float* c) {
  const int64_t each = (part.panel_end - part.panel_begin) / P;  // panels of one stream
  for (int64_t i = 0; i < each; ++i) {
    int64_t panel[P];
    for (int p = 0; p < P; ++p) panel[p] = part.panel_begin + p * each + i;
    stream_blocks<P>(b, panel, c);
  }
  for (int64_t rest = part.panel_begin + P * each; rest < part.panel_end; ++rest) {
    stream_blocks<1>(b, &rest, c);
  }
}

void multiply_few(const BlockArgs& b, const MatmulPart& part, float* scratch) {
  if (b.rows <= block_tile_rows(4)) {
    stream_block_part<4>(b, part, scratch);
  } else if (b.rows <= block_tile_rows(2)) {
    stream_block_part<2>(b, part, scratch);
  } else {
    stream_block_part<kBlockPanels>(b, part, scratch);
  }
}

// A chunk of blocks of P panels under all rows of the part; c [P][rows][16].
template <int P>
void pass_blocks(const BlockArgs& b, const MatmulPart& part, int64_t panel, int64_t k, float* c) {
  const int64_t all = b.product.inputs / kQuant, rows = part.row_end - part.row_begin;
  const int64_t blocks = all - k < kBlockChunk ? all - k : kBlockChunk;
  const char* at[P];
  for (int p = 0; p < P; ++p) at[p] = block_at(b, panel + p, k);
  for (int64_t r = 0; r < rows; r += kRowsBeside) {
    const int64_t some = rows - r < kRowsBeside ? rows - r : kRowsBeside;
    const QuantBlock* x = b.x + (part.row_begin + r) * all + k * some;
    block_rows_of<P>(b, some, x, at, blocks, c + r * kPanel, rows * kPanel);
  }
}

void multiply_many(const BlockArgs& b, const MatmulPart& part, float* scratch) {
  const int64_t rows = part.row_end - part.row_begin;
  const auto sums_of = [&](int64_t p) { return scratch + (p - part.panel_begin) * rows * kPanel; };
  clear(scratch, (part.panel_end - part.panel_begin) * rows * kPanel);
  for (int64_t k = 0; k < b.product.inputs / kQuant; k += kBlockChunk) {
    int64_t panel = part.panel_begin;
    for (; panel + kBlockPanels <= part.panel_end; panel += kBlockPanels) {
      pass_blocks<kBlockPanels>(b, part, panel, k, sums_of(panel));
    }
    for (; panel < part.panel_end; ++panel) pass_blocks<1>(b, part, panel, k, sums_of(panel));
  }
  for (int64_t panel = part.panel_begin; panel < part.panel_end; ++panel) {
    finish_panel(b.product, part.row_begin, rows, panel, sums_of(panel));
  }
}

constexpr BlockKernels make_blocks(const char* level) {
  return {.level = level,
          .rows_beside = kRowsBeside,
          .quantise = quantise,
          .multiply_few = multiply_few,
          .multiply_many = multiply_many,
          .block_scratch = block_scratch};
}
