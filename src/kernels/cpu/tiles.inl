// Products under tile registers, over Tile of the ISA file, whose functions are the instructions or
// do what they do. Vectors are those of AVX-512. Sums and their order are those of
// kernels/cpu/table.h.
// SPDX-License-Identifier: MIT

constexpr int kLeft = 6, kRight = 7;  // registers of x and of weights; those before hold sums

// What the processor wants to know of eight registers: rows of each, and bytes of a row.
struct TileShapes {
  uint8_t bytes[64] = {1};  // palette 1, no interrupted instruction

  constexpr TileShapes(int left_bytes, int right_rows) {
    for (int i = 0; i < 8; ++i) shape(i, kTileHeight, 4 * kPanel);
    shape(kLeft, kTileHeight, left_bytes);
    shape(kRight, right_rows, 4 * kPanel);
  }
  constexpr void shape(int i, int rows, int row_bytes) {
    bytes[16 + 2 * i] = static_cast<uint8_t>(row_bytes);
    bytes[48 + i] = static_cast<uint8_t>(rows);
  }
};
constexpr TileShapes kBlockShapes{kQuant, kQuant / 4};
constexpr TileShapes kHalfShapes{2 * kTileTerms, kTileTerms / 2};

// --- weights in blocks: 16 rows of x, 32 numbers of a block, 16 outputs --------------------------
// A block is half as deep as a register, since every block has scales of its own.

// One block of a panel under kTileHeight rows of x, into sums [16][16].
template <int Sums>
inline void start_block(const QuantBlock* x, const void* codes, int32_t* sums) {
  Tile::zero<Sums>();
  Tile::load<kLeft>(x->q, sizeof(QuantBlock));
  Tile::load<kRight>(codes, 4 * kPanel);
  Tile::dot_bytes<Sums, kLeft, kRight>();
  Tile::store<Sums>(sums, 4 * kPanel);
}

// The codes of a chunk of q4_0 as bytes, [blocks][8][16][4].
inline void spread_codes(const char* pairs, int64_t blocks, uint8_t* out) {
  for (int64_t b = 0; b < blocks; ++b) {
    const char* at = pairs + b / 2 * pair_bytes(Blocks::q4_0) + 4 * kPanel +
                     b % 2 * code_bytes(Blocks::q4_0);
    for (int group = 0; group < 4; ++group) {
      Codes4 low, high;
      Codes4::load(at + group * 4 * kPanel, low, high);
      _mm512_store_si512(out + (8 * b + group) * 4 * kPanel, low.v);
      _mm512_store_si512(out + (8 * b + 4 + group) * 4 * kPanel, high.v);
    }
  }
}

// Where the codes of a chunk's blocks are: in the panel, or spread.
struct ChunkCodes {
  const char* pairs;
  const uint8_t* spread;  // or null: the panel's are bytes already

  const void* of(int64_t b) const {
    if (spread) return spread + b * code_bytes(Blocks::q8_0);
    return pairs + b / 2 * pair_bytes(Blocks::q8_0) + 4 * kPanel + b % 2 * code_bytes(Blocks::q8_0);
  }
};

// A chunk of a panel under the `rows` rows of one tile; c [rows][16]. The sums of a block are made
// while those of the one before are taken in.
template <Blocks F>
void block_chunk(const QuantBlock* x, int64_t rows, const ChunkCodes& codes, int64_t blocks,
                 float* c) {
  alignas(64) int32_t sums[2][kTileHeight * kPanel];
  Vec total[kTileHeight];
  for (int r = 0; r < kTileHeight; ++r) {
    total[r] = r < rows ? Vec::load(c + r * kPanel) : Vec::set(0.0f);
  }
  const auto start = [&](int64_t b) {
    if (b % 2 == 0) {
      start_block<0>(x + b * rows, codes.of(b), sums[0]);
    } else {
      start_block<1>(x + b * rows, codes.of(b), sums[1]);
    }
  };
  start(0);
  for (int64_t b = 0; b < blocks; ++b) {
    if (b + 1 < blocks) start(b + 1);
    const char* scales = codes.pairs + b / 2 * pair_bytes(F) + b % 2 * 2 * kPanel;
    const Vec scale = Vec::load_f16(reinterpret_cast<const uint16_t*>(scales));
    const QuantBlock* row = x + b * rows;
#pragma GCC unroll 16
    for (int r = 0; r < kTileHeight; ++r) {
      Sums8 sum = Sums8::begin(row[r]);
      sum.v = _mm512_add_epi32(sum.v, _mm512_load_si512(sums[b % 2] + r * kPanel));
      total[r] = total[r] + sum.value(row[r]) * scale;
    }
  }
  for (int r = 0; r < kTileHeight; ++r) {
    if (r < rows) total[r].store(c + r * kPanel);
  }
}

template <Blocks F>
void multiply_blocks(const BlockArgs& b, const MatmulPart& part, float* scratch) {
  alignas(64) uint8_t spread[kBlockChunk * code_bytes(Blocks::q8_0)];
  const int64_t rows = rows_of(part), all = b.product.inputs / kQuant;
  const auto sums_of = [&](int64_t p) { return scratch + (p - part.panel_begin) * rows * kPanel; };
  clear(scratch, (part.panel_end - part.panel_begin) * rows * kPanel);
  Tile::begin(kBlockShapes.bytes);
  for (int64_t k = 0; k < all; k += kBlockChunk) {
    const int64_t blocks = all - k < kBlockChunk ? all - k : kBlockChunk;
    for (int64_t panel = part.panel_begin; panel < part.panel_end; ++panel) {
      ChunkCodes codes{block_at(b, panel, k), nullptr};
      if (F == Blocks::q4_0) {
        spread_codes(codes.pairs, blocks, spread);
        codes.spread = spread;
      }
      for (int64_t r = 0; r < rows; r += kTileHeight) {
        const int64_t some = rows - r < kTileHeight ? rows - r : kTileHeight;
        block_chunk<F>(b.x + (part.row_begin + r) * all + k * some, some, codes, blocks,
                       sums_of(panel) + r * kPanel);
      }
    }
  }
  Tile::end();
  for (int64_t panel = part.panel_begin; panel < part.panel_end; ++panel) {
    finish_panel(b.product, part.row_begin, rows, panel, sums_of(panel));
  }
}

void multiply_block_tiles(const BlockArgs& b, const MatmulPart& part, float* scratch) {
  if (has_runs(b.blocks)) return multiply_many(b, part, scratch);  // by vectors
  if (b.blocks == Blocks::q8_0) return multiply_blocks<Blocks::q8_0>(b, part, scratch);
  multiply_blocks<Blocks::q4_0>(b, part, scratch);
}

// --- bf16 weights --------------------------------------------------------------------------------

// The leading bits of x as bf16, and what they leave. Of what is not finite nothing is left.
inline __m256i take_piece(__m512& x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __mmask16 none = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  const __m512i quiet = _mm512_mask_or_epi32(bits, none, bits, _mm512_set1_epi32(0x00400000));
  const __m512i lead = _mm512_and_si512(quiet, _mm512_set1_epi32(static_cast<int>(0xffff0000)));
  const __m512 size = _mm512_abs_ps(x);
  const __mmask16 finite = _mm512_cmp_ps_mask(size, _mm512_set1_ps(3.4028235e38f), _CMP_LE_OQ);
  x = _mm512_maskz_sub_ps(finite, x, _mm512_castsi512_ps(lead));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(lead, 16));
}

void split(const float* x, int64_t inputs, int64_t rows, uint16_t* out) {
  for (int64_t k = 0; k < inputs; k += kTileTerms, out += kPieces * rows * kTileTerms) {
    for (int half = 0; half < 2; ++half) {
      const int64_t at = k + 16 * half, left = inputs - at;
      const int lanes = left < 0 ? 0 : left < 16 ? static_cast<int>(left) : 16;
      __m512 rest = Vec::load_part(x + at, lanes).v;
      for (int piece = 0; piece < kPieces; ++piece) {
        uint16_t* to = out + piece * rows * kTileTerms + 16 * half;
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), take_piece(rest));
      }
    }
  }
}

// n terms of a panel [n][16] in pairs, [n/2][16][2], zeros up to a multiple of kTileTerms.
inline void pair_terms(const char* panel, int64_t n, uint16_t* out) {
  alignas(64) static constexpr uint16_t kPairs[32] = {
      0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i order = _mm512_load_si512(kPairs);
  for (int64_t k = 0; k < n; k += 2) {
    __builtin_prefetch(panel + k * 2 * kPanel + kBlockAhead);
    const __mmask32 there = k + 1 < n ? ~__mmask32{0} : __mmask32{0xffff};
    const __m512i both = _mm512_maskz_loadu_epi16(there, panel + k * 2 * kPanel);
    _mm512_store_si512(out + k * kPanel, _mm512_permutexvar_epi16(order, both));
  }
  for (int64_t k = (n + 1) / 2 * 2; k % kTileTerms != 0; k += 2) {
    _mm512_store_si512(out + k * kPanel, _mm512_setzero_si512());
  }
}

// Register `Sums` += piece `Sums` of x times what kRight holds.
template <int Sums>
inline void add_piece(const uint16_t* x, int64_t rows) {
  Tile::load<kLeft>(x + Sums * rows * kTileTerms, 2 * kTileTerms);
  Tile::dot_bf16<Sums, kLeft, kRight>();
}

// n terms in pairs under the `rows` rows of one tile; c [rows][16], which the first block begins.
// Three sums, so that no product waits for the one before.
void tile_block(const uint16_t* x, int64_t rows, const uint16_t* pairs, int64_t n, bool first,
                float* c) {
  static_assert(kPieces == 3);
  alignas(64) float sums[kPieces][kTileHeight * kPanel];
  Tile::zero<0>();
  Tile::zero<1>();
  Tile::zero<2>();
  for (int64_t k = 0; k < n; k += kTileTerms) {
    Tile::load<kRight>(pairs + k * kPanel, 4 * kPanel);
    add_piece<0>(x, rows);
    add_piece<1>(x, rows);
    add_piece<2>(x, rows);
    x += kPieces * rows * kTileTerms;
  }
  Tile::store<0>(sums[0], 4 * kPanel);
  Tile::store<1>(sums[1], 4 * kPanel);
  Tile::store<2>(sums[2], 4 * kPanel);
  for (int64_t i = 0; i < rows * kPanel; i += Vec::kWidth) {
    const Vec low = Vec::load(sums[2] + i) + Vec::load(sums[1] + i);
    const Vec sum = low + Vec::load(sums[0] + i);
    (first ? sum : Vec::load(c + i) + sum).store(c + i);
  }
}

int64_t tile_scratch(const TileArgs&, const MatmulPart& part) {
  return rows_of(part) * (part.panel_end - part.panel_begin) * kPanel;
}

void multiply_tiles(const TileArgs& t, const MatmulPart& part, float* scratch) {
  alignas(64) uint16_t pairs[kSumBlock * kPanel];
  const int64_t rows = rows_of(part), inputs = t.product.inputs;
  const int64_t row_terms = (inputs + kTileTerms - 1) / kTileTerms * kPieces * kTileTerms;
  const auto sums_of = [&](int64_t p) { return scratch + (p - part.panel_begin) * rows * kPanel; };
  const auto pass = [&](int64_t panel, int64_t k) {
    const int64_t n = inputs - k < kSumBlock ? inputs - k : kSumBlock;
    const auto* panels = static_cast<const char*>(t.product.panels);
    pair_terms(panels + (panel * inputs + k) * 2 * kPanel, n, pairs);
    for (int64_t r = 0; r < rows; r += kTileHeight) {
      const int64_t some = rows - r < kTileHeight ? rows - r : kTileHeight;
      const uint16_t* x = t.x + (part.row_begin + r) * row_terms + k * kPieces * some;
      tile_block(x, some, pairs, n, k == 0, sums_of(panel) + r * kPanel);
    }
  };
  Tile::begin(kHalfShapes.bytes);
  if (rows <= kTileHeight) {  // weights set the pace: each panel passes as it lies
    for (int64_t panel = part.panel_begin; panel < part.panel_end; ++panel) {
      for (int64_t k = 0; k < inputs; k += kSumBlock) pass(panel, k);
    }
  } else {  // rows of a block stay near while panels pass
    for (int64_t k = 0; k < inputs; k += kSumBlock) {
      for (int64_t panel = part.panel_begin; panel < part.panel_end; ++panel) pass(panel, k);
    }
  }
  Tile::end();
  for (int64_t panel = part.panel_begin; panel < part.panel_end; ++panel) {
    finish_panel(t.product, part.row_begin, rows, panel, sums_of(panel));
  }
}

constexpr AmxKernels make_amx(const char* level) {
  BlockKernels blocks = make_blocks(level);
  blocks.multiply_many = multiply_block_tiles;
  return {.blocks = blocks,
          .tiles = {.split = split, .multiply = multiply_tiles, .tile_scratch = tile_scratch}};
}
