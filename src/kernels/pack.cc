// Matrices on their way in: a backend's own layout is filled row by row, or many rows at a time on
// all threads. SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/quant.h"
#include "kernels/backend.h"

namespace janus {
namespace {

void check_bias(int64_t outputs, int64_t inputs, std::span<const float> bias) {
  check(bias.empty() || static_cast<int64_t>(bias.size()) == outputs, Code::bug, "pack: bias [",
        bias.size(), "] for matrix [", outputs, ", ", inputs, "]");
}

// Sizes small enough that elements, padded to whole panels and in 4 bytes, can be counted.
void check_matrix(const char* op, Dtype dtype, int64_t outputs, int64_t inputs) {
  if (multiplied_as_stored(dtype)) {
    check(inputs % traits(dtype).block == 0, Code::bug, op, ": rows of ", inputs,
          " are no whole blocks of ", traits(dtype).name);
  } else {
    check(dtype == Dtype::f32 || dtype == Dtype::bf16, Code::bug, op,
          ": storage must be f32 or bf16, is ", traits(dtype).name);
  }
  constexpr int64_t kMost = int64_t{1} << 56;
  check(outputs > 0 && inputs > 0, Code::bug, op, ": matrix [", outputs, ", ", inputs, "]");
  check(outputs < kMost && inputs < kMost / (outputs + 64), Code::out_of_memory, op, ": matrix [",
        outputs, ", ", inputs, "] is larger than any memory; is config.json damaged?");
}

// A matrix of which nothing is there but its bias.
Weight only_bias(Dtype dtype, int64_t outputs, int64_t inputs, std::span<const float> bias) {
  Weight w;
  w.outputs = outputs;
  w.inputs = inputs;
  w.dtype = dtype;
  if (!bias.empty()) {
    w.bias = OwnedTensor(Dtype::f32, {outputs});
    std::copy(bias.begin(), bias.end(), w.bias.view.f32());
  }
  return w;
}

void check_place(const Weight& weight, int64_t first, std::span<const std::byte> rows) {
  constexpr int64_t kTogether = Backend::kPlacedTogether;
  const int64_t size = bytes_of(weight.dtype, weight.inputs);
  const int64_t end = first + std::ssize(rows) / size;
  check(std::ssize(rows) % size == 0 && first >= 0 && first % kTogether == 0 &&
            (end == weight.outputs || (end < weight.outputs && end % kTogether == 0)),
        Code::bug, "place: ", rows.size(), " bytes from row ", first, " of matrix [",
        weight.outputs, ", ", weight.inputs, "] in ", traits(weight.dtype).name);
}

}  // namespace

Weight Backend::pack(Dtype dtype, int64_t outputs, int64_t inputs, const RowSource& rows,
                     std::span<const float> bias) const {
  std::vector<float> values(static_cast<size_t>(std::max<int64_t>(inputs, 0)));
  return pack_rows(
      dtype, outputs, inputs,
      [&](int64_t index, std::span<std::byte> out) {
        rows(index, values);
        encode(dtype, values, out);
      },
      bias);
}

Weight Backend::pack_blocks(Dtype dtype, int64_t outputs, int64_t inputs, const BlockSource& rows,
                            std::span<const float> bias) const {
  check(multiplied_as_stored(dtype), Code::bug, "pack_blocks: ", traits(dtype).name,
        " is no type of blocks that products take");
  return pack_rows(dtype, outputs, inputs, rows, bias);
}

Weight Backend::pack_rows(Dtype dtype, int64_t outputs, int64_t inputs, const BlockSource& rows,
                          std::span<const float> bias) const {
  Weight w = unfilled(dtype, outputs, inputs, bias);
  const auto size = static_cast<size_t>(bytes_of(dtype, inputs));
  std::vector<std::byte> together(size * kPlacedTogether);
  for (int64_t first = 0; first < outputs; first += kPlacedTogether) {
    const auto count = static_cast<size_t>(std::min(kPlacedTogether, outputs - first));
    for (size_t i = 0; i < count; ++i) {
      rows(first + static_cast<int64_t>(i), std::span(together).subspan(i * size, size));
    }
    do_place(w, first, std::span(together).first(count * size));
  }
  return w;
}

Weight Backend::unfilled(Dtype dtype, int64_t outputs, int64_t inputs,
                         std::span<const float> bias) const {
  check_matrix("pack", dtype, outputs, inputs);
  check_bias(outputs, inputs, bias);
  Weight w = only_bias(dtype, outputs, inputs, bias);
  w.data = fresh_memory(do_packed_bytes(dtype, outputs, inputs));
  return w;
}

void Backend::place(Weight& weight, int64_t first, std::span<const std::byte> rows) const {
  check_place(weight, first, rows);
  const auto each = static_cast<size_t>(kPlacedTogether * bytes_of(weight.dtype, weight.inputs));
  const auto groups = static_cast<int64_t>((rows.size() + each - 1) / each);
  share_out(groups, [&](int64_t i) {
    const size_t at = static_cast<size_t>(i) * each;
    do_place(weight, first + i * kPlacedTogether,
             rows.subspan(at, std::min(each, rows.size() - at)));
  });
}

void Backend::place_some(Weight& weight, int64_t first, std::span<const std::byte> rows) const {
  check_place(weight, first, rows);
  check(std::ssize(rows) <= kPlacedTogether * bytes_of(weight.dtype, weight.inputs), Code::bug,
        "place_some: ", rows.size(), " bytes are more than ", kPlacedTogether, " rows");
  if (!rows.empty()) do_place(weight, first, rows);
}

Buffer Backend::fresh_memory(int64_t bytes) const {
  Buffer buffer = Buffer::untouched(bytes);
  // As large as the system's large pages: two threads in one would both clear it.
  constexpr int64_t kPiece = int64_t{2} << 20;
  share_out((bytes + kPiece - 1) / kPiece,
            [&](int64_t i) { buffer.touch(i * kPiece, std::min(bytes, (i + 1) * kPiece)); });
  return buffer;
}

void Backend::share_out(int64_t n, const std::function<void(int64_t)>& fn) const {
  std::mutex lock;
  std::exception_ptr first;
  std::atomic<bool> failed{false};
  do_share_out(n, [&](int64_t i) {
    if (failed.load(std::memory_order_relaxed)) return;
    const Denormals denormals(Denormals::Are::kept);
    try {
      fn(i);
    } catch (...) {
      const std::lock_guard hold(lock);
      if (!first) first = std::current_exception();
      failed.store(true, std::memory_order_relaxed);
    }
  });
  if (first) std::rethrow_exception(first);
}

Weight Backend::adopt(Dtype dtype, int64_t outputs, int64_t inputs, Buffer packed,
                      std::span<const float> bias) const {
  check_matrix("adopt", dtype, outputs, inputs);
  check_bias(outputs, inputs, bias);
  check(!packing().empty() && packed.bytes() == do_packed_bytes(dtype, outputs, inputs), Code::bug,
        "adopt: ", packed.bytes(), " bytes for matrix [", outputs, ", ", inputs, "] in ",
        traits(dtype).name, " as ", name(), " packs it");
  Weight w = only_bias(dtype, outputs, inputs, bias);
  w.data = std::move(packed);
  return w;
}

int64_t Backend::packed_bytes(Dtype dtype, int64_t outputs, int64_t inputs) const {
  check_matrix("packed_bytes", dtype, outputs, inputs);
  return do_packed_bytes(dtype, outputs, inputs);
}

}  // namespace janus
