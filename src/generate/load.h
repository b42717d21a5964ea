// What a checkpoint says besides its weights, put together: tokenizer, system prompt and sizes ->
// PromptBuilder; and the type its weights are held in.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/dtype.h"
#include "base/log.h"
#include "generate/prompt.h"
#include "model/checkpoint.h"

namespace janus {

// `log` is told when the roles of a conversation had to be guessed. Throws Code::bad_checkpoint
// when tokenizer or processor_config.json contradict the config.
// `edits`: a layout of edits by its name, or "auto", as the checkpoint says; Code::bad_input for
// any other.
PromptBuilder load_prompts(const Checkpoint& checkpoint, const Log& log = {},
                           const std::string& edits = "auto");

// What its weights are held in unless told otherwise. Where most numbers are stored in blocks, the
// type of most of these, q4_k_m where q6_k is beside q4_k: then either stays as it is. Else f32
// where most of the bytes are stored so, and bf16, which holds the values of 2-byte types nearly or
// exactly.
Dtype held_type(const TensorSource& source);

// Of keys and values beside weights of that type: the same; bf16 where those are blocks.
Dtype cache_type(Dtype weights);

}  // namespace janus
