// Multiple choice in the manner of MMBench: a question, options by letters, the letter as the
// answer; its columns, and its reading of answers. SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "world/diagram.h"
#include "world/scene.h"

namespace janus {

struct ChoiceSample {
  Scene scene;
  std::optional<Diagram> diagram;  // where there is one, it is the picture, and not the scene
  std::string leaf;                // ability: "object colour", "counting", …
  std::string group;               // MMBench's level 2: CP, FP-S, FP-C, AR, RR, LR
  std::string question;
  std::vector<std::string> options;  // 2 to 4
  int answer = 0;                    // index into options
  bool held = false;
};

// The leaves follow each other from index to index.
ChoiceSample choice_sample(Split split, uint64_t index);
int choice_leaves();

// Question, a line an option, and the request for the letter, as the benchmark's own prompt.
// Options are `turned` places on, as circular evaluation asks: option (j + turned) mod k under
// letter j.
std::string choice_prompt(const ChoiceSample& sample, int turned = 0);
char choice_letter(const ChoiceSample& sample, int turned = 0);

// The letter that an answer means, by the toolkit's exact matching; none where it means none.
std::optional<char> chosen_letter(const std::string& answer,
                                  const std::vector<std::string>& options);

// A row of the benchmark's TSV without the picture: index, question, hint, A to D, answer,
// category, l2-category, split.
std::string choice_row(const ChoiceSample& sample, Split split, uint64_t index);

}  // namespace janus
