// See load.h. SPDX-License-Identifier: MIT
#include "generate/load.h"

#include "base/error.h"
#include "io/checkpoint_files.h"
#include "io/processor_config.h"
#include "io/tokenizer.h"

namespace janus {

PromptBuilder load_prompts(const std::filesystem::path& checkpoint, const Config& config) {
  Tokenizer tokenizer = Tokenizer::load(checkpoint / "tokenizer.json");
  check(tokenizer.vocabulary() <= config.llama.vocabulary, Code::bad_checkpoint,
        (checkpoint / "tokenizer.json").string(), ": has ids up to ", tokenizer.vocabulary() - 1,
        ", config.json says ", config.llama.vocabulary,
        " rows of text; are the two from different models?");
  const ProcessorConfig processor = load_processor_config(checkpoint);
  const int64_t tokens = config.vision.tokens();
  check(processor.image_tokens.value_or(tokens) == tokens, Code::bad_checkpoint,
        (checkpoint / "processor_config.json").string(), ": num_image_tokens is ",
        processor.image_tokens.value_or(0), ", config.json says ", tokens,
        " (image size / patch size, squared); are the two from different models?");
  return PromptBuilder(std::move(tokenizer), tokens, processor.system_prompt);
}

Dtype stored_type(const std::filesystem::path& checkpoint) {
  int64_t wide = 0, all = 0;
  for (const auto& [name, tensor] : open_checkpoint_dir(checkpoint)) {
    const auto bytes = static_cast<int64_t>(tensor.data.size());
    all += bytes;
    if (traits(tensor.dtype).bytes > 2) wide += bytes;
  }
  return 2 * wide > all ? Dtype::f32 : Dtype::bf16;
}

}  // namespace janus
