// What one instruction-set level offers: plain functions over plain memory, one table a level. The
// files that fill a table are compiled with that level's flags, so this header, the .inl files and
// the intrinsics are all they may include: a shared inline function compiled there could reach
// processors that lack the instructions. Nothing here throws; shapes are checked above.
//
// Products with weights in blocks have a table of their own, so that a level whose instructions
// serve those alone shares the other one with the level below. Every entry keeps the order of
// addition told beside it.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <type_traits>

namespace janus::cpu {

inline constexpr int kPanel = 16;       // outputs of one column panel of a packed weight
inline constexpr int kSumBlock = 256;   // terms of one partial sum of a matrix product
inline constexpr int kBlock = 64;       // positions of one block of keys; == kKvBlock
inline constexpr int kMostQueries = 6;  // that share one pass over a block
inline constexpr int kTileSide = 4;     // outputs of one side of a convolution's tile
inline constexpr int kTileSpots = 36;   // numbers of its transformed window and filter

enum class Format : uint8_t { f32, bf16, q8 };  // q8: of keys and values alone
enum class Finish : uint8_t { store, add, gelu, add_gelu };

// The left side of a product: rows of `kernel·kernel·channels` numbers in (ky, kx, c) order, read
// from an image as windows. A plain matrix [R, K] is the image [1, 1, R, K] under kernel 1.
struct Windows {
  const float* data;
  int64_t pixel_stride;  // floats from a pixel to its right neighbour
  int64_t channels;
  int64_t height, width;          // of one image
  int64_t out_height, out_width;  // windows of one image
  int kernel, stride, pad;
};

// y (finish) x·Wᵀ + bias. Weights lie in column panels [O/16][K][16], zeros behind the last output.
// One output is added in rising k within blocks of kSumBlock from zero, then block after block.
struct MatmulArgs {
  Windows x;
  const void* panels;
  Format format;
  int64_t inputs;     // K
  int64_t outputs;    // O
  const float* bias;  // [O] or null
  float* out;
  int64_t out_stride;
  Finish finish;
};

// The part of the output that one call computes.
struct MatmulPart {
  int64_t row_begin, row_end;
  int64_t panel_begin, panel_end;
};

// --- weights in blocks (kernels/backend.h) -------------------------------------------------------
//
// Layout: column panels of 16 outputs as above, each a row of units, the last perhaps not full:
// bytes of a file's blocks that belong together lie beside each other for 16 outputs. Numbers go in
// groups of 4, which are 4 bytes, so that one vector holds a group of several outputs; every vector
// lies within one cache line.
//
// q8_0, q4_0: a unit is a pair of blocks of 32: its scales, f16 [2][16], then the codes of either
// block, [2][groups][16][4]. q8_0 has 8 groups a block, of numbers + 128. q4_0 has 4, as ggml's
// bytes are: the low halves are numbers 4i … 4i + 3, the high ones numbers 16 + 4i …, all + 8.
//
// q4_k: a unit is a block of 256, as ggml's bytes are: scale and least, f16 [2][16]; the 6-bit
// numbers of its runs, [12][16]; codes [4][8][16][4], low halves those of an even run of 32, high
// halves those of the odd one behind it.
//
// q6_k: a unit is a pair of blocks of 256, as ggml's bytes are: scales, f16 [2][16]; then of either
// block the factors of its runs, int8 [16][16], low halves of codes [2][2][8][16][4] and the two
// bits above them [2][8][16][4].

inline constexpr int kQuant = 32;        // numbers of one block of x
inline constexpr int kFewBlockRows = 8;  // rows of x up to which weights are streamed once
inline constexpr int kTileHeight = 16;   // rows of a tile register

enum class Blocks : uint8_t { q8_0, q4_0, q4_k, q6_k };

// Types whose blocks hold runs with scales of their own: superblocks.inl multiplies them.
constexpr bool has_runs(Blocks blocks) { return blocks == Blocks::q4_k || blocks == Blocks::q6_k; }

inline constexpr int kSuper = 8;  // blocks of x beside one block of a type with runs

// Of q8_0 and q4_0: codes of a block, and all of a pair.
constexpr int64_t code_bytes(Blocks blocks) { return kPanel * (blocks == Blocks::q8_0 ? 32 : 16); }
constexpr int64_t pair_bytes(Blocks blocks) { return 4 * kPanel + 2 * code_bytes(blocks); }

// Blocks of x beside one unit, and the unit's bytes.
constexpr int64_t unit_blocks(Blocks blocks) {
  return blocks == Blocks::q6_k ? 2 * kSuper : blocks == Blocks::q4_k ? kSuper : 2;
}
constexpr int64_t unit_bytes(Blocks blocks) {
  return blocks == Blocks::q6_k   ? kPanel * 420
         : blocks == Blocks::q4_k ? kPanel * 144
                                  : pair_bytes(blocks);
}
constexpr int64_t panel_bytes(Blocks blocks, int64_t inputs) {
  const int64_t unit = kQuant * unit_blocks(blocks);
  return (inputs + unit - 1) / unit * unit_bytes(blocks);
}

// One block of a row of x.
struct QuantBlock {
  int8_t q[kQuant];
  int32_t start;  // of the sum Σ q·code: takes away what was added to the codes
  float scale;    // a
  float offset;   // fma(the sum's bits as a float, scale, offset) = Σ q·w · a; else unused
  union {
    float least;     // of q4_k: -(Σ q) · a
    int32_t second;  // of q6_k: `start` of the sum over the second half, as `start` is of the first
  };
};
static_assert(sizeof(QuantBlock) == 48);

struct BlockArgs {
  MatmulArgs product;  // its `x` and `format` are not read
  Blocks blocks;       // of the weights
  int64_t rows;        // of x
  // Tiles of rows_beside rows, the last perhaps fewer: [K/32][rows of the tile]. What a processor
  // reads of rows that the last one lacks, it drops: block_bytes has room for it.
  const QuantBlock* x;
};

constexpr int64_t block_row_bytes(int64_t rows, int64_t inputs) {
  return (rows * (inputs / kQuant) + kTileHeight) * int64_t{sizeof(QuantBlock)};
}

struct BlockKernels {
  const char* level;
  int rows_beside;  // rows of x that lie together in blocks

  // A row of x in blocks, `step` from one to the next.
  void (*quantise)(const float* x, int64_t inputs, Blocks weights, QuantBlock* out, int64_t step);
  // Weights streamed once, for at most kFewBlockRows rows; and for more, parts that begin at a
  // multiple of rows_beside. Both give the same bits. scratch: block_scratch floats, 64-byte
  // aligned.
  void (*multiply_few)(const BlockArgs&, const MatmulPart&, float* scratch);
  void (*multiply_many)(const BlockArgs&, const MatmulPart&, float* scratch);
  int64_t (*block_scratch)(const BlockArgs&, const MatmulPart&);
};

// --- bf16 weights under tiles -------------------------------------------------------------------
//
// A row of x as three rows of bf16 whose sum it is, each holding the eight leading bits of what the
// ones before leave: products with bf16 weights are exact, sums are of f32. What is not finite is
// in the first of the three. A block of kSumBlock terms is three sums, added smallest first,
// whatever rows are beside; then block after block as above.

inline constexpr int kTileTerms = 32;  // bf16 numbers in a row of a tile register
inline constexpr int kPieces = 3;

struct TileArgs {
  MatmulArgs product;  // its `x` is not read
  // Tiles of kTileHeight rows, the last perhaps fewer: [K/32][kPieces][rows of the tile][32], zeros
  // behind the last term; room as in BlockArgs.
  const uint16_t* x;
};

constexpr int64_t piece_bytes(int64_t rows, int64_t inputs) {
  const int64_t steps = (inputs + kTileTerms - 1) / kTileTerms;
  return (rows * steps * kPieces + kTileHeight) * kTileTerms * int64_t{sizeof(uint16_t)};
}

struct TileKernels {
  // A row of x in pieces, `rows` of a tile beside it.
  void (*split)(const float* x, int64_t inputs, int64_t rows, uint16_t* out);
  // A part that begins at a multiple of kTileHeight rows. scratch: tile_scratch floats, 64-byte
  // aligned.
  void (*multiply)(const TileArgs&, const MatmulPart&, float* scratch);
  int64_t (*tile_scratch)(const TileArgs&, const MatmulPart&);
};

// One block of keys and values under a few rows of queries; the online softmax carries `top`, `sum`
// and `out` (the weighted sum of values so far) from block to block.
struct AttendArgs {
  int queries;                   // 1 … kMostQueries
  const float* q[kMostQueries];  // [H] each
  float* out[kMostQueries];      // [H] each
  float* top[kMostQueries];      // largest score so far, -inf before the first block
  float* sum[kMostQueries];      // of exp(score - top) so far
  int count[kMostQueries];       // positions of the block that this query sees, 1 … kBlock
  const void* keys;              // [H][kBlock]
  const void* values;            // rows [H]
  int64_t value_stride;          // elements from one position's value to the next
  const float* key_scales;       // [kBlock], of q8
  const float* value_scales;     // [kBlock], of q8
  // Those read once this block is done. Keys, then values, then these are fetched a little before
  // they are read, one stream without a pause. Null: nothing is fetched.
  const void* next_keys;
  Format format;  // of keys and values
  int64_t width;  // H
  float scale;
};

struct KernelTable {
  const char* name;
  BlockKernels blocks;

  // Weights streamed once, for few rows, which pack_few has put into the scratch; and tiles of
  // activations held while weights pass, for many. Both give the same bits. scratch: few_scratch /
  // many_scratch floats, 64-byte aligned.
  void (*pack_few)(const MatmulArgs&, int64_t row_begin, int64_t row_end, float* scratch);
  void (*matmul_few)(const MatmulArgs&, const MatmulPart&, float* scratch);
  int64_t (*few_scratch)(const MatmulArgs&, const MatmulPart&);
  void (*matmul_many)(const MatmulArgs&, const MatmulPart&, float* scratch);
  int64_t (*many_scratch)(const MatmulArgs&, const MatmulPart&);

  // Convolutions of kernel 3 and stride 1 by tiles of 4×4 outputs, counted line by line, image
  // after image. Filters of one panel of the weight [36][C][16]; then outputs of some tiles from
  // those of all panels. The bits of a tile depend on its window alone. scratch: winograd_scratch
  // floats.
  void (*winograd_filters)(const MatmulArgs&, int64_t panel, float* filters);
  void (*winograd_tiles)(const MatmulArgs&, const float* filters, int64_t begin, int64_t end,
                         float* scratch);
  int64_t (*winograd_scratch)(const MatmulArgs&, int64_t tiles);

  void (*attend_block)(const AttendArgs&);
  // out[c·out_stride + r] = x[r·x_stride + c]
  void (*transpose)(const float* x, int64_t x_stride, int rows, int64_t cols, float* out,
                    int64_t out_stride);

  // One row each; sums run in vector lanes, four vectors side by side.
  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t n, float* out);
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float eps, int64_t n,
                     float* out);
  void (*swiglu)(const float* gate, const float* up, int64_t n, float* out);
  void (*rope)(float* low, float* high, const float* cos, const float* sin, int64_t half);
  void (*add)(float* x, const float* y, int64_t n);
  void (*scale)(float* x, float factor, int64_t n);

  // sums[c] = Σ over pixels of x[p][c] - center[c], squared where asked; pixels in rising order.
  void (*channel_sums)(const float* x, int64_t pixels, int64_t channels, const float* center,
                       bool squared, float* sums);
  // out = (x - mean[c])·scale[c] + shift[c], then t·sigmoid(t) where asked.
  void (*normalise_pixels)(const float* x, int64_t pixels, int64_t channels, const float* mean,
                           const float* scale, const float* shift, bool silu, float* out);

  // The nearest of `codes` [C, E] for `rows` rows of x [rows, E]; squares [C] holds Σe². scratch
  // [16·E].
  void (*nearest_code)(const float* x, int64_t x_stride, int64_t rows, const float* codes,
                       int64_t code_stride, const float* squares, int64_t count, int64_t width,
                       float* scratch, int32_t* ids);
};

extern const KernelTable kBaseKernels;
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvx512Kernels;
extern const BlockKernels kAvx512VnniBlocks;

struct AmxKernels {
  BlockKernels blocks;
  TileKernels tiles;
};
extern const AmxKernels kAmxKernels;

// What a processor runs.
struct Level {
  const KernelTable& table;
  const BlockKernels& blocks;
  const TileKernels* tiles;  // for products with bf16 matrices; null: the table's
};

}  // namespace janus::cpu
