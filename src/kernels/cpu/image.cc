// Operations on images. Statistics of a group are gathered over fixed chunks of pixels, each with
// its own mean while it lies in cache, and joined in f64 in rising order (Chan, Golub and LeVeque,
// "Updating formulae and a pairwise algorithm for computing sample variances", 1979).
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/backend.h"

namespace janus {
namespace {

// Count, mean and sum of squared deviations of some numbers.
struct Moments {
  double count = 0, mean = 0, squares = 0;

  void join(const Moments& more) {
    const double total = count + more.count;
    const double step = more.mean - mean;
    squares += more.squares + step * step * count * more.count / total;
    mean += step * more.count / total;
    count = total;
  }
};

// The moments of every group over a chunk of pixels. scratch [2·channels].
void chunk_moments(const cpu::KernelTable& table, const float* x, int64_t pixels, int64_t channels,
                   int64_t groups, float* scratch, Moments* moments) {
  float* sums = scratch;
  float* center = scratch + channels;
  const int64_t size = channels / groups;
  const auto count = static_cast<double>(pixels * size);
  const auto group_sum = [&](int64_t g) {
    double sum = 0;
    for (int64_t c = g * size; c < (g + 1) * size; ++c) sum += static_cast<double>(sums[c]);
    return sum;
  };
  std::fill_n(center, channels, 0.0f);
  table.channel_sums(x, pixels, channels, center, false, sums);
  for (int64_t g = 0; g < groups; ++g) {
    const auto mean = static_cast<float>(group_sum(g) / count);
    std::fill_n(center + g * size, size, mean);
    moments[g] = {count, static_cast<double>(mean), 0};
  }
  table.channel_sums(x, pixels, channels, center, true, sums);
  for (int64_t g = 0; g < groups; ++g) moments[g].squares = group_sum(g);
}

}  // namespace

void CpuBackend::do_group_norm(Tensor x, Tensor weight, Tensor bias, int groups, float eps,
                               bool silu, Tensor out) const {
  constexpr int64_t kElements =
      32768;  // of a chunk: 128 kB; the size decides the sums, so it stays
  const int64_t images = x.shape[0], pixels = x.shape[1] * x.shape[2], channels = x.shape[3];
  const int64_t chunk = std::max<int64_t>(1, kElements / std::max<int64_t>(1, channels));
  const int64_t chunks = (pixels + chunk - 1) / chunk;
  std::vector<Moments> moments(static_cast<size_t>(images * chunks * groups));
  const auto first_row = [&](int64_t i) { return i / chunks * pixels + i % chunks * chunk; };
  const auto rows_of = [&](int64_t i) { return std::min(chunk, pixels - i % chunks * chunk); };

  workers_->run(images * chunks, 1, 2 * channels, [&](int64_t i, int64_t, float* scratch) {
    chunk_moments(table_, x.row(first_row(i)), rows_of(i), channels, groups, scratch,
                  &moments[static_cast<size_t>(i * groups)]);
  });

  std::vector<float> mean(static_cast<size_t>(images * channels)), factor(mean.size());
  const int64_t size = channels / groups;
  for (int64_t i = 0; i < images * groups; ++i) {
    const int64_t image = i / groups, group = i % groups;
    Moments all;
    for (int64_t c = 0; c < chunks; ++c) {
      all.join(moments[static_cast<size_t>((image * chunks + c) * groups + group)]);
    }
    const double inverse = 1 / std::sqrt(all.squares / all.count + static_cast<double>(eps));
    for (int64_t c = group * size; c < (group + 1) * size; ++c) {
      const auto at = static_cast<size_t>(image * channels + c);
      mean[at] = static_cast<float>(all.mean);
      factor[at] = static_cast<float>(inverse) * weight.f32()[c];
    }
  }

  workers_->run(images * chunks, 1, 0, [&](int64_t i, int64_t, float*) {
    const int64_t own = i / chunks * channels;
    table_.normalise_pixels(x.row(first_row(i)), rows_of(i), channels, mean.data() + own,
                            factor.data() + own, bias.f32(), silu, out.row(first_row(i)));
  });
}

void CpuBackend::do_upsample2x(Tensor x, Tensor out) const {
  const int64_t width = x.shape[2], channels = x.shape[3];
  // A line of the input becomes two equal lines.
  workers_->run(x.shape[0] * x.shape[1], 1, 0, [&](int64_t line, int64_t, float*) {
    const float* from = x.row(line * width);
    float* to = out.row(line * 4 * width);
    for (int64_t i = 0; i < 2 * width; ++i) {
      std::copy_n(from + i / 2 * channels, channels, to + i * channels);
    }
    std::copy_n(to, 2 * width * channels, to + 2 * width * channels);
  });
}

}  // namespace janus
