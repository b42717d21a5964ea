// CpuBackend: how the vocabulary is made fast on a processor. These files cut the work into pieces
// for the threads; the arithmetic is in the table of the instruction-set level. A piece is always
// some outputs whole, so that no cut can change a bit. Next: linear.cc, prepared.cc,
// conv.cc, attend.cc, rows.cc, image.cc here, then the .inl files.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/threads.h"
#include "kernels/backend.h"
#include "kernels/cpu/table.h"
#include "kernels/panels.h"

namespace janus {

// Parts of a given size that hold `whole`, the last perhaps smaller; rounds up.
constexpr int64_t split(int64_t whole, int64_t part) { return (whole + part - 1) / part; }

// Threads, each with scratch memory that grows to its largest use and then stays. One operation
// runs at a time; callers from several threads take turns.
class Workers {
 public:
  explicit Workers(int threads)
      : pool_(threads),
        scratch_(static_cast<size_t>(threads)),
        prepared_(static_cast<size_t>(threads)) {}

  int threads() const { return pool_.threads(); }

  // Calls fn(begin, end, scratch) over [0, n) in pieces of `grain`, as ThreadPool::parallel_for;
  // scratch has room for `floats` and undefined content.
  template <class F>
  void run(int64_t n, int64_t grain, int64_t floats, const F& fn) {
    run(
        n, grain, floats, [](float*) {}, fn);
  }

  // The same; prepare(scratch) comes before the first piece of every thread that has one, and what
  // it left there stays for the others.
  template <class Prepare, class F>
  void run(int64_t n, int64_t grain, int64_t floats, const Prepare& prepare, const F& fn) {
    const std::lock_guard lock(one_operation_);
    reserve(n > grain ? threads() : 1, floats);
    std::fill(prepared_.begin(), prepared_.end(), false);
    pool_.parallel_for(n, grain, [&](int64_t begin, int64_t end, int worker) {
      const auto at = static_cast<size_t>(worker);
      auto* scratch = reinterpret_cast<float*>(scratch_[at].data());
      if (!prepared_[at]) prepare(scratch);
      prepared_[at] = true;
      fn(begin, end, scratch);
    });
  }

 private:
  void reserve(int workers, int64_t floats);

  ThreadPool pool_;
  std::vector<Buffer> scratch_;
  std::vector<char> prepared_;  // which threads are, in the present run
  std::mutex one_operation_;
};

class CpuBackend : public Backend {
 public:
  CpuBackend(const cpu::Level& level, int threads);

  std::string name() const override { return std::string("cpu ") + blocks_.level; }
  int threads() const override { return workers_->threads(); }
  std::string_view packing() const override { return kPanelPacking; }

 protected:
  void do_place(Weight&, int64_t first, std::span<const std::byte> rows) const override;
  void do_share_out(int64_t n, const std::function<void(int64_t)>&) const override;
  int64_t do_prepared_rows_bytes(Dtype, int64_t rows, int64_t inputs) const override;
  int64_t do_packed_bytes(Dtype, int64_t outputs, int64_t inputs) const override;
  int64_t do_kv_block_bytes(Dtype, int heads, int width) const override;
  int64_t do_filter_bytes(int kernel, int64_t channels, int64_t outputs) const override;
  void do_gather(const Table&, std::span<const int32_t>, Tensor) const override;
  void do_rms_norm(Tensor, Tensor, float, Tensor) const override;
  void do_layer_norm(Tensor, Tensor, Tensor, float, Tensor) const override;
  void do_linear(Tensor, const Weight&, Tensor, Epilogue) const override;
  void do_swiglu(Tensor, Tensor) const override;
  void do_rope(Tensor, int, std::span<const int32_t>, const RopeTable&) const override;
  void do_add(Tensor, Tensor) const override;
  void do_copy(Tensor, Tensor) const override;
  void do_kv_store(Tensor, Tensor, const Rows&, const KvLayer&) const override;
  void do_attend(Tensor, const Rows&, const KvLayer&, int, float, Tensor) const override;
  void do_attend_full(Tensor, Tensor, Tensor, int64_t, int, float, Tensor) const override;
  void do_conv2d(Tensor, const Conv&, Tensor, Epilogue, const Pause&) const override;
  void do_group_norm(Tensor, Tensor, Tensor, int, float, bool, Tensor) const override;
  void do_upsample2x(Tensor, Tensor) const override;
  void do_nearest_code(Tensor, Tensor, std::span<int32_t>) const override;

 private:
  // One home for what an operation makes before its parts share it; grows to its largest use.
  struct Shared {
    std::mutex in_use;
    Buffer memory;

    std::byte* at_least(int64_t bytes) {
      if (memory.bytes() < bytes) {
        memory = Buffer();  // the old goes before the new comes
        memory = Buffer(bytes);
      }
      return memory.data();
    }
  };

  cpu::MatmulArgs product(const cpu::Windows& x, const Weight& w, Tensor out,
                          Epilogue epilogue) const;
  void multiply(const cpu::MatmulArgs& args, int64_t rows) const;
  void linear_blocks(Tensor x, const Weight& w, const cpu::MatmulArgs& product) const;
  void linear_tiles(Tensor x, const Weight& w, const cpu::MatmulArgs& product) const;
  // prepare(row, tile, rows of the tile) for every row of x; then multiply(part, scratch) for all
  // parts of the product, which begin with whole tiles of `beside` rows. scratch_floats(largest
  // part).
  template <class Prepare, class Scratch, class Multiply>
  void multiply_prepared(Tensor x, const Weight& w, int64_t beside, const Prepare& prepare,
                         const Scratch& scratch_floats, const Multiply& multiply) const;
  void convolve_tiles(const cpu::MatmulArgs& args, int64_t images, const Pause& between) const;
  // fn(row) for every row, in pieces of some ten thousand elements.
  template <class F>
  void each_row(int64_t rows, int64_t cols, const F& fn) const {
    constexpr int64_t kElements = 16384;  // below this a piece costs less than handing it out
    const int64_t grain = std::max<int64_t>(1, kElements / std::max<int64_t>(1, cols));
    workers_->run(rows, grain, 0, [&](int64_t begin, int64_t end, float*) {
      for (int64_t r = begin; r < end; ++r) fn(r);
    });
  }

  const cpu::KernelTable& table_;
  const cpu::BlockKernels& blocks_;
  const cpu::TileKernels* tiles_;  // or null
  std::unique_ptr<Workers> workers_;
  // What a convolution by tiles has transformed; rows as a product wants them.
  std::unique_ptr<Shared> filters_ = std::make_unique<Shared>();
  std::unique_ptr<Shared> prepared_rows_ = std::make_unique<Shared>();
};

}  // namespace janus
