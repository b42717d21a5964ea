// Objects are placed one after another: joint rejection would accept under a hundredth of the
// layouts of four. All draws come from the sample's own stream, so that rejection keeps scenes
// pure. SPDX-License-Identifier: MIT
#include "world/layout.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "world/wording.h"

namespace janus {
namespace {

struct Range {
  double low, high;
};

// By the number of objects, 1 to 4.
constexpr std::array<Range, kMostObjects> kRadii = {{{26, 46}, {20, 31}, {17, 25}, {16, 22}}};
constexpr std::array<Range, 2> kSizes = {{{15, 19}, {30, 40}}};  // small, big
constexpr double kSizesApart = 1.6;                              // big over small, at least
constexpr std::array<double, kMostObjects> kCounts = {.40, .34, .13, .13};
constexpr double kMargin = 4;
constexpr double kFloor = 7;  // margin at the bottom: room for the shadow
constexpr double kGap = 4;    // between bounding circles
constexpr double kTilt = 0.25;
constexpr int kTries = 60;     // for one object, before the scene starts again
constexpr int kRestarts = 20;  // before the radii shrink
constexpr double kNarrowest = 2;

bool clear_of(const Object& object, const Object* begin, const Object* end) {
  return std::all_of(begin, end, [&](const Object& other) {
    const double dx = object.cx - other.cx, dy = object.cy - other.cy;
    const double apart = object.r + other.r + kGap;
    return dx * dx + dy * dy >= apart * apart;
  });
}

bool place(Philox& random, Range radii, Object& object, const Object* begin, const Object* end) {
  for (int attempt = 0; attempt < kTries; ++attempt) {
    object.r = random.uniform(radii.low, radii.high);
    object.rot = random.uniform(-kTilt, kTilt);
    object.cx = random.uniform(object.r + kMargin, kCanvas - object.r - kMargin);
    object.cy = random.uniform(object.r + kMargin, kCanvas - object.r - kFloor);
    if (clear_of(object, begin, end)) return true;
  }
  return false;
}

bool place_all(Philox& random, Range radii, std::vector<Object>& objects) {
  for (size_t i = 0; i < objects.size(); ++i) {
    if (!place(random, radii, objects[i], objects.data(), objects.data() + i)) return false;
  }
  return true;
}

bool place_sized(Philox& random, std::span<const int> sizes, std::vector<Object>& objects) {
  for (size_t i = 0; i < objects.size(); ++i) {
    const Range radii = kSizes[static_cast<size_t>(sizes[i])];
    if (!place(random, radii, objects[i], objects.data(), objects.data() + i)) return false;
  }
  if (objects.size() < 2 || sizes[0] == sizes[1]) return true;
  const double big = std::max(objects[0].r, objects[1].r);
  return big >= kSizesApart * std::min(objects[0].r, objects[1].r);
}

}  // namespace

bool shows_held_out(const Scene& scene) {
  std::array<int, kShapeCount> counts{};
  bool held = false;
  for (const Object& object : scene.objects) {
    ++counts[static_cast<size_t>(object.shape)];
    held |= held_out(object.shape, object.colour);
  }
  for (int shape = 0; shape < kShapeCount; ++shape) {
    held |= held_out_count(shape, counts[static_cast<size_t>(shape)]);
  }
  return held;
}

int draw_count(Philox& random) { return 1 + pick(random, kCounts); }

Object draw_object(Philox& random, Pairs pairs) {
  Object object;
  do {
    object.shape = random.below(kShapeCount);
    object.colour = random.below(kColourCount);
  } while (pairs == Pairs::seen && held_out(object.shape, object.colour));
  return object;
}

void draw_backdrop(Philox& random, Scene& scene) {
  const auto fits = [&](const Object& object) { return stands_out(object.colour, scene.palette); };
  do {
    scene.palette = random.below(kPaletteCount);
  } while (!std::all_of(scene.objects.begin(), scene.objects.end(), fits));
  scene.backdrop = random.below(kBackdropCount);
}

void lay_out(Philox& random, Scene& scene) {
  if (scene.objects.empty()) return;
  check(scene.objects.size() <= kRadii.size(), Code::bug, "a scene of ", scene.objects.size(),
        " objects has no layout");
  Range radii = kRadii[scene.objects.size() - 1];
  for (int attempt = 1; !place_all(random, radii, scene.objects); ++attempt) {
    if (attempt % kRestarts != 0) continue;
    radii.low *= 0.9;
    radii.high = std::max(radii.high * 0.85, radii.low + kNarrowest);
  }
}

void lay_out(Philox& random, Scene& scene, std::span<const int> sizes) {
  check(scene.objects.size() <= 2 && sizes.size() == scene.objects.size(), Code::bug,
        "sizes are told of one or two objects");
  while (!place_sized(random, sizes, scene.objects)) {
  }
}

void lay_out_row(Philox& random, Scene& scene, int places) {
  check(places >= 2 && places <= 5 && scene.objects.size() <= static_cast<size_t>(places),
        Code::bug, "a row of ", places, " places for ", scene.objects.size(), " objects");
  const double step = (kCanvas - 2 * kMargin) / places;
  const double r = std::min((step - kGap) / 2, kRadii[kMostObjects - 1].high);
  const double cy = random.uniform(r + kMargin, kCanvas - r - kFloor);
  for (size_t i = 0; i < scene.objects.size(); ++i) {
    Object& object = scene.objects[i];
    object.cx = kMargin + step * (static_cast<double>(i) + .5);
    object.cy = cy;
    object.r = r;
    object.rot = 0;
  }
}

}  // namespace janus
