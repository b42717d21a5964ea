// Two passes of weighted sums in 32-bit integers. Order and rounding of every operation are
// Pillow's; changing any of them changes bytes.
// SPDX-License-Identifier: MIT
#include "io/resize.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/error.h"

namespace janus {
namespace {

constexpr int kChannels = 3;
constexpr int kPrecisionBits = 22;  // 32 - 8 for the pixel - 2 for sums beyond 1

// What an input counts at a distance, up to `support`, both at scale 1.
struct Filter {
  double support;
  double (*weight)(double);
};

// What one output is made of: the inputs from `first` on, one weight each.
struct Taps {
  int first = 0;
  std::vector<int32_t> weights;
};

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double sinc(double x) {
  return x == 0 ? 1 : std::sin(x * std::numbers::pi) / (x * std::numbers::pi);
}

double lanczos(double x) { return x > -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

constexpr Filter kBicubic{2, bicubic};
constexpr Filter kLanczos{3, lanczos};

// The outputs [begin, begin + count) of `size` outputs made from all inputs of one axis.
struct Window {
  int size = 0;
  int begin = 0;
  int count = 0;
  Filter filter = kBicubic;
};

int32_t fixed_point(double weight) {
  const double scaled = weight * (1 << kPrecisionBits);
  return static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

// Resample.c, precompute_coeffs and normalize_coeffs_8bpc.
std::vector<Taps> taps_of(int inputs, const Window& window) {
  const double scale = static_cast<double>(inputs) / window.size;
  const double filter_scale = std::max(scale, 1.0);
  const double support = window.filter.support * filter_scale;
  const double inverse = 1.0 / filter_scale;
  std::vector<Taps> all(static_cast<size_t>(window.count));
  std::vector<double> exact;
  for (int i = 0; i < window.count; ++i) {
    const double centre = (window.begin + i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - support + 0.5));
    const int last = std::min(inputs, static_cast<int>(centre + support + 0.5));
    exact.assign(static_cast<size_t>(last - first), 0.0);
    double sum = 0.0;
    for (int k = 0; k < last - first; ++k) {
      const double weight = window.filter.weight((k + first - centre + 0.5) * inverse);
      exact[static_cast<size_t>(k)] = weight;
      sum += weight;
    }
    Taps& taps = all[static_cast<size_t>(i)];
    taps.first = first;
    taps.weights.reserve(exact.size());
    for (const double weight : exact) {
      taps.weights.push_back(fixed_point(sum != 0.0 ? weight / sum : weight));
    }
  }
  return all;
}

// out[c] = the weighted sum of the pixels at `from`, `stride` bytes apart.
void add_up(const Taps& taps, const uint8_t* from, size_t stride, uint8_t* out) {
  std::array<int32_t, kChannels> sums;
  sums.fill(1 << (kPrecisionBits - 1));
  for (const int32_t weight : taps.weights) {
    for (size_t c = 0; c < kChannels; ++c) sums[c] += from[c] * weight;
    from += stride;
  }
  for (size_t c = 0; c < kChannels; ++c) {
    out[c] = static_cast<uint8_t>(std::clamp(sums[c] >> kPrecisionBits, 0, 255));
  }
}

Image blank(int width, int height) {
  Image image{.width = width, .height = height, .rgb = {}};
  image.rgb.resize(static_cast<size_t>(width) * static_cast<size_t>(height) * kChannels);
  return image;
}

size_t offset_of(const Image& image, int x, int y) {
  return (static_cast<size_t>(y) * static_cast<size_t>(image.width) + static_cast<size_t>(x)) *
         kChannels;
}

Image resize_columns(const Image& image, const Window& window) {
  const auto taps = taps_of(image.width, window);
  Image out = blank(window.count, image.height);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < window.count; ++x) {
      const Taps& t = taps[static_cast<size_t>(x)];
      add_up(t, &image.rgb[offset_of(image, t.first, y)], kChannels,
             &out.rgb[offset_of(out, x, y)]);
    }
  }
  return out;
}

Image resize_rows(const Image& image, const Window& window) {
  const auto taps = taps_of(image.height, window);
  const size_t stride = static_cast<size_t>(image.width) * kChannels;
  Image out = blank(image.width, window.count);
  for (int y = 0; y < window.count; ++y) {
    const Taps& t = taps[static_cast<size_t>(y)];
    for (int x = 0; x < image.width; ++x) {
      add_up(t, &image.rgb[offset_of(image, x, t.first)], stride, &out.rgb[offset_of(out, x, y)]);
    }
  }
  return out;
}

Image cut(const Image& image, const Window& columns, const Window& rows) {
  Image out = blank(columns.count, rows.count);
  for (int y = 0; y < rows.count; ++y) {
    std::copy_n(&image.rgb[offset_of(image, columns.begin, rows.begin + y)],
                static_cast<size_t>(columns.count) * kChannels, &out.rgb[offset_of(out, 0, y)]);
  }
  return out;
}

// Skipping a pass whose size does not change, as Pillow does, changes no byte: its weights are 1.
Image resize_window(const Image& image, const Window& columns, const Window& rows) {
  if (columns.size == image.width && rows.size == image.height) return cut(image, columns, rows);
  if (columns.size == image.width) {
    return resize_rows(cut(image, columns, {image.height, 0, image.height, rows.filter}), rows);
  }
  const Image narrow = resize_columns(image, columns);
  if (rows.size == image.height) return cut(narrow, {columns.count, 0, columns.count}, rows);
  return resize_rows(narrow, rows);
}

void check_pixels(const Image& image) {
  check(image.width > 0 && image.height > 0 &&
            image.rgb.size() ==
                static_cast<size_t>(image.width) * static_cast<size_t>(image.height) * kChannels,
        Code::bad_input, "a picture of ", image.width, " x ", image.height, " pixels with ",
        image.rgb.size(), " bytes cannot be resized");
}

}  // namespace

Image resize_bicubic(const Image& image, int width, int height) {
  check_pixels(image);
  check(width > 0 && height > 0, Code::bad_input, "a picture cannot be resized to ", width, " x ",
        height);
  return resize_window(image, {width, 0, width}, {height, 0, height});
}

Image cover_lanczos(const Image& image, int width, int height) {
  check_pixels(image);
  check(width > 0 && height > 0, Code::bad_input, "a picture cannot be resized to ", width, " x ",
        height);
  const double scale = std::max(static_cast<double>(width) / image.width,
                                static_cast<double>(height) / image.height);
  const auto window = [&](int size, int wanted) -> Window {
    const int whole = std::max(wanted, static_cast<int>(std::lround(size * scale)));
    return {whole, (whole - wanted) / 2, wanted, kLanczos};
  };
  return resize_window(image, window(image.width, width), window(image.height, height));
}

Image fit_and_pad(const Image& image, int side, std::array<uint8_t, 3> fill, int least) {
  check_pixels(image);
  check(side > 0, Code::bad_input, "a picture cannot be fitted into ", side, " pixels");
  const double longest = std::max(image.width, image.height);
  // The reference's order: divide first, then multiply, then truncate.
  const auto fitted = [&](int size) {
    return std::max(static_cast<int>(size / longest * side), std::min(least, side));
  };
  const Image inner = resize_bicubic(image, fitted(image.width), fitted(image.height));
  if (inner.width == side && inner.height == side) return inner;
  Image square = blank(side, side);
  for (size_t i = 0; i < square.rgb.size(); ++i) square.rgb[i] = fill[i % kChannels];
  const int left = (side - inner.width) / 2;
  const int top = (side - inner.height) / 2;
  for (int y = 0; y < inner.height; ++y) {
    std::copy_n(&inner.rgb[offset_of(inner, 0, y)], static_cast<size_t>(inner.width) * kChannels,
                &square.rgb[offset_of(square, left, top + y)]);
  }
  return square;
}

Image cover_and_crop(const Image& image, int side) {
  check_pixels(image);
  check(side > 0, Code::bad_input, "a picture cannot be cropped to ", side, " pixels");
  const int shortest = std::min(image.width, image.height);
  const auto window = [&](int size) -> Window {
    const double scaled = static_cast<double>(size) * side / shortest;
    check(scaled < 1e9, Code::bad_input, "a picture of ", image.width, " x ", image.height,
          " pixels is too thin to be cropped to a square");
    const int whole = size == shortest ? side : static_cast<int>(std::nearbyint(scaled));
    return {whole, (whole - side) / 2, side};
  };
  return resize_window(image, window(image.width), window(image.height));
}

}  // namespace janus
