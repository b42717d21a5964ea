// Edits as data: a scene, an instruction, and the scene that ought to come out, so that the ideal
// picture is known pixel by pixel. SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "io/image.h"
#include "world/detect.h"

namespace janus {

inline constexpr int kEditOps = 8;

// How much the words say of where an object ought to be.
enum class Told { place, cell, nothing };

struct EditSample {
  std::string op;  // recolour, remove, add, replace, move, resize, swap, backdrop
  Scene before;
  Scene after;
  std::string instruction;
  std::vector<int> changed;  // indices of objects of `before` that the edit touches
  std::vector<int> made;     // … of `after` that it made or moved
  // After earlier turns too: of each object of `after`; the objects whose boxes may look different,
  // as they were and as they are; whether a backdrop was asked for.
  std::vector<Told> told;
  std::vector<Object> touched;
  bool backdrop = false;
  bool held = false;  // op and class, or what the scenes show, is held out of training
};

// The ops follow each other from index to index.
EditSample edit_sample(Split split, uint64_t index);

// The same, and for a tenth of the indices a second edit, of another op, of what the first made;
// nearly a tenth, since some scenes leave none that is clear.
std::vector<EditSample> edit_turns(Split split, uint64_t index);

// Op `op` on a first-named object of class `shape` is never in training; the backdrop names none.
constexpr bool held_out_edit(int op, int shape) {
  return op != kEditOps - 1 && (5 * op + 3 * shape) % 8 == 0;
}

// The record of an edit: both scenes' records and the instruction, one JSON object on one line.
std::string edit_record(const EditSample& sample, Split split, uint64_t index);

// Whether a picture has the objects of `after` and no others, those whose place is told within 8
// units of it, and, where a backdrop was asked for, that palette.
bool edit_done(const EditSample& sample, const Detection& picture);

// Peak signal-to-noise ratio in dB against the ideal picture, outside the boxes of what is touched,
// grown by 8 units; 99 where nothing differs. Pictures are of one size.
double edit_preservation(const EditSample& sample, const Image& picture, const Image& ideal);

}  // namespace janus
