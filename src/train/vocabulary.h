// Which tokenizer a run uses: the one it is given, or one trained on the texts of its data.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "generate/prompt.h"
#include "train/recipe.h"

namespace janus::train {

// tokenizer.json of the recipe: model.tokenizer, else that of model.init, else a byte-level BPE
// trained on the world's texts, as large as model.language.vocabulary allows.
std::string recipe_tokenizer_json(const Recipe& recipe);

// Its templates, with that tokenizer.
PromptBuilder recipe_prompts(const Recipe& recipe);

}  // namespace janus::train
