// The suite "toyland" of `januspro eval`: the test split of the world, drawn and answered by a
// model and judged by the exact detector and the grammars of world/. No other model judges.
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "apps/case_file.h"
#include "januspro/januspro.hpp"

namespace janus::toyland {

enum class Asks { to_draw, to_read, to_edit };
struct Part {
  std::string stream;  // of world/streams.h
  Asks asks = Asks::to_read;
  int64_t samples = 0;  // of the test split
};
// All parts with the sizes of their test sets; or those named: throws Code::bad_input with the
// list.
std::vector<Part> parts(const std::string& names = "");

struct Settings {
  int images = 4;  // of each prompt
  uint64_t seed = 0;
  float guidance = 0;
  bool controls = false;
  bool circular = false;  // multiple choice with its options in every rotation
};

// Whether a model was taught what a part asks for; else why not, for people.
std::string why_not(const Part& part, const ModelInfo& info);

// Runs one part: cases that the file has are passed over. `wanted` is asked as a drawing goes on
// and between cases; false stops with Code::cancelled. `told` is called with what is done so far.
void run(const Part& part, Engine& engine, const Settings& settings, CaseFile& file,
         const std::function<bool()>& wanted,
         const std::function<void(int64_t done, int64_t total)>& told);

// The pictures of cases that a part got wrong, at most `most`, drawn again by their seeds; edits
// beside their sources.
std::vector<Image> failures(const Part& part, Engine& engine, const Settings& settings,
                            const CaseFile& file, size_t most, const std::function<bool()>& wanted);

// A mean of the table: of what, over how many.
struct Figure {
  std::string name;
  double value = 0;
  int64_t count = 0;
};
// Overall, by category, seen and held; controls where they were run.
std::vector<Figure> figures(const Part& part, const CaseFile& file);

}  // namespace janus::toyland
