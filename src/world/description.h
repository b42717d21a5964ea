// What a text says about a scene: its objects, with as much as is said of each, and the backdrop.
// Prompts and captions are written from descriptions and are read back into them, so that a text is
// compared with another, or with a picture, fact by fact.
// Prompts are in world/prompts.h, captions in world/captions.h. SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "world/detect.h"
#include "world/relation.h"

namespace janus {

// One object, or several alike. -1: not said.
struct Mention {
  int count = 1;
  int shape = 0;
  int colour = -1;
  int size = -1;      // 0 small, 1 big
  int cell = -1;      // index into kCells
  int relation = -1;  // index into kRelations, to mention `other`
  int other = -1;
};

struct Description {
  std::vector<Mention> mentions;
  int palette = -1, backdrop = -1;
};

// "a big red ball", "three red stars"; an object mentioned before is "the ball".
std::string noun_phrase(const Mention& mention);
std::string second_phrase(const Mention& mention, bool with_colour);
// "at the top left", "in the middle", "on the right".
std::string place_phrase(int cell);
// "a sky background", "a sky background with stripes".
std::string backdrop_phrase(int palette, int backdrop);
// "a, b and c".
std::string listed(const std::vector<std::string>& phrases);

// Reads a text of the prompts' or captions' grammar; words it does not know are passed over.
Description parse_description(std::string_view text);

// One atomic statement. Facts of equal text say the same; "above" and "below" are one relation seen
// from either end, and so are "left of" and "right of".
struct Fact {
  enum class Kind { exists, colour, size, place, relation, palette, backdrop };
  Kind kind;
  int mention;  // what it is about; -1: the backdrop
  int parent;   // index of the fact without which this one has no meaning; -1: none
  std::string text;
};
std::vector<Fact> facts_of(const Description& description);

// Harmonic mean of precision and recall over the facts of both.
double fact_f1(const Description& said, const Description& truth);

// Whether a fact of the description is true of a picture.
bool holds(const Fact& fact, const Description& description, const Detection& picture);

// A found thing as an object of a scene.
Object as_object(const Found& found);

}  // namespace janus
