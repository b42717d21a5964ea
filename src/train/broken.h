// Rows that cannot be used: each is named once in a report, another stands in for it, and more than
// a source is allowed end the run. No libtorch here.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "train/data.h"

namespace janus::train {

// How many of the `count` rows of a source may be broken: as the recipe says, or one in a hundred.
int64_t broken_limit(const Source& source, int64_t count);

// Before anything is trained: throws Code::bad_input where none of a few rows of a source, spread
// over it, can be used.
void try_rows(const Recipe& recipe, const RowSources& sources);

// Rows as text and back, to go between processes.
std::string broken_text(std::span<const BrokenRow> rows);
std::vector<BrokenRow> broken_rows_of(const std::string& text);

class BrokenRows {
 public:
  // `file`: JSON lines that only grow, {"path", "row", "place", "reason"}; a place that an earlier
  // sitting has written is not written again, but only rows met in this one count.
  // Without `writes` nothing is written: another process does.
  BrokenRows(const Recipe& recipe, const RowSources& sources, std::filesystem::path file,
             bool writes = true);

  // Of passes in their order, so that a run always ends at the same one. Throws Code::bad_input
  // where a source has more than it may, naming one.
  void note(std::span<const BrokenRow> rows);
  int64_t count() const { return count_; }  // different ones

 private:
  std::filesystem::path file_;
  bool writes_;
  std::vector<std::string> paths_;                         // of the sources
  std::vector<int64_t> limits_;                            // of the sources
  std::vector<std::set<int64_t>> met_;                     // rows of the sources
  std::set<std::pair<std::string, std::string>> written_;  // paths and places
  int64_t count_ = 0;
};

}  // namespace janus::train
