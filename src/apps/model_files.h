// The small files of a checkpoint beside its weights and tokenizer, as the two published layouts
// have them. SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>

#include "base/dtype.h"
#include "model/config.h"

namespace janus {

// File name -> content: config.json, preprocessor_config.json, processor_config.json, and for the
// transformers layout generation_config.json. Parsing config.json gives `config` back.
std::map<std::string, std::string> model_files(const Config& config, Dtype type);

}  // namespace janus
