// What a checkpoint says besides its weights, put together: tokenizer, system prompt and sizes ->
// PromptBuilder; and the type its weights are held in.
// SPDX-License-Identifier: MIT
#pragma once

#include "base/dtype.h"
#include "base/log.h"
#include "generate/prompt.h"
#include "model/checkpoint.h"

namespace janus {

// `log` is told when the roles of a conversation had to be guessed. Throws Code::bad_checkpoint
// when tokenizer or processor_config.json contradict the config.
PromptBuilder load_prompts(const Checkpoint& checkpoint, const Log& log = {});

// What its weights are held in unless told otherwise: f32 where most of the bytes are stored so,
// else bf16, which holds the values of 2-byte and smaller types nearly or exactly.
Dtype held_type(const StoredTensors& tensors);

}  // namespace janus
