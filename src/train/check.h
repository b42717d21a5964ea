// A look at a whole source before anybody trains on it: what is in it, what cannot be used and why,
// how long its rows are, and a sheet that shows some as the model gets them. No libtorch here.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "train/broken.h"
#include "train/row_source.h"

namespace janus::train {

// A part of a row as text.
struct Piece {
  std::string text;
  bool taught;   // whether the model learns to say it
  bool special;  // whether it is none of the row's words but special tokens, which are written out,
                 // or a run of pads, codes or places for a picture, each told in one word
};
std::vector<Piece> pieces_of(const Row& row, const PromptBuilder& prompts, const Config& config);

struct ShownRow {
  std::string place;
  std::string task;  // generate, edit, understand, text
  int64_t length;
  std::vector<Piece> pieces;
  std::vector<Image> pictures;  // as the model gets them; none where codes are given
};

struct Checked {
  int64_t rows = 0;  // of the source; 0: no end
  int64_t looked_at = 0;
  std::map<std::string, int64_t> tasks;  // rows of each that can be used
  int64_t targets = 0;                   // tokens and codes they teach
  std::vector<int64_t> lengths;          // of the rows that can be used, ascending, in positions
  std::vector<BrokenRow> broken;
  int64_t allowed = 0;  // of them
  std::vector<ShownRow> shown;
};

struct CheckOptions {
  int64_t rows = 0;     // to look at, spread over the source; 0: all, of the world kWorldRows
  int64_t shown = 24;   // at most, spread likewise
  int64_t workers = 1;  // threads
};
inline constexpr int64_t kWorldRows = 200;

// `recipe`: its model's sizes and batch.max_len; `number`: of the source in it. `progress` is told
// how many rows were looked at. Throws as open_source().
Checked check_source(const Recipe& recipe, size_t number, const PromptBuilder& prompts,
                     const CheckOptions& options,
                     const std::function<void(int64_t)>& progress = {});

// DIR/sheet.html and the pictures that it shows; with the first of what cannot be used.
void write_sheet(const std::filesystem::path& dir, const std::string& title, const Checked& found);

}  // namespace janus::train
