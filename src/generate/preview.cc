// Fitting and applying the map of preview.h. E code vector · I codes of a picture · G grid side.
// SPDX-License-Identifier: MIT
#include "generate/preview.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "generate/pixels.h"
#include "io/safetensors.h"

namespace janus {

namespace {

constexpr int kPatch = 3;  // codes along one side of a patch of equal codes: as calm as pictures
constexpr int kPatches = 150;  // to fit on: many more than the ten or so numbers of a row
constexpr int64_t kOutputs = PreviewMap::kSide * PreviewMap::kSide * 3;
constexpr uint64_t kCodeStream = 0x70726576;  // names the random codes

int patches_of(const Config& config) { return (config.grid() + kPatch - 1) / kPatch; }

std::vector<int32_t> patchy_codes(const Config& config, uint64_t picture) {
  const int grid = config.grid();
  const int patches = patches_of(config);
  Philox random(kCodeStream, picture);
  std::vector<int32_t> patch_codes(static_cast<size_t>(patches * patches));
  for (int32_t& code : patch_codes) code = random.below(config.vq.codes);
  std::vector<int32_t> codes;
  for (int y = 0; y < grid; ++y) {
    for (int x = 0; x < grid; ++x) {
      codes.push_back(patch_codes[static_cast<size_t>(y / kPatch * patches + x / kPatch)]);
    }
  }
  return codes;
}

// The vector of a code and a constant 1.
std::vector<double> features(const Model& model, int32_t code) {
  const Tensor book = model.weights().codebook.view;
  const float* vector = book.row(code);
  std::vector<double> result(vector, vector + book.cols());
  result.push_back(1);
  return result;
}

// Mean of one of the kSide × kSide parts of a code's square, 0..255.
double part_mean(const Image& image, int left, int top, int width, int channel) {
  double sum = 0;
  for (int y = top; y < top + width; ++y) {
    for (int x = left; x < left + width; ++x) {
      sum += image.rgb[static_cast<size_t>((y * image.width + x) * 3 + channel)];
    }
  }
  return sum / (width * width);
}

// Targets of the code at grid place (column, row), [kOutputs] in order (y, x, channel).
std::vector<double> targets(const Image& image, int column, int row, int square) {
  const int width = std::max(1, square / PreviewMap::kSide);
  std::vector<double> result;
  for (int y = 0; y < PreviewMap::kSide; ++y) {
    for (int x = 0; x < PreviewMap::kSide; ++x) {
      // A square of one pixel has one part only, seen kSide² times.
      const int left = column * square + std::min(x * width, square - width);
      const int top = row * square + std::min(y * width, square - width);
      for (int c = 0; c < 3; ++c) result.push_back(part_mean(image, left, top, width, c));
    }
  }
  return result;
}

// Solves A·X = B for symmetric positive definite A [n, n], B [n, m], in place (Cholesky).
void solve(std::vector<double>& a, std::vector<double>& b, int64_t n, int64_t m) {
  const auto at = [](int64_t row, int64_t cols, int64_t col) {
    return static_cast<size_t>(row * cols + col);
  };
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t k = 0; k < j; ++k) a[at(j, n, j)] -= a[at(j, n, k)] * a[at(j, n, k)];
    a[at(j, n, j)] = std::sqrt(a[at(j, n, j)]);
    for (int64_t i = j + 1; i < n; ++i) {
      for (int64_t k = 0; k < j; ++k) a[at(i, n, j)] -= a[at(i, n, k)] * a[at(j, n, k)];
      a[at(i, n, j)] /= a[at(j, n, j)];
    }
  }
  for (int64_t c = 0; c < m; ++c) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t k = 0; k < i; ++k) b[at(i, m, c)] -= a[at(i, n, k)] * b[at(k, m, c)];
      b[at(i, m, c)] /= a[at(i, n, i)];
    }
    for (int64_t i = n - 1; i >= 0; --i) {
      for (int64_t k = i + 1; k < n; ++k) b[at(i, m, c)] -= a[at(k, n, i)] * b[at(k, m, c)];
      b[at(i, m, c)] /= a[at(i, n, i)];
    }
  }
}

// Sums of the normal equations.
struct Sums {
  int64_t inputs;
  std::vector<double> squares;   // [inputs, inputs]
  std::vector<double> products;  // [inputs, kOutputs]

  explicit Sums(int64_t n)
      : inputs(n),
        squares(static_cast<size_t>(n * n)),
        products(static_cast<size_t>(n * kOutputs)) {
    // A little towards zero, so that directions no code points to stay harmless.
    for (int64_t i = 0; i < n; ++i) squares[static_cast<size_t>(i * n + i)] = 1e-3;
  }
  void add(const std::vector<double>& x, const std::vector<double>& y) {
    for (size_t i = 0; i < x.size(); ++i) {
      for (size_t j = 0; j < x.size(); ++j) squares[i * x.size() + j] += x[i] * x[j];
      for (size_t j = 0; j < y.size(); ++j) products[i * y.size() + j] += x[i] * y[j];
    }
  }
};

}  // namespace

PreviewMap PreviewMap::fit(const Model& model, const std::function<void()>& between) {
  const Config& config = model.config();
  const int64_t side = config.image;
  const int grid = config.grid();
  PreviewMap map;
  map.inputs_ = config.vq.code_width + 1;
  Sums sums(map.inputs_);
  Workspace space;
  OwnedTensor pixels(Dtype::f32, {1, side, side, 3});
  const int patches = patches_of(config) * patches_of(config);
  const int pictures = std::clamp((kPatches + patches - 1) / patches, 3, 16);
  for (int picture = 0; picture < pictures; ++picture) {
    if (between) between();
    const std::vector<int32_t> codes = patchy_codes(config, static_cast<uint64_t>(picture));
    model.decode_image(codes, space, pixels.view);
    const Image image = to_image(pixels.view.as({side, side, 3}));
    for (int i = 0; i < grid * grid; ++i) {
      sums.add(features(model, codes[static_cast<size_t>(i)]),
               targets(image, i % grid, i / grid, config.vq.downsample()));
    }
  }
  solve(sums.squares, sums.products, map.inputs_, kOutputs);
  for (int64_t o = 0; o < kOutputs; ++o) {
    for (int64_t i = 0; i < map.inputs_; ++i) {
      map.matrix_.push_back(
          static_cast<float>(sums.products[static_cast<size_t>(i * kOutputs + o)]));
    }
  }
  return map;
}

std::optional<PreviewMap> PreviewMap::of(std::vector<float> values, const Config& config) {
  PreviewMap map;
  map.inputs_ = config.vq.code_width + 1;
  map.matrix_ = std::move(values);
  const auto finite = [](float x) { return std::isfinite(x); };
  const bool fits = std::ssize(map.matrix_) == kOutputs * map.inputs_ &&
                    std::all_of(map.matrix_.begin(), map.matrix_.end(), finite);
  return fits ? std::optional(std::move(map)) : std::nullopt;
}

std::vector<int64_t> PreviewMap::shape() const { return {kOutputs, inputs_}; }

std::optional<PreviewMap> PreviewMap::load(const std::filesystem::path& path, const Model& model) {
  std::error_code none;
  if (!std::filesystem::exists(path, none)) return std::nullopt;
  try {
    const StoredTensors tensors = read_safetensors(path);
    const auto found = tensors.find("preview");
    const std::vector<int64_t> shape{kOutputs, model.config().vq.code_width + 1};
    if (found == tensors.end() || found->second.shape != shape) return std::nullopt;
    if (found->second.dtype != Dtype::f32) return std::nullopt;
    std::vector<float> values(static_cast<size_t>(found->second.count()));
    found->second.read_f32(0, values);
    return of(std::move(values), model.config());
  } catch (const Error&) {
    return std::nullopt;  // damaged: it is only a copy of what can be fitted again
  }
}

void PreviewMap::save(const std::filesystem::path& path) const {
  const auto produce = [&](const std::function<void(std::span<const std::byte>)>& sink) {
    sink(std::as_bytes(std::span(matrix_)));
  };
  write_safetensors(path, {{"preview", Dtype::f32, shape(), produce}});
}

Image PreviewMap::show(const Model& model, std::span<const int32_t> codes) const {
  const int grid = model.config().grid();
  Image image;
  image.width = image.height = grid * kSide;
  image.rgb.assign(static_cast<size_t>(image.width * image.height * 3), 127);
  for (size_t n = 0; n < codes.size() && n < static_cast<size_t>(grid * grid); ++n) {
    check(codes[n] >= 0 && codes[n] < model.config().vq.codes, Code::bad_input, "code ", codes[n],
          " is not in the book of ", model.config().vq.codes);
    const std::vector<double> x = features(model, codes[n]);
    const int left = static_cast<int>(n) % grid * kSide, top = static_cast<int>(n) / grid * kSide;
    for (int64_t o = 0; o < kOutputs; ++o) {
      double y = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        y += static_cast<double>(matrix_[static_cast<size_t>(o) * x.size() + i]) * x[i];
      }
      const int pixel = static_cast<int>(o / 3), channel = static_cast<int>(o % 3);
      const int at = ((top + pixel / kSide) * image.width + left + pixel % kSide) * 3 + channel;
      image.rgb[static_cast<size_t>(at)] = static_cast<uint8_t>(std::clamp(y, 0.0, 255.0));
    }
  }
  return image;
}

}  // namespace janus
