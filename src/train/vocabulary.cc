// See vocabulary.h.
// SPDX-License-Identifier: MIT
#include "train/vocabulary.h"

#include "base/error.h"
#include "io/bpe_train.h"
#include "io/file.h"
#include "train/start.h"
#include "world/streams.h"

namespace janus::train {
namespace {

constexpr uint64_t kLines = 300'000;  // of the world's texts

}  // namespace

std::string recipe_tokenizer_json(const Recipe& recipe) {
  if (!recipe.model.tokenizer.empty()) return read_text(recipe.model.tokenizer);
  if (!recipe.model.init.empty()) return tokenizer_of(recipe.model.init);
  BpeTrainer trainer;
  for (uint64_t i = 0; i < kLines; ++i) trainer.add(world_text(i));
  const std::vector<std::string> added = janus_added_tokens();
  return trainer.train(recipe.model.config.llama.vocabulary - static_cast<int>(added.size()),
                       added);
}

PromptBuilder recipe_prompts(const Recipe& recipe) {
  return PromptBuilder(Tokenizer::parse(recipe_tokenizer_json(recipe), "the recipe's tokenizer"),
                       recipe.model.config.vision.tokens(), recipe.model.processor.system_prompt,
                       recipe.model.processor.roles, recipe.model.processor.edit_layout);
}

}  // namespace janus::train
