// The vocabulary: every operation the model is made of, its meaning and its shapes. What each word
// means exactly is `ref/`; how it is made fast is `cpu/`. The public functions check shapes and
// types once for all backends and throw Code::bug naming the operation and both shapes.
// SPDX-License-Identifier: MIT
//
// Letters: R rows in this step (all new tokens of all sequences) · T tokens of one image · D width
// · N query heads · M key/value heads · H head width · F MLP width · V text ids · C image codes ·
// E code vector · images are [n, h, w, c].
//
// What must stay true: the bits of one output row depend on that row's inputs, on the summed length
// and on the instruction-set level alone; never on the number of threads, on the rows beside it, or
// on where a prompt was cut. So every sum runs over the summed dimension in one fixed block order,
// and attention walks the cache in blocks of kKvBlock positions that start at position 0.
//
// Products with weights in blocks (q8_0, q4_0, q4_k, q6_k) give the same bits on every backend and
// level. Each row of x is cut into blocks of 32. Of a block with largest size m the scale is
// a = bf16(m · (1/127)), or 0 where m < 2⁻⁶⁴, and each number becomes q = x · (1/a) rounded to the
// nearest whole number, halves to even; 1/127 and 1/a are f32, and |q| <= 127. In q8_0 and q4_0
// rows of W have blocks of 32 too. With w the whole numbers of one and d its scale (w = code - 8 in
// q4_0),
//
//     x·Wᵀ = Σ over blocks, rising, from zero, of  ((Σ q·w) · a) · d
//
// where Σ q·w is exact and every product and sum around it is rounded to f32, none of them fused.
// q4_k has runs of 32 and q6_k of 16, whose numbers are step · code - below, or step · code, with
// step and below exact in f32 (base/k_quant.h). So are the first factors here, and run after run,
// rising, from zero, one fused multiply-add rounds once:
//
//     y = fma((Σ q·code) · a, step, y),  and in q4_k then  y = fma(-(Σ q) · a, below, y)
//
// A block with a number that is not finite gives outputs that are not; numbers are below 2⁹⁶.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "base/tensor.h"
#include "kernels/weight.h"

namespace janus {

inline constexpr int kKvBlock = 64;  // positions in one block of the key/value cache

// The rows of one step: where each new token stands. All spans have R entries.
struct Rows {
  std::span<const int32_t> sequence;  // which row of `blocks`
  std::span<const int32_t> position;  // 0-based place in that sequence
  // [sequences, blocks_per_sequence]: which block holds positions i·kKvBlock … of a sequence.
  // Sequences may share blocks of a common beginning.
  std::span<const int32_t> blocks;
  int64_t blocks_per_sequence = 0;

  int64_t count() const { return static_cast<int64_t>(position.size()); }
};

// Keys and values of one layer; the order inside a block belongs to the backend. In q8 each head of
// each position is H whole numbers and one scale in f32: with largest size m that is m · (1/127),
// or 0 where m < 2⁻⁶⁴, and each number x · (1/scale), halves to even. Held so, x is wrong by m/254
// at most and its rounding. Codes are the same on every backend and level; attention with them
// agrees within the bound of attention.
struct KvLayer {
  Dtype dtype = Dtype::f32;  // f32, bf16 or q8
  int heads = 0;             // M
  int width = 0;             // H
  int64_t blocks = 0;
  int64_t stride = 0;           // bytes from one block to the next, of keys and of values alike
  std::byte* keys = nullptr;    // kv_block_bytes of block 0
  std::byte* values = nullptr;  // kv_block_bytes of block 0
};

// cos and sin of position·frequency, [positions, H/2] each.
struct RopeTable {
  OwnedTensor cos;
  OwnedTensor sin;
};

enum class Epilogue {
  store,     // y = x·Wᵀ + b
  add,       // y += x·Wᵀ + b
  gelu,      // y = gelu(x·Wᵀ + b), gelu(t) = t/2·(1 + erf(t/√2))
  add_gelu,  // y = gelu(y + x·Wᵀ + b)
};

class Backend {
 public:
  using Pause = std::function<void()>;

  virtual ~Backend() = default;

  virtual std::string name() const = 0;  // "ref", "cpu avx512"
  virtual int threads() const = 0;

  // --- at load ---------------------------------------------------------------------------------
  // rows [O, K] -> the backend's layout in `dtype` (f32, bf16, q8_0, q4_0, q4_k or q6_k; K whole
  // blocks); bias [O] or empty. Convolutions want f32 or bf16.
  Weight pack(Dtype dtype, int64_t outputs, int64_t inputs, const RowSource& rows,
              std::span<const float> bias = {}) const;
  // The same from rows that are stored in that type of blocks already; their scales are finite.
  Weight pack_blocks(Dtype dtype, int64_t outputs, int64_t inputs, const BlockSource& rows,
                     std::span<const float> bias = {}) const;
  // The same in steps, for whoever has many rows at a time. First a matrix whose numbers are still
  // to come …
  Weight unfilled(Dtype dtype, int64_t outputs, int64_t inputs,
                  std::span<const float> bias = {}) const;
  // … then all its rows, each once: from row `first`, a multiple of kPlacedTogether, n of them in
  // the type's plain bytes (base/quant.h), n a multiple too unless they are the last.
  void place(Weight& weight, int64_t first, std::span<const std::byte> rows) const;
  static constexpr int64_t kPlacedTogether = 16;
  // The same of kPlacedTogether rows or the last ones, on this thread alone: may be called while
  // work is shared out.
  void place_some(Weight& weight, int64_t first, std::span<const std::byte> rows) const;
  // Memory of undefined content that the system has given already, on all threads at once.
  Buffer fresh_memory(int64_t bytes) const;
  // Calls fn(i) for every i below n, on all threads: work of the caller's own while loading. What
  // one of them throws is thrown here once all are done. Of the backend fn may use place_some().
  void share_out(int64_t n, const std::function<void(int64_t)>& fn) const;
  // The name of that layout where files may hold it ("panels16"), else "": see kernels/panels.h.
  virtual std::string_view packing() const { return {}; }
  // A matrix that lies in packing() already: packed_bytes of memory that is kept, not looked at.
  Weight adopt(Dtype dtype, int64_t outputs, int64_t inputs, Buffer packed,
               std::span<const float> bias = {}) const;
  // Bytes pack() will take, so that memory is planned before it is taken.
  int64_t packed_bytes(Dtype dtype, int64_t outputs, int64_t inputs) const;
  // Bytes of one block of keys (and as many of values) of one layer.
  int64_t kv_block_bytes(Dtype dtype, int heads, int width) const;
  // Bytes that conv2d takes for filters [O, kernel, kernel, c] in another form, at most; kept, and
  // shared by all convolutions.
  int64_t filter_bytes(int kernel, int64_t channels, int64_t outputs) const;

  // Bytes that linear takes for rows of x as products with weights of that type want them; kept,
  // and shared by all products.
  int64_t prepared_rows_bytes(Dtype dtype, int64_t rows, int64_t inputs) const;

  // Bytes that linear takes for the numbers between A and B of additions up to that rank; kept, and
  // shared by all products.
  static int64_t low_rank_bytes(int64_t rank);

  // --- rows ------------------------------------------------------------------------------------
  // out[r] = table[ids[r]].  ids [R], out [R, D]. Ids outside the table: Code::bug.
  void gather(const Table& table, std::span<const int32_t> ids, Tensor out) const;
  // out = x / sqrt(mean(x²) + eps) · weight, each row.  x, out [R, D], weight [D]. out may be x.
  void rms_norm(Tensor x, Tensor weight, float eps, Tensor out) const;
  // out = (x - mean) / sqrt(var + eps) · weight + bias, biased variance.  [R, D]. out may be x.
  void layer_norm(Tensor x, Tensor weight, Tensor bias, float eps, Tensor out) const;
  // out (epilogue) x·Wᵀ + b.  x [R, K], out [R, O], O all outputs; x and out are apart. Additions
  // of the weight count with x·Wᵀ, one after another; where gelu follows, the last is to all
  // outputs.
  void linear(Tensor x, const Weight& weight, Tensor out,
              Epilogue epilogue = Epilogue::store) const;
  // out = silu(gate_up[:, :F]) · gate_up[:, F:].  gate_up [R, 2F], out [R, F].
  void swiglu(Tensor gate_up, Tensor out) const;
  // Rotate-half, in place: pairs (j, j + H/2) of each head by the angle of the row's position.
  // x [R, heads·H]. (transformers, models/llama, apply_rotary_pos_emb)
  void rope(Tensor x, int heads, std::span<const int32_t> position, const RopeTable& table) const;
  // x += y, y repeated along the rows (x.rows a multiple of y.rows).  x [R, D], y [R', D].
  void add(Tensor x, Tensor y) const;
  // out = x.  [R, D]
  void copy(Tensor x, Tensor out) const;

  // --- attention -------------------------------------------------------------------------------
  // Writes each row's key and value at its (sequence, position).  key, value [R, M·H].
  void kv_store(Tensor key, Tensor value, const Rows& rows, const KvLayer& cache) const;
  // out[r] = softmax(q·kᵀ·scale)·v over positions 0 … position[r] of the row's sequence; query head
  // n reads key/value head n·M/N.  q, out [R, N·H].
  void attend(Tensor q, const Rows& rows, const KvLayer& cache, int heads, float scale,
              Tensor out) const;
  // The same over all T rows of each image, no cache, no mask.  q, k, v, out [n·T, N·H].
  void attend_full(Tensor q, Tensor k, Tensor v, int64_t tokens, int heads, float scale,
                   Tensor out) const;

  // --- images [n, h, w, c] ---------------------------------------------------------------------
  // x [n, h, w, c], out [n, h', w', O], h' = conv.output_size(h); epilogue store or add. One may
  // take a second: `between` is called on this thread after every fraction of that, and may use the
  // backend, but not for a convolution.
  void conv2d(Tensor x, const Conv& conv, Tensor out, Epilogue epilogue = Epilogue::store,
              const Pause& between = {}) const;
  // Normalises `groups` runs of contiguous channels over (h, w, c/groups), biased variance, then
  // weight and bias [c], then x·sigmoid(x) where asked.  out may be x.
  void group_norm(Tensor x, Tensor weight, Tensor bias, int groups, float eps, bool silu,
                  Tensor out) const;
  // Nearest neighbour.  x [n, h, w, c], out [n, 2h, 2w, c].
  void upsample2x(Tensor x, Tensor out) const;

  // --- codes -----------------------------------------------------------------------------------
  // The nearest row by squared distance, first on ties; both sides of unit length.
  // x [R, E], codebook [C, E], ids [R]. (janus/models/vq_model.py, VectorQuantizer.forward)
  void nearest_code(Tensor x, Tensor codebook, std::span<int32_t> ids) const;

 protected:
  // kPlacedTogether rows or fewer. The memory may hold anything; what no row fills becomes zero.
  virtual void do_place(Weight&, int64_t first, std::span<const std::byte> rows) const = 0;
  virtual void do_share_out(int64_t n, const std::function<void(int64_t)>&) const = 0;
  virtual int64_t do_prepared_rows_bytes(Dtype, int64_t rows, int64_t inputs) const = 0;
  virtual int64_t do_packed_bytes(Dtype, int64_t outputs, int64_t inputs) const = 0;
  virtual int64_t do_kv_block_bytes(Dtype, int heads, int width) const = 0;
  virtual int64_t do_filter_bytes(int kernel, int64_t channels, int64_t outputs) const = 0;
  virtual void do_gather(const Table&, std::span<const int32_t>, Tensor) const = 0;
  virtual void do_rms_norm(Tensor, Tensor, float, Tensor) const = 0;
  virtual void do_layer_norm(Tensor, Tensor, Tensor, float, Tensor) const = 0;
  virtual void do_linear(Tensor, const Weight&, Tensor, Epilogue) const = 0;
  virtual void do_swiglu(Tensor, Tensor) const = 0;
  virtual void do_rope(Tensor, int, std::span<const int32_t>, const RopeTable&) const = 0;
  virtual void do_add(Tensor, Tensor) const = 0;
  virtual void do_copy(Tensor, Tensor) const = 0;
  virtual void do_kv_store(Tensor, Tensor, const Rows&, const KvLayer&) const = 0;
  virtual void do_attend(Tensor, const Rows&, const KvLayer&, int, float, Tensor) const = 0;
  virtual void do_attend_full(Tensor, Tensor, Tensor, int64_t, int, float, Tensor) const = 0;
  virtual void do_conv2d(Tensor, const Conv&, Tensor, Epilogue, const Pause&) const = 0;
  virtual void do_group_norm(Tensor, Tensor, Tensor, int, float, bool, Tensor) const = 0;
  virtual void do_upsample2x(Tensor, Tensor) const = 0;
  virtual void do_nearest_code(Tensor, Tensor, std::span<int32_t>) const = 0;

 private:
  Weight pack_rows(Dtype dtype, int64_t outputs, int64_t inputs, const BlockSource& rows,
                   std::span<const float> bias) const;
  void multiply_rows(Tensor x, const Weight& weight, Tensor out, Epilogue epilogue) const;
  void linear_with_additions(Tensor x, const Weight& weight, Tensor out, Epilogue epilogue) const;

  struct Between {  // A and B of an addition
    std::mutex in_use;
    Buffer memory;
  };
  std::unique_ptr<Between> between_ = std::make_unique<Between>();
};

}  // namespace janus
