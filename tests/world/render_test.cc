// Pictures against the drawing rules, at points where the rules give a number by hand.
// SPDX-License-Identifier: MIT
#include "world/render.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "world/tasks.h"

namespace janus {
namespace {

int red_at(const Image& image, int x, int y) {
  return image.rgb[3 * static_cast<size_t>(y * image.width + x)];
}

constexpr int kFade = static_cast<int>(Backdrop::fade);

TEST(Render, IsAPureFunction) {
  const Scene scene = codec_scene(Split::val, 5);
  const Rendering once = render(scene, 96), again = render(scene, 96);
  EXPECT_EQ(once.image, again.image);
  EXPECT_EQ(once.coverage, again.coverage);
  EXPECT_NE(once.image, render(codec_scene(Split::val, 6), 96).image);
}

TEST(Render, FadeRunsFromFirstToSecondColourUnderAVignette) {
  const Image image = render({0, kFade, {}}, 64).image;
  for (const int y : {0, 31, 63}) {
    for (const int x : {0, 40}) {
      const double u = (x + .5) / 64, v = (y + .5) / 64;
      const double vignette = 1 - .32 * ((u - .5) * (u - .5) + (v - .5) * (v - .5));
      EXPECT_NEAR(red_at(image, x, y), 255 * vignette * (.96 + v * (.88 - .96)), 1)
          << x << ' ' << y;
    }
  }
}

// The mix is read back from a palette's red channel in the middle row and elsewhere.
TEST(Render, EveryKindMixesByItsFormula) {
  const auto mix = [](Backdrop kind, double u, double v) {
    switch (kind) {
      case Backdrop::fade:
        return v;
      case Backdrop::glow:
        return 1.5 * std::hypot(u - .5, v - .42);
      case Backdrop::slant:
        return (u + v) / 2;
      case Backdrop::table:
        return .75 / (1 + std::exp(-60 * (v - .66))) + .15 * v;
      case Backdrop::stripes:
        break;
    }
    return .35 + .12 * std::sin(14 * M_PI * (u * std::cos(.6) + v * std::sin(.6)));
  };
  for (int kind = 0; kind < kBackdropCount; ++kind) {
    const Image image = render({4, kind, {}}, 64).image;
    for (int y = 3; y < 64; y += 15) {
      for (int x = 2; x < 64; x += 15) {
        const double u = (x + .5) / 64, v = (y + .5) / 64;
        const double t = std::min(1.0, mix(static_cast<Backdrop>(kind), u, v));
        const double vignette = 1 - .32 * ((u - .5) * (u - .5) + (v - .5) * (v - .5));
        EXPECT_NEAR(red_at(image, x, y), 255 * vignette * (.55 + t * (.38 - .55)), 1)
            << kBackdrops[static_cast<size_t>(kind)] << ' ' << x << ' ' << y;
      }
    }
  }
}

TEST(Render, CoverageIsTheArea) {
  for (const int size : {96, 192}) {
    const Rendering ball = render({0, kFade, {{0, 0, 64, 64, 40, 0}}}, size);
    const double covered = std::accumulate(ball.coverage.begin(), ball.coverage.end(), 0.0);
    const double radius = 40.0 * size / 128;
    EXPECT_NEAR(covered / (M_PI * radius * radius), 1, .005);
  }
}

TEST(Render, ObjectsStandWhereTheyAreToldAndTurnClockwise) {
  // An arrow a quarter turned (the limit does not bind the renderer) points down.
  const Rendering arrow = render({0, kFade, {{6, 4, 64, 64, 40, M_PI / 2}}}, 128);
  const auto covered = [&](int x, int y) {
    return arrow.coverage[static_cast<size_t>(y * 128 + x)];
  };
  EXPECT_GT(covered(64, 99), .9f);
  EXPECT_GT(covered(82, 75), .9f);  // the head's wing
  EXPECT_LT(covered(82, 40), .1f);
}

TEST(Render, ShadowFallsToTheLowerRight) {
  const Image with = render({0, kFade, {{0, 4, 64, 64, 30, 0}}}, 128).image;
  const Image without = render({0, kFade, {}}, 128).image;
  const auto dimmed = [&](int x, int y) {
    return 1 - static_cast<double>(red_at(with, x, y)) / red_at(without, x, y);
  };
  EXPECT_GT(dimmed(64, 97), .15);             // below
  EXPECT_GT(dimmed(64, 97), dimmed(64, 30));  // more than above
  EXPECT_GT(dimmed(97, 64), dimmed(30, 64));  // and right more than left
  EXPECT_NEAR(dimmed(4, 4), 0, .005);
}

TEST(Render, NoShadowFallsOnObjects) {
  const Object left{0, 2, 40, 50, 28, 0}, right{0, 2, 98, 62, 24, 0};
  const Image one = render({4, kFade, {right}}, 128).image;
  const Image two = render({4, kFade, {left, right}}, 128).image;
  for (int x = 80; x < 116; ++x) EXPECT_EQ(red_at(one, x, 62), red_at(two, x, 62)) << x;
}

TEST(Render, RefusesSizes) {
  EXPECT_THROW(render({}, 15), Error);
  EXPECT_THROW(render({}, 4096), Error);
}

}  // namespace
}  // namespace janus
