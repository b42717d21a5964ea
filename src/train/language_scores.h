// How well the network in training draws and reads: samples of a split that it has not seen, judged
// by the world's own detector and grammars; and what it makes of a recipe's own prompts.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>

#include "generate/prompt.h"
#include "train/net.h"
#include "train/task.h"

namespace janus::train {

struct Scoring {
  Janus& net;
  const PromptBuilder& prompts;
  const Recipe& recipe;  // eval.samples, eval.guidance
  Split split;
  Shards& shards;
};

// Figures begin with the stream's name, of "single" with "draw", of "short" with "ask".
// Pictures go to `dir`, in a file whose name ends in `name`. Each adds to `all`.
void score_drawing(Scoring& scoring, const std::string& stream, const std::filesystem::path& dir,
                   const std::string& name, Evaluation& all);
void score_reading(Scoring& scoring, const std::string& stream, Evaluation& all);

// What the recipe itself wants drawn and answered (eval.prompts, eval.ask), for people to judge.
void show_own(Scoring& scoring, const std::filesystem::path& dir, const std::string& name,
              Evaluation& all);

}  // namespace janus::train
