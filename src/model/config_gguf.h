// Sizes of a model, its prompts and its preprocessing as metadata of a .gguf, both ways: of the
// files made here (architecture `janus`), and read from llama.cpp's pair. The keys stand in
// docs/formats.md. SPDX-License-Identifier: MIT
#pragma once

#include "io/gguf.h"
#include "io/processor_config.h"
#include "model/config.h"

namespace janus {

inline constexpr const char* kJanusArchitecture = "janus";

// Everything that config.json, preprocessor_config.json, processor_config.json and
// generation_config.json say.
void add_config(GgufMetadata& metadata, const Config& config, const ProcessorConfig& processor);

// Throws as parse_config does, naming the metadata's keys.
Config load_config(const GgufFile& file);
ProcessorConfig load_processor_config(const GgufFile& file);

// Of llama.cpp's pair; sizes of the drawing half are those published and mean nothing. Throws
// Code::not_supported for a pair that is not of Janus, named.
Config load_config(const GgufFile& language, const GgufFile& vision);

}  // namespace janus
