// Circuits: a source and one to four elements in series, of which two branches of at most two may
// be parallel. What a circuit says is its wiring, in whatever order; the picture is one of many.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "world/strokes.h"

namespace janus {

enum class Component { resistor, lamp, switch_ };

struct Element {
  char letter = 'A';
  Component component = Component::resistor;
  bool open = false;  // of a switch
  int slot = 0;       // which place of the loop, of those in series with everything
};
struct Circuit {
  std::vector<Element> series;                   // along the loop
  std::array<std::vector<Element>, 2> branches;  // both empty: none
  bool across = false;                           // branches lie across; else they stand
  int turned = 0;                                // 0 to 7: turns and mirror images of the whole
  Hand hand;
  bool empty() const { return series.empty() && branches[0].empty(); }
};

// At least one resistor or lamp wherever a current could go: no short circuits.
Circuit draw_circuit(Philox& random);

// A tree of elements, series and parallels.
struct Wiring {
  enum class Kind { element, series, parallel };
  Kind kind = Kind::element;
  Element element;
  std::vector<Wiring> parts;
};
Wiring wiring_of(const Circuit& circuit);

// "source , series ( R A , parallel ( L B , S C open ) )": parts in the order of their first
// letters, series in a series and parallels in a parallel made one.
std::string circuit_text(const Wiring& wiring);
// Of any text; nothing where it is no circuit.
std::optional<Wiring> parse_circuit(const std::string& text);

std::vector<Element> elements_of(const Wiring& wiring);
// Whether the least part that holds both holds them in different branches of a parallel.
bool in_parallel(const Wiring& wiring, char one, char other);
// Lamps that a current flows through.
std::set<char> lit_lamps(const Wiring& wiring);
// With one switch set.
Wiring with_switch(Wiring wiring, char letter, bool open);

Strokes strokes_of(const Circuit& circuit);

}  // namespace janus
