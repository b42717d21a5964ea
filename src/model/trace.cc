// SPDX-License-Identifier: MIT
#include "model/trace.h"

#include <cstring>

#include "base/error.h"
#include "io/safetensors.h"
#include "io/stored.h"

namespace janus {
namespace {

void check_count(const std::string& name, const std::vector<int64_t>& shape, int64_t values) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  check(count == values, Code::bug, "trace ", name, ": ", values, " values as ", shape_text(shape));
}

}  // namespace

void Trace::add(const std::string& name, const Tensor& values, std::vector<int64_t> shape) {
  check_count(name, shape, values.count());
  Entry entry{Dtype::f32, std::move(shape),
              std::vector<std::byte>(static_cast<size_t>(values.bytes()))};
  const int64_t row_bytes = values.cols() * traits(Dtype::f32).bytes;
  for (int64_t r = 0; r < values.rows(); ++r) {
    std::memcpy(entry.bytes.data() + r * row_bytes, values.row(r), static_cast<size_t>(row_bytes));
  }
  entries_.insert_or_assign(name, std::move(entry));
}

void Trace::add_ids(const std::string& name, std::span<const int32_t> ids,
                    std::vector<int64_t> shape) {
  check_count(name, shape, static_cast<int64_t>(ids.size()));
  const std::vector<int64_t> wide(ids.begin(), ids.end());
  const auto bytes = std::as_bytes(std::span(wide));
  entries_.insert_or_assign(name, Entry{Dtype::i64, std::move(shape),
                                        std::vector<std::byte>(bytes.begin(), bytes.end())});
}

void Trace::add_pixels(const std::string& name, std::span<const uint8_t> pixels,
                       std::vector<int64_t> shape) {
  check_count(name, shape, static_cast<int64_t>(pixels.size()));
  const auto bytes = std::as_bytes(pixels);
  entries_.insert_or_assign(
      name, Entry{Dtype::u8, std::move(shape), std::vector<std::byte>(bytes.begin(), bytes.end())});
}

void Trace::save(const std::filesystem::path& path) const {
  std::vector<TensorEntry> entries;
  for (const auto& [name, entry] : entries_) {
    entries.push_back({name, entry.dtype, entry.shape,
                       [&bytes = entry.bytes](const auto& sink) { sink(bytes); }});
  }
  write_safetensors(path, entries);
}

void tap(Trace* trace, const std::string& name, const Tensor& values, std::vector<int64_t> shape) {
  if (trace) trace->add(name, values, std::move(shape));
}

void tap_channels_first(Trace* trace, const std::string& name, const Tensor& images) {
  if (!trace) return;
  check(images.rank == 4, Code::bug, "trace ", name, ": [n, h, w, c] expected");
  const auto [n, h, w, c] = images.shape;
  std::vector<float> values(static_cast<size_t>(images.count()));
  for (int64_t pixel = 0; pixel < n * h * w; ++pixel) {
    for (int64_t channel = 0; channel < c; ++channel) {
      const int64_t image = pixel / (h * w), place = pixel % (h * w);
      values[static_cast<size_t>((image * c + channel) * h * w + place)] =
          images.row(pixel)[channel];
    }
  }
  std::vector<int64_t> shape = {n, c, h, w};
  if (n == 1) shape.erase(shape.begin());
  trace->add(name, Tensor(values.data(), Dtype::f32, {n * c, h * w}), std::move(shape));
}

}  // namespace janus
