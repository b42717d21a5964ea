// See load.h. SPDX-License-Identifier: MIT
#include "generate/load.h"

#include "base/error.h"
#include "io/tokenizer.h"

namespace janus {

namespace {

// Janus-1.3B has the sizes of Janus-Pro-1B and, unlike it, the 13 letters that DeepSeek's larger
// tables hold between the end token and the pad token. No other published checkpoint has both.
bool is_janus_1_3b(const Config& config, const Tokenizer& tokenizer) {
  const auto end = tokenizer.find(kEosToken), pad = tokenizer.find(kPadToken);
  return config.llama.width == 2048 && config.llama.layers == 24 && end && pad && *pad == *end + 14;
}

// What a conversation's sides are called where no file says it.
ChatRoles guess_roles(const Config& config, const Tokenizer& tokenizer, const std::string& name,
                      const Log& log) {
  const bool tokens = tokenizer.find(kUserToken) || tokenizer.find(kAssistantToken);
  const bool words = !tokens || is_janus_1_3b(config, tokenizer);
  if (!words) return janus_pro_roles();
  if (log) {
    log(name + ": is taken for Janus-1.3B (" +
        (tokens ? "sizes and ids are its" : "there is no token <|User|>") +
        "), so prompts say User: and Assistant:; \"roles\" in processor_config.json decides");
  }
  return janus_1_3b_roles();
}

}  // namespace

PromptBuilder load_prompts(const Checkpoint& checkpoint, const Log& log) {
  const std::string name = checkpoint.tokenizer_name();
  const Config config = checkpoint.config();
  Tokenizer tokenizer = Tokenizer::parse(checkpoint.tokenizer_json(), name);
  check(tokenizer.vocabulary() <= config.llama.vocabulary, Code::bad_checkpoint, name,
        ": has ids up to ", tokenizer.vocabulary() - 1, ", the model has ", config.llama.vocabulary,
        " rows of text; are the two from different models?");
  const ProcessorConfig processor = checkpoint.processor();
  const int64_t tokens = config.vision.tokens();
  check(processor.image_tokens.value_or(tokens) == tokens, Code::bad_checkpoint,
        (checkpoint.path() / "processor_config.json").string(), ": num_image_tokens is ",
        processor.image_tokens.value_or(0), ", config.json says ", tokens,
        " (image size / patch size, squared); are the two from different models?");
  const ChatRoles roles =
      processor.roles ? *processor.roles : guess_roles(config, tokenizer, name, log);
  return PromptBuilder(std::move(tokenizer), tokens, processor.system_prompt, roles);
}

Dtype held_type(const StoredTensors& tensors) {
  int64_t wide = 0, all = 0;
  for (const auto& [name, tensor] : tensors) {
    const auto bytes = static_cast<int64_t>(tensor.data.size());
    all += bytes;
    if (tensor.dtype == Dtype::f32) wide += bytes;
  }
  return 2 * wide > all ? Dtype::f32 : Dtype::bf16;
}

}  // namespace janus
