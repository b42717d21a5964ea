// How many operations a training step is, counted from the network's shapes, so that its rate can
// be held against what the machine's products can do. No libtorch here.
//
// A product of a matrix [out, in] with a row is 2 · out · in operations forwards, as many for the
// gradient of the matrix where it learns, and as many for that of the row where anything before it
// does: 6 · parameters · rows where all learn, as in "Scaling Laws for Neural Language Models"
// (arXiv 2001.08361, section 2.1). Attention is 4 · heads · head width for each pair of a place and
// one that it sees, and twice that backwards. Heads count at the places that are held to something.
// Not counted: pads and pairs that a mask hides, what is computed again to save memory, norms,
// softmax, tables, losses and the heads that only help.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "train/data.h"
#include "train/recipe.h"

namespace janus::train {

struct StepWork {
  int64_t positions = 0;  // of the decoder, pads not counted; of a codec that learns: of codes
  double operations = 0;

  StepWork& operator+=(const StepWork& more) {
    positions += more.positions;
    operations += more.operations;
    return *this;
  }
};

class Operations {
 public:
  explicit Operations(const Recipe& recipe);

  // The rows of one pass of the language model.
  StepWork of(const LanguageBatch& batch) const;
  // Pictures of that side through a codec that learns.
  StepWork of_pictures(int64_t count, int64_t side) const;

 private:
  // What each unit of work is.
  struct Units {
    double position = 0;  // in the decoder's products
    double pair = 0;      // in its attention
    double given = 0;     // a code that is given
    double told = 0;      // a token that is
    double drawn = 0;     // a code that goes in
    double read = 0;      // a picture that does, by the vision tower
  };
  static Units units_of(const Recipe& recipe, bool learning);

  // One sample in the decoder.
  static StepWork sample(int64_t length, const Units& units);
  StepWork drawing(const DrawRow& row, const Units& units) const;
  StepWork replies(const Dialogue& dialogue, const Units& units) const;
  // Of a preference with what is rejected; `units` of the network that learns or the one before.
  StepWork of(const DrawRow& row, const Units& units) const;
  StepWork of(const AskRow& row, const Units& units) const;

  Recipe recipe_;
  Units learning_, before_;  // with gradients and without
  double encoded_ = 0;       // a picture that becomes codes, without gradients
};

}  // namespace janus::train
