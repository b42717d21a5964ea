// RefBackend: what every operation means, as plain loops in f32 over row-major memory. It is the
// specification that fast kernels are judged by, and the last resort on a strange machine; it is
// not tuned. Sums run in the one order of `sum.h`. Next: linear.cc, rows.cc, attend.cc, image.cc.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "kernels/backend.h"

namespace janus {

class RefBackend : public Backend {
 public:
  std::string name() const override { return "ref"; }
  int threads() const override { return 1; }

 protected:
  void do_place(Weight&, int64_t first, std::span<const std::byte> rows) const override;
  void do_share_out(int64_t n, const std::function<void(int64_t)>&) const override;
  int64_t do_prepared_rows_bytes(Dtype, int64_t, int64_t) const override { return 0; }
  int64_t do_packed_bytes(Dtype, int64_t outputs, int64_t inputs) const override;
  int64_t do_kv_block_bytes(Dtype, int heads, int width) const override;
  int64_t do_filter_bytes(int, int64_t, int64_t) const override { return 0; }
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
};

}  // namespace janus
