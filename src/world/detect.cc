// Backdrop, foreground, components, silhouette, colour, in this order. Two things make it bear the
// soft outlines of a codec: components in another's hole belong to it (world/mask.h), and a poor
// match is tried again with border layers peeled off.
// SPDX-License-Identifier: MIT
#include "world/detect.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/error.h"
#include "world/render.h"
#include "world/silhouette.h"

namespace janus {
namespace {

constexpr float kDiffers = .085f * 255;      // of a channel from the backdrop
constexpr float kDarkest = .36f;             // shadows darken less than this
constexpr float kShadowError = .035f * 255;  // and leave the hue
constexpr double kLeastArea = 40;            // units squared
constexpr double kPoorMatch = .88;
constexpr double kUnknown = .72;
constexpr int kPeels = 2;
constexpr double kNoisy = .02;  // median absolute Laplacian

// Glows are sought where their middle may be, on a picture of few pixels, and then more closely.
constexpr int kGlance = 32;                       // pixels along each side
constexpr double kNearest = 24, kFarthest = 104;  // units
constexpr double kStep = 20, kFinest = 1;

// Every component is a mask of the whole picture, so that the worst picture at the largest size
// takes 200 MB.
constexpr int kSmallest = 16, kLargest = 512;

using ByteRgb = std::array<uint8_t, 3>;

uint8_t channel(const Image& image, int x, int y, size_t c) {
  return image.rgb[3 * (static_cast<size_t>(y) * static_cast<size_t>(image.width) +
                        static_cast<size_t>(x)) +
                   c];
}

uint8_t median(std::vector<uint8_t>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Median over the picture of how far green differs from the mean of its four neighbours, in 0..1.
// Most of a scene is smooth backdrop, so this is grain.
double noise_of(const Image& image) {
  std::vector<uint8_t> values;
  for (int y = 1; y + 1 < image.height; ++y) {
    for (int x = 1; x + 1 < image.width; ++x) {
      const int around = channel(image, x - 1, y, 1) + channel(image, x + 1, y, 1) +
                         channel(image, x, y - 1, 1) + channel(image, x, y + 1, 1);
      values.push_back(static_cast<uint8_t>(std::abs(4 * channel(image, x, y, 1) - around) / 4));
    }
  }
  return median(values) / 255.0;
}

// Median over 3 x 3 pixels, channel by channel; the edge repeats.
Image smoothed(const Image& image) {
  Image out = image;
  std::vector<uint8_t> window;
  size_t at = 0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      for (size_t c = 0; c < 3; ++c) {
        window.clear();
        for (int dy = -1; dy <= 1; ++dy) {
          for (int dx = -1; dx <= 1; ++dx) {
            window.push_back(channel(image, std::clamp(x + dx, 0, image.width - 1),
                                     std::clamp(y + dy, 0, image.height - 1), c));
          }
        }
        out.rgb[at++] = median(window);
      }
    }
  }
  return out;
}

// Sum of the absolute channel differences over the better half of the pixels: objects and shadows
// cover less than half.
int64_t distance_to_backdrop(const Image& image, const Image& backdrop) {
  std::array<int32_t, 3 * 255 + 1> histogram{};
  for (size_t i = 0; i < image.rgb.size(); i += 3) {
    int difference = 0;
    for (size_t c = 0; c < 3; ++c) difference += std::abs(image.rgb[i + c] - backdrop.rgb[i + c]);
    ++histogram[static_cast<size_t>(difference)];
  }
  int64_t left = static_cast<int64_t>(image.rgb.size() / 6), sum = 0;
  for (size_t value = 0; value < histogram.size() && left > 0; ++value) {
    const int64_t here = std::min<int64_t>(left, histogram[value]);
    sum += here * static_cast<int64_t>(value);
    left -= here;
  }
  return sum;
}

int64_t nearest_of(const std::vector<Image>& backdrops, const Image& image, size_t& best) {
  int64_t least = std::numeric_limits<int64_t>::max();
  for (size_t i = 0; i < backdrops.size(); ++i) {
    const int64_t distance = distance_to_backdrop(image, backdrops[i]);
    if (distance < least) least = distance, best = i;
  }
  return least;
}

// The pixels in the middle of each of kGlance * kGlance parts.
Image glance_of(const Image& image) {
  Image glance{kGlance, kGlance, {}};
  for (int y = 0; y < kGlance; ++y) {
    for (int x = 0; x < kGlance; ++x) {
      const int px = (2 * x + 1) * image.width / (2 * kGlance);
      const int py = (2 * y + 1) * image.height / (2 * kGlance);
      for (size_t c = 0; c < 3; ++c) glance.rgb.push_back(channel(image, px, py, c));
    }
  }
  return glance;
}

// Differs from the backdrop, and not as a shadow does: darker by a common factor.
bool is_foreground(const uint8_t* pixel, const uint8_t* back) {
  float largest = 0, dot = 0, norm = 0;
  for (size_t c = 0; c < 3; ++c) {
    const float p = pixel[c], b = back[c];
    largest = std::max(largest, std::abs(p - b));
    dot += p * b;
    norm += b * b;
  }
  if (largest <= kDiffers) return false;
  const float dim = 1 - dot / std::max(norm, 1.f);
  if (dim <= 0 || dim >= kDarkest) return true;
  float rest = 0;
  for (size_t c = 0; c < 3; ++c) {
    rest = std::max(rest, std::abs(static_cast<float>(pixel[c]) - (1 - dim) * back[c]));
  }
  return rest >= kShadowError;
}

// Lightness counts half: shading changes it.
int nearest_colour(const ByteRgb& rgb) {
  const Lab seen = to_lab({static_cast<float>(rgb[0]) / 255, static_cast<float>(rgb[1]) / 255,
                           static_cast<float>(rgb[2]) / 255});
  int best = 0;
  float least = 1e9f;
  for (int colour = 0; colour < kColourCount; ++colour) {
    const Lab lab = to_lab(kColours[static_cast<size_t>(colour)].rgb);
    const float apart = std::hypot(.5f * (seen.l - lab.l), seen.a - lab.a, seen.b - lab.b);
    if (apart < least) least = apart, best = colour;
  }
  return best;
}

struct Match {
  const Silhouette* silhouette = nullptr;
  double confidence = 0;
  Pose pose;
};

Match best_match(const std::vector<Silhouette>& bank, const Mask& mask) {
  Match match;
  match.pose = pose_of(mask);
  const Frame frame = frame_of(mask, match.pose, 0);
  for (const Silhouette& silhouette : bank) {
    const double confidence = overlap(frame, silhouette.frame);
    if (!match.silhouette || confidence > match.confidence) {
      match.silhouette = &silhouette;
      match.confidence = confidence;
    }
  }
  return match;
}

ByteRgb median_colour(const Image& image, const Match& match) {
  std::array<std::vector<uint8_t>, 3> values;
  for (int y = 0; y < kFrame; ++y) {
    for (int x = 0; x < kFrame; ++x) {
      if (!(match.silhouette->own_colour[static_cast<size_t>(y)] >> x & 1)) continue;
      const Place place = cell_place(match.pose, 0, x, y);
      const int px = std::clamp(static_cast<int>(place.x), 0, image.width - 1);
      const int py = std::clamp(static_cast<int>(place.y), 0, image.height - 1);
      for (size_t c = 0; c < 3; ++c) values[c].push_back(channel(image, px, py, c));
    }
  }
  return {median(values[0]), median(values[1]), median(values[2])};
}

}  // namespace

struct Detector::Templates {
  std::vector<Image> backdrops;  // [palette * kBackdropCount + kind]
  std::vector<Scene> glows;      // about the middles that are tried, in every palette
  std::vector<Image> glances;    // what they look like
  std::vector<Silhouette> bank;
};

Detector::Detector(int size) : size_(size) {
  check(size >= kSmallest && size <= kLargest, Code::bad_input, "the detector reads pictures of ",
        kSmallest, " to ", kLargest, " pixels a side, not ", size);
  Templates templates;
  for (int palette = 0; palette < kPaletteCount; ++palette) {
    for (int kind = 0; kind < kBackdropCount; ++kind) {
      templates.backdrops.push_back(render({palette, kind, {}}, size).image);
    }
  }
  for (int palette = 0; palette < kPaletteCount; ++palette) {
    for (double y = kNearest; y <= kFarthest; y += kStep) {
      for (double x = kNearest; x <= kFarthest; x += kStep) {
        templates.glows.push_back({palette, static_cast<int>(Backdrop::glow), {}, x, y});
        templates.glances.push_back(render(templates.glows.back(), kGlance).image);
      }
    }
  }
  templates.bank = silhouettes();
  templates_ = std::make_unique<const Templates>(std::move(templates));
}

Detector::~Detector() = default;

// The glow that comes nearest to the backdrop of a picture.
Scene Detector::nearest_glow(const Image& image) const {
  const Image glance = glance_of(image);
  size_t at = 0;
  int64_t least = nearest_of(templates_->glances, glance, at);
  Scene best = templates_->glows[at];
  for (double step = kStep / 2; step >= kFinest; step /= 2) {
    const Scene from = best;
    for (const double dy : {-step, 0., step}) {
      for (const double dx : {-step, 0., step}) {
        Scene other = from;
        other.glow_x += dx, other.glow_y += dy;
        const int64_t distance = distance_to_backdrop(glance, render(other, kGlance).image);
        if (distance < least) least = distance, best = other;
      }
    }
  }
  return best;
}

Found Detector::identify(const Image& image, Mask mask) const {
  fill_small_holes(mask, kSmallHole);
  Match match = best_match(templates_->bank, mask);
  const Pose whole = match.pose;
  for (int layer = 0; layer < kPeels && match.confidence < kPoorMatch; ++layer) {
    mask = peel(mask);
    const Match peeled = best_match(templates_->bank, mask);
    if (peeled.confidence > match.confidence) match = peeled;
  }
  const double unit = kCanvas / size_;
  return {match.confidence < kUnknown ? -1 : match.silhouette->shape,
          nearest_colour(median_colour(image, match)),
          whole.cx * unit,
          whole.cy * unit,
          std::sqrt(whole.area / match.silhouette->area) * unit,
          match.confidence};
}

Detection Detector::detect(const Image& original) const {
  check(original.width == size_ && original.height == size_, Code::bad_input,
        "the detector was made for pictures of ", size_, " x ", size_, " pixels, this one has ",
        original.width, " x ", original.height);
  const Image filtered = noise_of(original) > kNoisy ? smoothed(original) : Image{};
  const Image& image = filtered.rgb.empty() ? original : filtered;

  size_t best = 0;
  const int64_t least = nearest_of(templates_->backdrops, image, best);
  Detection detection{
      static_cast<int>(best) / kBackdropCount, static_cast<int>(best) % kBackdropCount, {}};
  const Scene glow = nearest_glow(image);
  const Image glowing = render(glow, size_).image;
  const bool glows = distance_to_backdrop(image, glowing) < least;
  if (glows) detection.palette = glow.palette, detection.backdrop = glow.backdrop;
  const Image& backdrop = glows ? glowing : templates_->backdrops[best];
  Mask foreground(size_);
  for (size_t i = 0; i < foreground.on.size(); ++i) {
    foreground.on[i] = is_foreground(&image.rgb[3 * i], &backdrop.rgb[3 * i]);
  }
  const double pixels = size_ / kCanvas;
  for (Mask& mask : components(foreground, kLeastArea * pixels * pixels)) {
    detection.objects.push_back(identify(image, std::move(mask)));
  }
  return detection;
}

bool scene_exact(const Detection& found, const Scene& truth) {
  if (found.objects.size() != truth.objects.size()) return false;
  std::vector<std::pair<int, int>> seen, meant;
  for (const Found& object : found.objects) seen.emplace_back(object.shape, object.colour);
  for (const Object& object : truth.objects) meant.emplace_back(object.shape, object.colour);
  std::sort(seen.begin(), seen.end());
  std::sort(meant.begin(), meant.end());
  return seen == meant;
}

}  // namespace janus
