// What a checkpoint directory says besides its weights, put together: tokenizer, system prompt and
// sizes -> PromptBuilder; and the type its weights are stored in.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>

#include "base/dtype.h"
#include "generate/prompt.h"
#include "model/config.h"

namespace janus {

// Throws Code::bad_checkpoint when tokenizer.json or processor_config.json contradict the config.
PromptBuilder load_prompts(const std::filesystem::path& checkpoint, const Config& config);

// f32, or bf16 for both 2-byte types: what most of the bytes are stored in.
Dtype stored_type(const std::filesystem::path& checkpoint);

}  // namespace janus
