// Each op changes the record of a scene; the picture follows from the record. An instruction names
// an object by its class, and by its colour too where the class repeats, so that it means one.
// SPDX-License-Identifier: MIT
#include "world/edits.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "world/description.h"
#include "world/layout.h"
#include "world/wording.h"

namespace janus {
namespace {

constexpr double kGrow = 1.45, kShrink = .69;
constexpr double kTolerance = 8;  // units that an unchanged object may move, and that boxes grow
constexpr double kMargin = 4, kFloor = 7, kGap = 4;
constexpr double kLostInNoise = 99;  // dB where nothing differs
constexpr double kReadOff = 2.5;     // units, of the detector
constexpr int kTries = 60;

constexpr std::array<std::string_view, kEditOps> kOps = {"recolour", "remove", "add",  "replace",
                                                         "move",     "resize", "swap", "backdrop"};
constexpr std::array<std::array<std::string_view, 6>, kEditOps> kWords = {{
    {"make the {a} {color}", "paint the {a} {color}", "color the {a} {color}",
     "turn the {a} {color}", "change the color of the {a} to {color}", "let the {a} be {color}"},
    {"remove the {a}", "take the {a} away", "delete the {a}", "erase the {a}", "get rid of the {a}",
     "let the {a} vanish"},
    {"add {new}", "put {new} in", "draw {new} as well", "add {new} to the picture",
     "place {new} somewhere", "let there be {new}"},
    {"replace the {a} with {thing}", "turn the {a} into {thing}", "change the {a} to {thing}",
     "put {thing} in place of the {a}", "swap the {a} for {thing}", "make {thing} of the {a}"},
    {"move the {a} to the {side}", "shift the {a} to the {side}", "put the {a} at the {side}",
     "bring the {a} to the {side}", "the {a} belongs to the {side}", "drag the {a} to the {side}"},
    {"make the {a} {size}", "let the {a} be {size}", "draw the {a} {size}",
     "the {a} should be {size}", "I want the {a} {size}", "have the {a} {size}"},
    {"swap the {a} and the {b}", "exchange the {a} and the {b}",
     "let the {a} and the {b} trade places", "switch the {a} and the {b}",
     "put the {a} where the {b} is, and the other way round", "interchange the {a} and the {b}"},
    {"change the background to {palette}", "make the background {palette}",
     "use a {palette} background", "put it on a {palette} background",
     "the background should be {palette}", "let the background be {palette}"},
}};

bool fits(const Object& o, const Scene& scene, size_t but) {
  if (o.cx < o.r + kMargin || o.cx > kCanvas - o.r - kMargin || o.cy < o.r + kMargin ||
      o.cy > kCanvas - o.r - kFloor || !stands_out(o.colour, scene.palette)) {
    return false;
  }
  for (size_t i = 0; i < scene.objects.size(); ++i) {
    const Object& other = scene.objects[i];
    if (i != but && std::hypot(o.cx - other.cx, o.cy - other.cy) < o.r + other.r + kGap) {
      return false;
    }
  }
  return true;
}

// Whether the cell stays what it is when the place is read a little off.
bool well_inside(const Object& object) {
  for (const double dx : {-kReadOff, kReadOff}) {
    for (const double dy : {-kReadOff, kReadOff}) {
      Object read = object;
      read.cx += dx, read.cy += dy;
      if (cell_of(read) != cell_of(object)) return false;
    }
  }
  return true;
}

class Editing {
 public:
  Editing(Philox& random, Split split) : random_(random), split_(split) {}

  bool attempt(int op);
  bool attempt_after(const EditSample& first, int op);
  EditSample sample;

 private:
  bool edit(int op);
  bool set_scene(size_t least, size_t most);
  bool is_there(const Object& object) const;
  bool change(int op, Gaps& gaps);
  bool recolour(Gaps& gaps);
  bool remove();
  bool add(Gaps& gaps);
  bool replace(Gaps& gaps);
  bool move(Gaps& gaps);
  bool resize(Gaps& gaps);
  bool swap(Gaps& gaps);
  bool backdrop(Gaps& gaps);
  std::string called(size_t i) const;
  // A clear place for `object`, which is no. `but` of the scene; false where none is found.
  bool settle(Object& object, size_t but);
  Object& target() { return sample.after.objects[target_]; }

  Philox& random_;
  Split split_;
  size_t target_ = 0;
};

bool Editing::set_scene(size_t least, size_t most) {
  const Pairs pairs = split_ == Split::train ? Pairs::seen : Pairs::all;
  sample.before.objects.clear();
  size_t n = 0;
  do {
    n = static_cast<size_t>(draw_count(random_));
  } while (n < least || n > most);
  while (sample.before.objects.size() < n) {
    const Object next = draw_object(random_, pairs);
    if (is_there(next)) return false;
    sample.before.objects.push_back(next);
  }
  draw_backdrop(random_, sample.before);
  lay_out(random_, sample.before);
  sample.after = sample.before;
  sample.told.assign(n, Told::place);
  target_ = static_cast<size_t>(random_.below(static_cast<int>(n)));
  return true;
}

// Its class and colour would mean two objects.
bool Editing::is_there(const Object& object) const {
  return std::any_of(
      sample.before.objects.begin(), sample.before.objects.end(),
      [&](const Object& o) { return o.shape == object.shape && o.colour == object.colour; });
}

std::string Editing::called(size_t i) const {
  const Object& object = sample.before.objects[i];
  const auto same = std::count_if(sample.before.objects.begin(), sample.before.objects.end(),
                                  [&](const Object& o) { return o.shape == object.shape; });
  return second_phrase({.shape = object.shape, .colour = object.colour}, same > 1).substr(4);
}

bool Editing::settle(Object& object, size_t but) {
  for (int attempt = 0; attempt < kTries; ++attempt) {
    object.cx = random_.uniform(object.r + kMargin, kCanvas - object.r - kMargin);
    object.cy = random_.uniform(object.r + kMargin, kCanvas - object.r - kFloor);
    if (fits(object, sample.after, but)) return true;
  }
  return false;
}

bool Editing::recolour(Gaps& gaps) {
  const int colour = random_.below(kColourCount);
  if (colour == target().colour || !stands_out(colour, sample.after.palette)) return false;
  target().colour = colour;
  gaps.emplace_back("color", colour_name(colour));
  sample.made = {static_cast<int>(target_)};
  return true;
}

bool Editing::remove() {
  const auto at = static_cast<std::ptrdiff_t>(target_);
  sample.after.objects.erase(sample.after.objects.begin() + at);
  sample.told.erase(sample.told.begin() + at);
  return true;
}

bool Editing::add(Gaps& gaps) {
  Object object = draw_object(random_, split_ == Split::train ? Pairs::seen : Pairs::all);
  object.r = random_.uniform(16, 22);
  object.rot = random_.uniform(-.25, .25);
  if (is_there(object)) return false;
  if (!settle(object, sample.after.objects.size())) return false;
  sample.after.objects.push_back(object);
  sample.told.push_back(Told::nothing);
  sample.changed.clear();
  sample.made = {static_cast<int>(sample.after.objects.size()) - 1};
  gaps.emplace_back("new", noun_phrase({.shape = object.shape, .colour = object.colour}));
  return true;
}

bool Editing::replace(Gaps& gaps) {
  const int shape = random_.below(kShapeCount);
  if (shape == target().shape) return false;
  target().shape = shape;
  sample.made = {static_cast<int>(target_)};
  gaps.emplace_back("thing", with_article(shape_name(shape).one));
  return true;
}

bool Editing::move(Gaps& gaps) {
  static constexpr std::array<std::string_view, 4> kSides = {"left", "right", "top", "bottom"};
  const auto side = static_cast<size_t>(random_.below(4));
  const auto at_side = [&](const Object& o) {
    const int cell = cell_of(o), column = cell % 3, line = cell / 3;
    return side == 0 ? column == 0 : side == 1 ? column == 2 : side == 2 ? line == 0 : line == 2;
  };
  if (at_side(target())) return false;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    Object moved = target();
    if (!settle(moved, target_)) return false;
    if (!at_side(moved) || !well_inside(moved)) continue;
    target() = moved;
    sample.told[target_] = Told::cell;
    sample.made = {static_cast<int>(target_)};
    gaps.emplace_back("side", kSides[side]);
    return true;
  }
  return false;
}

bool Editing::resize(Gaps& gaps) {
  const bool bigger = random_.chance(.5);
  target().r *= bigger ? kGrow : kShrink;
  sample.made = {static_cast<int>(target_)};
  gaps.emplace_back("size", bigger ? "bigger" : "smaller");
  return target().r >= 12 && fits(target(), sample.after, target_);
}

bool Editing::swap(Gaps& gaps) {
  const size_t n = sample.after.objects.size();
  const size_t other =
      (target_ + 1 + static_cast<size_t>(random_.below(static_cast<int>(n) - 1))) % n;
  Object &a = target(), &b = sample.after.objects[other];
  std::swap(a.cx, b.cx);
  std::swap(a.cy, b.cy);
  std::swap(sample.told[target_], sample.told[other]);  // each goes where the other was
  gaps.emplace_back("b", called(other));
  sample.changed.push_back(static_cast<int>(other));
  sample.made = sample.changed;
  return fits(a, sample.after, target_) && fits(b, sample.after, other);
}

bool Editing::backdrop(Gaps& gaps) {
  const int palette = random_.below(kPaletteCount);
  if (palette == sample.before.palette) return false;
  for (const Object& o : sample.before.objects) {
    if (!stands_out(o.colour, palette)) return false;
  }
  sample.after.palette = palette;
  sample.backdrop = true;
  sample.changed.clear();
  gaps.emplace_back("palette", kPalettes[static_cast<size_t>(palette)].name);
  return true;
}

bool Editing::change(int op, Gaps& gaps) {
  switch (op) {
    case 0:
      return recolour(gaps);
    case 1:
      return remove();
    case 2:
      return add(gaps);
    case 3:
      return replace(gaps);
    case 4:
      return move(gaps);
    case 5:
      return resize(gaps);
    case 6:
      return swap(gaps);
    default:
      return backdrop(gaps);
  }
}

// Objects that an op wants, at least and at most.
size_t least_of(int op) { return op == 1 || op == 6 ? 2 : 1; }
size_t most_of(int op) { return op == 2 ? 3 : kMostObjects; }

bool Editing::attempt(int op) {
  sample = {};
  return set_scene(least_of(op), most_of(op)) && edit(op);
}

// Another op, so that it does not undo the first.
bool Editing::attempt_after(const EditSample& first, int op) {
  const size_t n = first.after.objects.size();
  if (kOps[static_cast<size_t>(op)] == first.op || n < least_of(op) || n > most_of(op))
    return false;
  sample = {};
  for (const Object& object : first.after.objects) {
    if (is_there(object)) return false;
    sample.before.objects.push_back(object);
  }
  sample.before = sample.after = first.after;
  sample.told = first.told;
  sample.touched = first.touched;
  sample.backdrop = first.backdrop;
  target_ = static_cast<size_t>(random_.below(static_cast<int>(n)));
  const bool was_added = first.op == kOps[2] && target_ + 1 == n;
  return !(op == 1 && was_added) && edit(op);
}

bool Editing::edit(int op) {
  sample.changed = {static_cast<int>(target_)};
  Gaps gaps = {{"a", called(target_)}};
  if (!change(op, gaps)) return false;
  // The object that is named first: of an addition the new one.
  const Object& first = op == 2 ? sample.after.objects.back() : sample.before.objects[target_];
  sample.held = held_out_edit(op, first.shape) || shows_held_out(sample.before) ||
                shows_held_out(sample.after);
  if (split_ == Split::train && sample.held) return false;
  const Phrasing phrasing = choose_phrasing(random_, split_, kWords[static_cast<size_t>(op)]);
  sample.held |= phrasing.held;
  sample.instruction = fill(phrasing.text, gaps);
  if (split_ == Split::train) sample.instruction = as_typed(random_, sample.instruction);
  sample.op = kOps[static_cast<size_t>(op)];
  for (const int i : sample.changed) {
    sample.touched.push_back(sample.before.objects[static_cast<size_t>(i)]);
  }
  for (const int i : sample.made) {
    sample.touched.push_back(sample.after.objects[static_cast<size_t>(i)]);
  }
  return true;
}

bool in_grown_box(const Object& o, double x, double y) {
  return std::abs(x - o.cx) <= o.r + kTolerance && std::abs(y - o.cy) <= o.r + kTolerance;
}

}  // namespace

EditSample edit_sample(Split split, uint64_t index) {
  Philox random = world_stream(split, "edits", index);
  Editing editing(random, split);
  while (!editing.attempt(static_cast<int>(index % kEditOps))) {
  }
  return editing.sample;
}

std::vector<EditSample> edit_turns(Split split, uint64_t index) {
  std::vector<EditSample> turns = {edit_sample(split, index)};
  if (index / kEditOps % 10 != 9) return turns;
  Philox random = world_stream(split, "edits again", index);
  Editing editing(random, split);
  for (int attempt = 0; attempt < kTries && turns.size() == 1; ++attempt) {
    if (editing.attempt_after(turns[0], random.below(kEditOps))) turns.push_back(editing.sample);
  }
  return turns;
}

std::string edit_record(const EditSample& sample, Split split, uint64_t index) {
  return "{\"op\":\"" + sample.op + "\",\"instruction\":\"" + sample.instruction +
         "\",\"before\":" + scene_record(sample.before, split, "edits", index) +
         ",\"after\":" + scene_record(sample.after, split, "edits", index) + '}';
}

bool edit_done(const EditSample& sample, const Detection& picture) {
  if (!scene_exact(picture, sample.after)) return false;
  if (sample.backdrop && picture.palette != sample.after.palette) return false;
  // Each object of the target has one of its kind where it was told to be.
  for (size_t i = 0; i < sample.after.objects.size(); ++i) {
    const Object& wanted = sample.after.objects[i];
    const bool found =
        std::any_of(picture.objects.begin(), picture.objects.end(), [&](const Found& f) {
          if (f.shape != wanted.shape || f.colour != wanted.colour) return false;
          if (sample.told[i] == Told::nothing) return true;
          if (sample.told[i] == Told::cell) return cell_of(as_object(f)) == cell_of(wanted);
          return std::hypot(f.cx - wanted.cx, f.cy - wanted.cy) <= kTolerance;
        });
    if (!found) return false;
  }
  if (sample.op != "resize") return true;
  const Object& wanted = sample.after.objects[static_cast<size_t>(sample.made[0])];
  const double before = sample.before.objects[static_cast<size_t>(sample.changed[0])].r;
  return std::any_of(picture.objects.begin(), picture.objects.end(), [&](const Found& f) {
    return f.shape == wanted.shape && f.colour == wanted.colour &&
           (wanted.r > before ? f.r > 1.15 * before : f.r < .87 * before);
  });
}

double edit_preservation(const EditSample& sample, const Image& picture, const Image& ideal) {
  check(picture.width == ideal.width && picture.height == ideal.height, Code::bad_input,
        "an edited picture of ", picture.width, " x ", picture.height, " is held against one of ",
        ideal.width, " x ", ideal.height);
  double squares = 0, count = 0;
  for (int y = 0; y < ideal.height; ++y) {
    for (int x = 0; x < ideal.width; ++x) {
      const double ux = (x + .5) * kCanvas / ideal.width, uy = (y + .5) * kCanvas / ideal.height;
      if (std::any_of(sample.touched.begin(), sample.touched.end(),
                      [&](const Object& o) { return in_grown_box(o, ux, uy); })) {
        continue;
      }
      const size_t at =
          3 * (static_cast<size_t>(y) * static_cast<size_t>(ideal.width) + static_cast<size_t>(x));
      for (size_t c = 0; c < 3; ++c) {
        const double d = static_cast<double>(picture.rgb[at + c]) - ideal.rgb[at + c];
        squares += d * d;
        ++count;
      }
    }
  }
  if (squares == 0 || count == 0) return kLostInNoise;
  return std::min(kLostInNoise, 10 * std::log10(255.0 * 255.0 * count / squares));
}

}  // namespace janus
