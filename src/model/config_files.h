// The small files of a checkpoint directory beside its weights and tokenizer, as the two published
// layouts have them. SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>

#include "base/dtype.h"
#include "io/processor_config.h"
#include "io/tokenizer.h"
#include "model/config.h"

namespace janus {

// File name -> content: config.json, preprocessor_config.json, processor_config.json, and for the
// transformers layout generation_config.json. Reading them gives `config` (but its layout, which is
// `layout`) and `processor` back. `tokenizer`: whose ids are stated; null for a codec alone.
// `type`: what the weights are said to be stored in. Throws Code::not_supported for sizes that the
// layout cannot state.
std::map<std::string, std::string> config_files(const Config& config, Layout layout,
                                                const ProcessorConfig& processor,
                                                const Tokenizer* tokenizer, Dtype type);

}  // namespace janus
