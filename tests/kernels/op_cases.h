// THE shape table: which sizes every operation is tested and timed at, and where each comes from.
// Tests run all rows but those marked `timed`, which are whole published layers, too long for
// `ref`; the bench runs all. A new operation or storage format gets its rows here first.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace janus {

enum class Use : uint8_t { tested, timed };

struct LinearCase {
  const char* source;
  int64_t rows, inputs, outputs;
  Dtype dtype;
  Epilogue epilogue;
  bool bias;
  Use use = Use::tested;
};

inline constexpr LinearCase kLinearCases[] = {
    {"llama 1B decode, pair: qkv", 2, 2048, 6144, Dtype::bf16, Epilogue::store, false},
    {"llama 1B decode, pair: down", 2, 5632, 2048, Dtype::bf16, Epilogue::add, false},
    {"llama 1B decode: out, f32", 1, 2048, 2048, Dtype::f32, Epilogue::add, false},
    {"llama 7B decode: down, longest sum", 1, 11008, 48, Dtype::f32, Epilogue::add, false},
    {"window of 64 rows", 64, 512, 256, Dtype::bf16, Epilogue::store, false},
    {"prefill tail of 17", 17, 2048, 64, Dtype::f32, Epilogue::store, false},
    {"prefill, uneven", 205, 300, 96, Dtype::f32, Epilogue::add, false},
    {"siglip fc1", 40, 1024, 512, Dtype::f32, Epilogue::gelu, true},
    {"aligner, first", 13, 1024, 160, Dtype::bf16, Epilogue::gelu, true},
    {"gen_aligner: codes of 8", 3, 8, 2048, Dtype::f32, Epilogue::store, true},
    {"odd everything", 7, 259, 37, Dtype::f32, Epilogue::store, true},
    {"odd everything, bf16, many rows", 29, 513, 19, Dtype::bf16, Epilogue::add, true},
    {"one of each", 1, 1, 1, Dtype::f32, Epilogue::store, true},
    {"llama 1B decode: out", 1, 2048, 192, Dtype::q8_0, Epilogue::add, false},
    {"llama 1B decode, pair: down", 2, 5632, 128, Dtype::q4_0, Epilogue::add, false},
    {"llama 7B decode, pair: down, longest sum", 2, 11008, 48, Dtype::q8_0, Epilogue::store, false},
    {"two pictures: qkv", 4, 2048, 80, Dtype::q4_0, Epilogue::store, false},
    {"five rows of blocks", 5, 512, 200, Dtype::q8_0, Epilogue::store, true},
    {"eight rows of blocks", 8, 288, 75, Dtype::q4_0, Epilogue::add, true},
    {"window of 64 rows of blocks", 64, 2080, 256, Dtype::q8_0, Epilogue::store, false},
    {"prefill of blocks, uneven", 205, 352, 97, Dtype::q4_0, Epilogue::add, false},
    {"prefill tail of 9, blocks", 9, 2048, 64, Dtype::q8_0, Epilogue::store, false},
    {"siglip fc1, blocks", 40, 1024, 512, Dtype::q8_0, Epilogue::gelu, true},
    {"one block", 1, 32, 1, Dtype::q8_0, Epilogue::store, true},
    {"three blocks, odd everything", 7, 96, 37, Dtype::q4_0, Epilogue::store, true},
    {"llama 1B decode: gate, q4_k", 1, 2048, 200, Dtype::q4_k, Epilogue::store, false},
    {"llama 1B decode, pair: down, q6_k", 2, 5632, 128, Dtype::q6_k, Epilogue::add, false},
    {"llama 7B decode: down, longest sum, q6_k", 1, 11008, 48, Dtype::q6_k, Epilogue::add, false},
    {"four rows of q4_k", 4, 768, 75, Dtype::q4_k, Epilogue::add, true},
    {"eight rows of q6_k", 8, 512, 33, Dtype::q6_k, Epilogue::store, true},
    {"prefill of q4_k, uneven", 205, 512, 97, Dtype::q4_k, Epilogue::add, false},
    {"prefill of q6_k, uneven", 109, 768, 97, Dtype::q6_k, Epilogue::store, true},
    {"one block of q4_k", 1, 256, 1, Dtype::q4_k, Epilogue::store, true},
    {"one block of q6_k", 1, 256, 1, Dtype::q6_k, Epilogue::gelu, true},
    {"llama 1B decode: gate and up", 2, 2048, 11264, Dtype::bf16, Epilogue::store, false,
     Use::timed},
    {"llama 1B decode: gate and up, f32", 1, 2048, 11264, Dtype::f32, Epilogue::store, false,
     Use::timed},
    {"16 rows: gate and up", 16, 2048, 11264, Dtype::bf16, Epilogue::store, false, Use::timed},
    {"llama 1B decode: gate and up, q8_0", 1, 2048, 11264, Dtype::q8_0, Epilogue::store, false,
     Use::timed},
    {"pair: gate and up, q8_0", 2, 2048, 11264, Dtype::q8_0, Epilogue::store, false, Use::timed},
    {"pair: gate and up, q4_0", 2, 2048, 11264, Dtype::q4_0, Epilogue::store, false, Use::timed},
    {"8 rows: gate and up, q8_0", 8, 2048, 11264, Dtype::q8_0, Epilogue::store, false, Use::timed},
    {"16 rows: gate and up, q8_0", 16, 2048, 11264, Dtype::q8_0, Epilogue::store, false,
     Use::timed},
    {"64 rows: gate and up, q8_0", 64, 2048, 11264, Dtype::q8_0, Epilogue::store, false,
     Use::timed},
    {"prompt of 600: gate and up, q8_0", 600, 2048, 11264, Dtype::q8_0, Epilogue::store, false,
     Use::timed},
    {"prompt of 600: gate and up, q4_0", 600, 2048, 11264, Dtype::q4_0, Epilogue::store, false,
     Use::timed},
    {"llama 1B decode: gate and up, q4_k", 1, 2048, 11264, Dtype::q4_k, Epilogue::store, false,
     Use::timed},
    {"llama 1B decode: gate and up, q6_k", 1, 2048, 11264, Dtype::q6_k, Epilogue::store, false,
     Use::timed},
    {"pair: gate and up, q4_k", 2, 2048, 11264, Dtype::q4_k, Epilogue::store, false, Use::timed},
    {"pair: gate and up, q6_k", 2, 2048, 11264, Dtype::q6_k, Epilogue::store, false, Use::timed},
    {"prompt of 600: gate and up, q4_k", 600, 2048, 11264, Dtype::q4_k, Epilogue::store, false,
     Use::timed},
    {"prompt of 600: gate and up, q6_k", 600, 2048, 11264, Dtype::q6_k, Epilogue::store, false,
     Use::timed},
    {"64 rows: gate and up", 64, 2048, 11264, Dtype::bf16, Epilogue::store, false, Use::timed},
    {"prompt of 600: gate and up, f32", 600, 2048, 11264, Dtype::f32, Epilogue::store, false,
     Use::timed},
    {"prompt of 600: gate and up, bf16", 600, 2048, 11264, Dtype::bf16, Epilogue::store, false,
     Use::timed},
    {"prompt of 600: down, f32", 600, 5632, 2048, Dtype::f32, Epilogue::add, false, Use::timed},
    {"siglip qkv", 576, 1024, 3072, Dtype::f32, Epilogue::store, true, Use::timed},
    {"siglip fc1, whole", 576, 1024, 4096, Dtype::f32, Epilogue::gelu, true, Use::timed},
};

struct ConvCase {
  const char* source;
  int64_t images, height, width, channels, outputs;
  int kernel, stride, pad_before, pad_after;
  Dtype dtype;
  Epilogue epilogue;
  Use use = Use::tested;
  bool by_tiles = false;  // kernel 3, stride 1, large enough for Winograd's tiles
};

inline constexpr ConvCase kConvCases[] = {
    {"siglip patches", 1, 48, 64, 3, 80, 16, 16, 0, 0, Dtype::f32, Epilogue::store},
    {"vq conv_in", 1, 20, 12, 3, 128, 3, 1, 1, 1, Dtype::f32, Epilogue::store},
    {"vq 512 channels, longest sum", 1, 5, 4, 512, 48, 3, 1, 1, 1, Dtype::f32, Epilogue::add},
    {"vq 128 channels", 2, 9, 11, 128, 64, 3, 1, 1, 1, Dtype::bf16, Epilogue::store},
    {"vq down, pads right and below", 2, 10, 14, 32, 32, 3, 2, 0, 1, Dtype::f32, Epilogue::store},
    {"vq conv_out, three channels", 1, 16, 24, 128, 3, 3, 1, 1, 1, Dtype::f32, Epilogue::store},
    {"vq shortcut 1x1", 1, 6, 6, 96, 40, 1, 1, 0, 0, Dtype::f32, Epilogue::add},
    {"odd: kernel 5, stride 2, pads 2 and 1", 1, 11, 7, 5, 18, 5, 2, 2, 1, Dtype::f32,
     Epilogue::store},
    {"by tiles: two images, parts of tiles at both edges", 2, 33, 30, 24, 40, 3, 1, 1, 1,
     Dtype::f32, Epilogue::add, Use::tested, true},
    {"by tiles: longest sum, bf16, odd outputs", 1, 32, 34, 270, 5, 3, 1, 1, 1, Dtype::bf16,
     Epilogue::store, Use::tested, true},
    {"by tiles: three outputs, odd channels, no pads", 1, 42, 34, 19, 3, 3, 1, 0, 0, Dtype::f32,
     Epilogue::store, Use::tested, true},
    {"vq 512 channels at 24", 1, 24, 24, 512, 512, 3, 1, 1, 1, Dtype::f32, Epilogue::store,
     Use::timed},
    {"vq 256 channels at 96", 1, 96, 96, 256, 256, 3, 1, 1, 1, Dtype::f32, Epilogue::store,
     Use::timed},
    {"vq 128 channels at 384", 1, 384, 384, 128, 128, 3, 1, 1, 1, Dtype::f32, Epilogue::add,
     Use::timed},
    {"vq conv_out at 384", 1, 384, 384, 128, 3, 3, 1, 1, 1, Dtype::f32, Epilogue::store,
     Use::timed},
};

struct AttendCase {
  const char* source;
  int sequences;
  int64_t length;  // positions before the step, of the first sequence; each next one 37 fewer
  int64_t rows;    // new rows of each sequence
  int heads, kv_heads, width;
  Dtype dtype;
  Use use = Use::tested;
};

inline constexpr AttendCase kAttendCases[] = {
    {"llama 1B decode, pair", 2, 330, 1, 16, 16, 128, Dtype::bf16},
    {"llama 1B decode, f32 cache", 1, 130, 1, 16, 16, 128, Dtype::f32},
    {"prompt of 150", 1, 0, 150, 4, 4, 128, Dtype::f32},
    {"prompt continued across a block", 1, 59, 21, 2, 2, 64, Dtype::bf16},
    {"grouped heads", 3, 100, 5, 8, 2, 64, Dtype::f32},
    {"one key head for seven queries, odd width", 2, 70, 3, 7, 1, 18, Dtype::f32},
    {"width below a vector", 1, 3, 2, 2, 1, 6, Dtype::bf16},
    {"first position", 1, 0, 1, 2, 2, 32, Dtype::f32},
    {"llama 1B decode, pair, 8 bits", 2, 330, 1, 16, 16, 128, Dtype::q8},
    {"grouped heads, 8 bits", 3, 100, 5, 8, 2, 64, Dtype::q8},
    {"prompt continued across a block, 8 bits", 1, 59, 21, 2, 2, 64, Dtype::q8},
    {"odd width, 8 bits", 2, 70, 3, 7, 1, 18, Dtype::q8},
    {"width below a vector, 8 bits", 1, 3, 2, 2, 1, 6, Dtype::q8},
    {"16 pictures, pairs, at 330, 8 bits", 32, 1500, 1, 16, 16, 128, Dtype::q8, Use::timed},
    {"16 pictures, pairs, at 330", 32, 1500, 1, 16, 16, 128, Dtype::bf16, Use::timed},
    {"prompt of 600", 1, 0, 600, 16, 16, 128, Dtype::f32, Use::timed},
};

struct AttendFullCase {
  const char* source;
  int64_t images, tokens;
  int heads;
  int64_t width;
  Use use = Use::tested;
};

inline constexpr AttendFullCase kAttendFullCases[] = {
    {"siglip, one head", 1, 576, 1, 64},    {"vq middle, small", 2, 36, 1, 512},
    {"tiny janus", 3, 16, 4, 16},           {"odd tokens and width", 1, 131, 3, 23},
    {"siglip", 1, 576, 16, 64, Use::timed}, {"vq middle", 1, 576, 1, 512, Use::timed},
};

struct RowCase {
  const char* source;
  int64_t rows, width;
  Use use = Use::tested;
};

inline constexpr RowCase kRowCases[] = {
    {"llama 1B decode, pair", 2, 2048},
    {"llama 7B mlp", 3, 11008},
    {"siglip", 5, 1024},
    {"odd", 4, 77},
    {"less than a vector", 3, 2},
    {"prompt of 600", 600, 2048, Use::timed},
};

struct RopeCase {
  const char* source;
  int64_t rows;
  int heads, width;
  Use use = Use::tested;
};

inline constexpr RopeCase kRopeCases[] = {
    {"llama 1B", 3, 16, 128},
    {"odd half", 5, 3, 22},
    {"prompt of 600", 600, 16, 128, Use::timed},
};

struct GroupNormCase {
  const char* source;
  int64_t images, height, width, channels;
  int groups;
  bool silu;
  Use use = Use::tested;
};

inline constexpr GroupNormCase kGroupNormCases[] = {
    {"vq 512 channels at 24", 1, 24, 24, 512, 32, true},
    {"vq 128 channels, several chunks", 1, 40, 31, 128, 32, true},
    {"two images, attention norm", 2, 6, 5, 64, 32, false},
    {"odd groups", 1, 7, 3, 42, 6, true},
    {"vq 128 channels at 384", 1, 384, 384, 128, 32, true, Use::timed},
};

struct UpsampleCase {
  const char* source;
  int64_t images, height, width, channels;
  Use use = Use::tested;
};

inline constexpr UpsampleCase kUpsampleCases[] = {
    {"vq", 1, 12, 10, 64},
    {"odd", 2, 3, 5, 7},
    {"vq 192 to 384", 1, 192, 192, 256, Use::timed},
};

struct NearestCase {
  const char* source;
  int64_t rows, codes, width;
  Use use = Use::tested;
};

inline constexpr NearestCase kNearestCases[] = {
    {"vq, some rows", 20, 16384, 8},
    {"odd", 35, 257, 5},
    {"wide codes", 3, 40, 130},
    {"vq", 576, 16384, 8, Use::timed},
};

}  // namespace janus
