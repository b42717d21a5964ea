// Every arrangement is drawn upright or level and may be mirrored; what varies within it keeps the
// gaps and margins of world/layout.cc by the ranges alone, which its tests check.
// SPDX-License-Identifier: MIT
#include "world/composition.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "world/layout.h"
#include "world/wording.h"

namespace janus {
namespace {

enum : int { kRed, kOrange, kYellow, kGreen, kBlue, kPurple, kPink, kBrown, kBlack, kWhite };
enum : int { kCream, kSky, kMint, kLilac, kSlate, kSand, kRose, kNight };

constexpr std::array<Harmony, 40> kHarmonies = {{
    {kRed, kGreen, kCream},     {kBlue, kOrange, kCream}, {kGreen, kYellow, kCream},
    {kBrown, kOrange, kCream},  {kBlack, kRed, kCream},   {kYellow, kOrange, kSky},
    {kRed, kYellow, kSky},      {kPink, kPurple, kSky},   {kGreen, kBrown, kSky},
    {kOrange, kBlue, kSky},     {kPink, kRed, kMint},     {kOrange, kPurple, kMint},
    {kBrown, kGreen, kMint},    {kPurple, kPink, kMint},  {kBlack, kPink, kMint},
    {kPurple, kYellow, kLilac}, {kBlue, kPurple, kLilac}, {kPink, kBlue, kLilac},
    {kYellow, kPurple, kLilac}, {kBlue, kBlack, kLilac},  {kWhite, kRed, kSlate},
    {kWhite, kOrange, kSlate},  {kRed, kWhite, kSlate},   {kYellow, kWhite, kSlate},
    {kYellow, kBlack, kSlate},  {kBlue, kBrown, kSand},   {kGreen, kRed, kSand},
    {kBrown, kBlue, kSand},     {kPurple, kGreen, kSand}, {kBlack, kGreen, kSand},
    {kPurple, kBlack, kRose},   {kBrown, kPink, kRose},   {kRed, kBlack, kRose},
    {kBlack, kBrown, kRose},    {kGreen, kBrown, kRose},  {kWhite, kYellow, kNight},
    {kWhite, kPink, kNight},    {kPink, kWhite, kNight},  {kOrange, kWhite, kNight},
    {kOrange, kBlue, kNight},
}};

// In the order of Backdrop: mostly a glow.
constexpr std::array<double, kBackdropCount> kBackdropShares = {.13, .6, .08, .12, .07};
constexpr double kTilt = .12;       // radians
constexpr double kSway = 2;         // units that a whole arrangement may lie off
constexpr double kMiddle = 64;      // of the canvas, across
constexpr double kLevel = 61.5;     // and down, as shadows fall downwards
constexpr double kThird = 64. / 3;  // from the middle
constexpr double kSmallest = 15, kSmall = 19, kBig = 30, kBiggest = 40;  // what words call so

// Places and radii of an arrangement in the making, about the middle.
class Arranging {
 public:
  explicit Arranging(Philox& random) : random_(random) {}

  void one();
  void two();
  void three();
  void four();
  // Onto the canvas.
  void finish(const Harmony& harmony, Scene& scene);

 private:
  struct Spot {
    double x, y, r;
    double tilt;
    bool companion;
  };
  double between(double low, double high) { return random_.uniform(low, high); }
  double side() { return random_.chance(.5) ? 1 : -1; }
  double tilt() { return between(-kTilt, kTilt); }
  void subject(double x, double y, double r) { spots_.push_back({x, y, r, tilt(), false}); }
  void companion(double x, double y, double r) { spots_.push_back({x, y, r, tilt(), true}); }
  void pair();
  void contrast();
  void row();
  void pyramid();
  void hero_and_two();
  void diagonal();
  void grid();
  void wreath();
  void hero_and_row();

  Philox& random_;
  std::vector<Spot> spots_;
  bool about_all_ = false;  // the glow is behind the middle of it, not behind the first
};

// On a crossing of thirds, large or small, or large in the middle.
void Arranging::one() {
  const double which = random_.uniform();
  if (which < .35) return subject(0, 0, between(34, 46));
  const double r = which < .85 ? between(26, 34) : between(kSmallest, kSmall);
  const double x = side() * kThird, y = side() * (kThird - 2);
  subject(x, y, r);
}

void Arranging::two() { random_.chance(.5) ? pair() : contrast(); }

// Alike about an axis, across or down.
void Arranging::pair() {
  const double r = between(20, 26), apart = between(r + 3, std::min(r + 8, 55 - r));
  const bool across = random_.chance(.5);
  subject(across ? -apart : 0, across ? 0 : -apart, r);
  companion(-spots_[0].x, -spots_[0].y, r);
  spots_[1].tilt = -spots_[0].tilt;
  about_all_ = true;
}

// One large, one small beside, below or across a corner.
void Arranging::contrast() {
  const double big = between(kBig, 34.5), small = between(kSmallest, 18), both = big + small;
  const double x = side(), y = side();
  const double way = random_.uniform();
  if (way < .4) {
    const double half = (both + between(both + 4.5, std::min(both + 12, 112 - both))) / 2;
    subject(x * (half - big), 0, big);
    companion(x * (small - half), between(-6, 16), small);
  } else if (way < .65) {
    const double half = (both + between(both + 4.5, std::min(both + 12, 110 - both))) / 2;
    subject(0, y * (half - big), big);
    companion(0, y * (small - half), small);
  } else {
    subject(x * (50 - big), y * (46 - big), big);
    companion(x * (small - 50), y * (small - 50), small);
  }
}

void Arranging::three() {
  const double which = random_.uniform();
  which < .3 ? row() : which < .6 ? pyramid() : which < .8 ? hero_and_two() : diagonal();
}

// Level, the middle one at least as large.
void Arranging::row() {
  const double beside = between(15.5, 17), r = between(beside, 54 - 2 * beside);
  const double apart = std::min(r + beside + between(4, 8), 58 - beside);
  subject(0, 0, r);
  companion(-apart, 0, beside);
  companion(apart, 0, beside);
  spots_[2].tilt = -spots_[1].tilt;
}

// Two on the ground and one above, or the other way round.
void Arranging::pyramid() {
  const double r = between(19, 23), base = between(18, 21), apart = between(base + 4, 30);
  const double y = side();
  subject(0, -y * (52 - r), r);
  companion(-apart, y * (50 - base), base);
  companion(apart, y * (50 - base), base);
  spots_[2].tilt = -spots_[1].tilt;
  about_all_ = true;
}

void Arranging::hero_and_two() {
  const double r = between(26, 31), beside = between(15, 17);
  const double x = side(), apart = between(beside + 4, 26);
  subject(x * (52 - r), 0, r);
  companion(x * (beside - 52), -apart, beside);
  companion(x * (beside - 52), apart, beside);
}

void Arranging::diagonal() {
  const double r = between(17, 19), x = side() * between(34, 37), y = between(29, 32);
  subject(0, 0, r);
  companion(-x, -y, r);
  companion(x, y, r);
  spots_[1].tilt = spots_[2].tilt = spots_[0].tilt;
}

void Arranging::four() {
  const double which = random_.uniform();
  which < .4 ? grid() : which < .7 ? wreath() : hero_and_row();
}

// Colours crosswise.
void Arranging::grid() {
  const double r = between(17, 22), apart = between(r + 3, std::min(r + 8, 54 - r));
  const double x = side() * apart;
  subject(-x, -apart, r);
  subject(x, apart, r);
  companion(x, -apart, r);
  companion(-x, apart, r);
  about_all_ = true;
}

void Arranging::wreath() {
  const double r = between(16, 19), apart = between(34, 54 - r);
  subject(0, -apart, r);
  subject(0, apart, r);
  companion(-apart, 0, r);
  companion(apart, 0, r);
  spots_[3].tilt = -spots_[2].tilt;
  about_all_ = true;
}

void Arranging::hero_and_row() {
  const double r = between(25, 29), beside = between(15, 16.2), apart = between(36.5, 56 - beside);
  subject(0, r - 54, r);
  companion(-apart, 53 - beside, beside);
  companion(0, 53 - beside, beside);
  companion(apart, 53 - beside, beside);
}

void Arranging::finish(const Harmony& harmony, Scene& scene) {
  const double dx = kMiddle + between(-kSway, kSway), dy = kLevel + between(-kSway, kSway);
  for (const Spot& spot : spots_) {
    scene.objects.push_back({0, spot.companion ? harmony.companion : harmony.subject, dx + spot.x,
                             dy + spot.y, spot.r, spot.tilt});
  }
  scene.palette = harmony.palette;
  scene.backdrop = pick(random_, kBackdropShares);
  if (static_cast<Backdrop>(scene.backdrop) != Backdrop::glow) return;
  scene.glow_x = about_all_ ? dx : scene.objects[0].cx;
  scene.glow_y = about_all_ ? dy : scene.objects[0].cy;
}

}  // namespace

std::span<const Harmony> harmonies() { return kHarmonies; }

Scene compose(Philox& random, int count) {
  constexpr std::array<void (Arranging::*)(), kMostObjects> kArrange = {
      &Arranging::one, &Arranging::two, &Arranging::three, &Arranging::four};
  check(count >= 1 && count <= kMostObjects, Code::bug, "a composition of ", count, " objects");
  Scene scene;
  Arranging arranging(random);
  (arranging.*kArrange[static_cast<size_t>(count - 1)])();
  arranging.finish(
      kHarmonies[static_cast<size_t>(random.below(static_cast<int>(kHarmonies.size())))], scene);
  return scene;
}

std::vector<int> sizes_told(const std::vector<Object>& objects) {
  std::vector<int> sizes;
  for (const Object& o : objects) {
    const bool small = o.r >= kSmallest && o.r <= kSmall, big = o.r >= kBig && o.r <= kBiggest;
    if (objects.size() > 2 || (!small && !big)) return {};
    sizes.push_back(big ? 1 : 0);
  }
  return sizes;
}

}  // namespace janus
