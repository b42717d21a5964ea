// See load.h. SPDX-License-Identifier: MIT
#include "generate/load.h"

#include <map>

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
        "), so prompts say User: and Assistant:; for Janus-Pro-1B, take its own tokenizer.json; "
        "\"roles\" in processor_config.json decides");
  }
  return janus_1_3b_roles();
}

// The table and the weights are of one model as far as files can show it: ids within the rows of
// text, and where the checkpoint states ids besides, the same ones. A table much smaller than the
// rows, and one of Janus-Pro-1B at the sizes of Janus-Pro-7B (whose pad token comes 14 ids after
// the end token), are only said: both work, and are seldom meant.
void check_tokenizer(const Tokenizer& tokenizer, const std::string& name, const Config& config,
                     const ProcessorConfig& processor, const Log& log) {
  constexpr const char* kCure = "; take the tokenizer.json that belongs to the weights";
  const int64_t ids = tokenizer.vocabulary(), rows = config.llama.vocabulary;
  check(ids <= rows, Code::bad_checkpoint, name, ": has ids up to ", ids - 1, ", the model has ",
        rows, " rows of text: the tokenizer is another model's", kCure);
  const auto same = [&](std::optional<int64_t> stated, std::string_view token, const char* where) {
    const std::optional<int32_t> found = tokenizer.find(token);
    check(!stated || !found || *stated == *found, Code::bad_checkpoint, name, ": ", token,
          " has the id ", found.value_or(-1), ", ", where, " says ", stated.value_or(-1),
          ": the tokenizer is another model's", kCure);
    return stated.has_value();
  };
  const bool image = same(processor.image_id, kImageToken, "image_token_id of config.json");
  const bool begin = same(processor.boi_id, kBeginImageToken,
                          "generation_kwargs.boi_token_id of generation_config.json");
  if (image || begin || !log) return;
  if (ids < rows / 2) {
    log(name + ": has " + std::to_string(ids) + " ids and the model " + std::to_string(rows) +
        " rows of text; is the tokenizer another model's?");
  }
  const auto end = tokenizer.find(kEosToken), pad = tokenizer.find(kPadToken);
  if (config.llama.width == 4096 && config.llama.layers == 30 && end && pad && *pad == *end + 1) {
    log(name +
        ": is laid out as that of Janus-Pro-1B and the model has the sizes of Janus-Pro-7B; "
        "are the two from different models?");
  }
}

EditLayout layout_named(const std::string& name, EditLayout otherwise) {
  if (name == "auto") return otherwise;
  const std::optional<EditLayout> layout = find_edit_layout(name);
  check(layout.has_value(), Code::bad_input, "edit layout \"", name,
        "\" is not one of auto, und+gen, janus4o, none");
  return *layout;
}

}  // namespace

PromptBuilder load_prompts(const Checkpoint& checkpoint, const Log& log, const std::string& edits) {
  const std::string name = checkpoint.tokenizer_name();
  const Config config = checkpoint.config();
  Tokenizer tokenizer = Tokenizer::parse(checkpoint.tokenizer_json(), name);
  const ProcessorConfig processor = checkpoint.processor();
  check_tokenizer(tokenizer, name, config, processor, log);
  const int64_t tokens = config.vision.tokens();
  check(processor.image_tokens.value_or(tokens) == tokens, Code::bad_checkpoint,
        (checkpoint.path() / "processor_config.json").string(), ": num_image_tokens is ",
        processor.image_tokens.value_or(0), ", config.json says ", tokens,
        " (image size / patch size, squared); are the two from different models?");
  const ChatRoles roles =
      processor.roles ? *processor.roles : guess_roles(config, tokenizer, name, log);
  return PromptBuilder(std::move(tokenizer), tokens, processor.system_prompt, roles,
                       layout_named(edits, processor.edit_layout));
}

Dtype cache_type(Dtype weights) { return traits(weights).block > 1 ? Dtype::bf16 : weights; }

Dtype held_type(const TensorSource& source) {
  std::map<Dtype, int64_t> of;  // numbers of each type
  int64_t blocks = 0, all = 0;
  int64_t wide_bytes = 0, bytes = 0;
  for (const auto& [name, shape] : source.shapes()) {
    const Dtype type = source.stored(name).value_or(Dtype::f32);
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    all += count;
    bytes += bytes_of(type, count);
    if (type == Dtype::f32) wide_bytes += bytes_of(type, count);
    if (traits(type).block > 1) blocks += count;
    of[type] += count;
  }
  if (2 * blocks > all) {
    if (2 * of[Dtype::q4_0] > blocks) return Dtype::q4_0;
    if (2 * of[Dtype::q6_k] > blocks) return Dtype::q6_k;
    if (2 * of[Dtype::q4_k] > blocks) return of[Dtype::q6_k] > 0 ? Dtype::q4_k_m : Dtype::q4_k;
    return Dtype::q8_0;
  }
  return 2 * wide_bytes > bytes ? Dtype::f32 : Dtype::bf16;
}

}  // namespace janus
