// Backdrop, then every shadow, then the objects, then a vignette. Objects never touch, so they are
// painted into one layer first; its coverage, blurred, is the shadow. (A shadow from the distance
// field would show halos: subtractive and elliptic parts have inexact distances.) Each object is
// evaluated inside its bounding box alone.
// SPDX-License-Identifier: MIT
#include "world/render.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "world/shape.h"

namespace janus {
namespace {

constexpr float kShadowX = 3, kShadowY = 5, kShadowSigma = 5;  // units
constexpr float kShadowDepth = .33f;
constexpr float kVignette = .32f;

// The picture in the making; every plane is row-major [size * size].
struct Canvas {
  explicit Canvas(int pixels)
      : size(pixels), rgb(3 * area()), layer(4 * area()), coverage(area()) {}
  size_t area() const { return static_cast<size_t>(size) * static_cast<size_t>(size); }
  size_t at(int x, int y) const {
    return static_cast<size_t>(y) * static_cast<size_t>(size) + static_cast<size_t>(x);
  }
  float pixels_per_unit() const { return static_cast<float>(size) / static_cast<float>(kCanvas); }

  int size;
  std::vector<float> rgb;       // [size * size, 3]
  std::vector<float> layer;     // [size * size, 4] objects: colour times opacity, opacity
  std::vector<float> coverage;  // [size * size] of the union of all parts
};

// Mix of the palette's two colours at each pixel; u, v in 0..1.
std::vector<float> backdrop_mix(const Scene& scene, int size) {
  const auto glow_u = static_cast<float>(scene.glow_x / kCanvas);
  const auto glow_v = static_cast<float>(scene.glow_y / kCanvas);
  const size_t n = static_cast<size_t>(size);
  std::vector<float> where(n), rows(n), sines(n), cosines(n), row_sines(n), row_cosines(n);
  for (size_t i = 0; i < n; ++i) {
    const double w = (static_cast<double>(i) + .5) / size;
    const double phase = 14 * 3.14159265358979323846 * w;
    where[i] = static_cast<float>(w);
    rows[i] = static_cast<float>(.75 / (1 + std::exp(-60 * (w - .66))) + .15 * w);
    sines[i] = static_cast<float>(std::sin(phase * std::cos(.6)));
    cosines[i] = static_cast<float>(std::cos(phase * std::cos(.6)));
    row_sines[i] = static_cast<float>(std::sin(phase * std::sin(.6)));
    row_cosines[i] = static_cast<float>(std::cos(phase * std::sin(.6)));
  }
  std::vector<float> mix(n * n);
  for (size_t y = 0; y < n; ++y) {
    for (size_t x = 0; x < n; ++x) {
      const float u = where[x], v = where[y];
      float t = 0;
      switch (static_cast<Backdrop>(scene.backdrop)) {
        case Backdrop::fade:
          t = v;
          break;
        case Backdrop::glow:
          t = 1.5f * std::sqrt((u - glow_u) * (u - glow_u) + (v - glow_v) * (v - glow_v));
          break;
        case Backdrop::slant:
          t = (u + v) / 2;
          break;
        case Backdrop::table:
          t = rows[y];
          break;
        case Backdrop::stripes:
          t = .35f + .12f * (sines[x] * row_cosines[y] + cosines[x] * row_sines[y]);
          break;
      }
      mix[y * n + x] = std::clamp(t, 0.f, 1.f);
    }
  }
  return mix;
}

void paint_backdrop(const Scene& scene, Canvas& canvas) {
  const Palette& palette = kPalettes[static_cast<size_t>(scene.palette)];
  const std::vector<float> mix = backdrop_mix(scene, canvas.size);
  for (size_t i = 0; i < mix.size(); ++i) {
    for (size_t c = 0; c < 3; ++c) {
      canvas.rgb[3 * i + c] = palette.first[c] + mix[i] * (palette.second[c] - palette.first[c]);
    }
  }
}

// Pillow shading, light from the upper left, and a highlight that fades in from the rim. `inside`
// is the depth in pixels, x and y the place in object radii as seen on screen.
Rgb shade(const Rgb& colour, float inside, float r_px, float x, float y) {
  const float depth = std::clamp(inside / (.45f * r_px), 0.f, 1.f);
  const float h = std::sqrt(1 - (1 - depth) * (1 - depth));
  const float facing = 1 - .55f * h;
  const float lambert = -.55f * x * facing - .70f * y * facing;
  const float light = .92f + .20f * lambert - .10f * (1 - h);
  const float ramp = std::clamp((depth - .15f) / .20f, 0.f, 1.f);
  const float from_spot = (x + .33f) * (x + .33f) + (y + .38f) * (y + .38f);
  const float gloss = ramp > 0 ? ramp * .38f * std::exp(-from_spot / .055f) : 0.f;
  Rgb lit;
  for (size_t c = 0; c < 3; ++c) {
    const float base = colour[c] * light;
    lit[c] = base + (1 - base) * gloss;
  }
  return lit;
}

void paint_object(const Object& object, Canvas& canvas) {
  const float scale = canvas.pixels_per_unit();
  const float cx = static_cast<float>(object.cx) * scale,
              cy = static_cast<float>(object.cy) * scale;
  const float r_px = static_cast<float>(object.r) * scale;
  const float cosine = std::cos(static_cast<float>(object.rot));
  const float sine = std::sin(static_cast<float>(object.rot));
  const ShapeFrame frame = shape_frame(object.shape);
  const std::span<const Part> parts = shape_parts(object.shape);
  const float to_pixels = r_px / frame.radius;
  const float reach = r_px + 1.5f;
  std::array<Rgb, 8> colours;
  check(parts.size() <= colours.size(), Code::bug, "a class with ", parts.size(), " parts");
  for (size_t p = 0; p < parts.size(); ++p) {
    colours[p] = part_colour(parts[p], kColours[static_cast<size_t>(object.colour)].rgb);
  }
  const auto bound = [&](float at) {
    return std::clamp(static_cast<int>(std::floor(at)), 0, canvas.size);
  };
  for (int py = bound(cy - reach); py < bound(cy + reach + 1); ++py) {
    for (int px = bound(cx - reach); px < bound(cx + reach + 1); ++px) {
      const float x = (static_cast<float>(px) + .5f - cx) / r_px;
      const float y = (static_cast<float>(py) + .5f - cy) / r_px;
      if ((x * x + y * y) * r_px * r_px > reach * reach) continue;
      const float raw_x = (x * cosine + y * sine) * frame.radius + frame.cx;
      const float raw_y = (y * cosine - x * sine) * frame.radius + frame.cy;
      const size_t at = canvas.at(px, py);
      for (size_t p = 0; p < parts.size(); ++p) {
        const float distance = parts[p].distance(raw_x, raw_y) * to_pixels;
        const float cover = std::clamp(.5f - distance / 1.2f, 0.f, 1.f);
        if (cover <= 0) continue;
        const Rgb lit = shade(colours[p], -distance, r_px, x, y);
        float* under = &canvas.layer[4 * at];
        for (size_t c = 0; c < 3; ++c) under[c] += cover * (lit[c] - under[c]);
        under[3] += cover * (1 - under[3]);
        canvas.coverage[at] = std::max(canvas.coverage[at], cover);
      }
    }
  }
}

// Weights of a Gaussian of `sigma` about `shift`, both in pixels; the middle one is for offset 0.
std::vector<float> shifted_gaussian(float shift, float sigma) {
  const int reach = static_cast<int>(std::ceil(shift + 3 * sigma));
  std::vector<float> weights;
  float sum = 0;
  for (int offset = -reach; offset <= reach; ++offset) {
    const float z = (static_cast<float>(offset) - shift) / sigma;
    weights.push_back(std::exp(-z * z / 2));
    sum += weights.back();
  }
  for (float& w : weights) w /= sum;
  return weights;
}

// out[i] += weight * in[i - offset], along a run of `count` where both exist.
void add_shifted(const float* in, float* out, int count, int offset, float weight) {
  const int begin = std::max(0, offset), end = std::min(count, count + offset);
  for (int i = begin; i < end; ++i) out[i] += weight * in[i - offset];
}

// The objects' coverage moved by the shadow's offset and blurred. The offset is folded into the
// kernel, so it needs no whole pixels.
std::vector<float> shadow_of(const Canvas& canvas) {
  const float scale = canvas.pixels_per_unit();
  const int size = canvas.size;
  const std::vector<float> across = shifted_gaussian(kShadowX * scale, kShadowSigma * scale);
  const std::vector<float> down = shifted_gaussian(kShadowY * scale, kShadowSigma * scale);
  const int reach_x = static_cast<int>(across.size() / 2);
  const int reach_y = static_cast<int>(down.size() / 2);
  std::vector<float> wide(canvas.area()), shadow(canvas.area());
  for (int y = 0; y < size; ++y) {
    const float* row = &canvas.coverage[canvas.at(0, y)];
    if (std::all_of(row, row + size, [](float c) { return c == 0; })) continue;
    float* out = &wide[canvas.at(0, y)];
    for (int k = -reach_x; k <= reach_x; ++k) {
      add_shifted(row, out, size, k, across[static_cast<size_t>(k + reach_x)]);
    }
    for (int k = -reach_y; k <= reach_y; ++k) {
      if (y + k < 0 || y + k >= size) continue;
      add_shifted(out, &shadow[canvas.at(0, y + k)], size, 0,
                  down[static_cast<size_t>(k + reach_y)]);
    }
  }
  return shadow;
}

Image finish(const Canvas& canvas, const std::vector<float>& shadow) {
  Image image{canvas.size, canvas.size, std::vector<uint8_t>(3 * canvas.area())};
  for (int y = 0; y < canvas.size; ++y) {
    for (int x = 0; x < canvas.size; ++x) {
      const size_t at = canvas.at(x, y);
      const float u = (static_cast<float>(x) + .5f) / static_cast<float>(canvas.size) - .5f;
      const float v = (static_cast<float>(y) + .5f) / static_cast<float>(canvas.size) - .5f;
      const float vignette = 1 - kVignette * (u * u + v * v);
      const float dim = 1 - kShadowDepth * shadow[at];
      const float* over = &canvas.layer[4 * at];
      for (size_t c = 0; c < 3; ++c) {
        const float mixed = over[c] + (1 - over[3]) * dim * canvas.rgb[3 * at + c];
        const float value = std::clamp(mixed * vignette, 0.f, 1.f);
        image.rgb[3 * at + c] = static_cast<uint8_t>(value * 255 + .5f);
      }
    }
  }
  return image;
}

}  // namespace

Rendering render(const Scene& scene, int size) {
  check(size >= 16 && size <= 2048, Code::bad_input, "a scene cannot be drawn at ", size,
        " pixels: 16 to 2048 are possible");
  Canvas canvas(size);
  paint_backdrop(scene, canvas);
  for (const Object& object : scene.objects) paint_object(object, canvas);
  return {finish(canvas, shadow_of(canvas)), std::move(canvas.coverage)};
}

}  // namespace janus
