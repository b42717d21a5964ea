// A tokenizer in a .gguf: the whole tokenizer.json as one text, so that nothing is lost, and beside
// it the keys that every reader of the format knows (tokenizer.ggml.*). Files of other programs
// have only these; a tokenizer.json is made of them.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "io/gguf.h"

namespace janus {

// Adds both. `rows`: ids the model has; those without a token are listed as unused. Throws
// Code::bad_checkpoint naming `name` for a text that is no tokenizer.json, or has more ids.
void add_tokenizer(GgufMetadata& metadata, const std::string& tokenizer_json,
                   const std::string& name, int64_t rows);

// The text of a tokenizer.json. Throws Code::bad_checkpoint for a file that has neither form or a
// damaged one; Code::not_supported for a tokenizer of another kind than DeepSeek's.
std::string tokenizer_json(const GgufFile& file);

// Whether the listed tokens hold this one.
bool lists_token(const GgufFile& file, std::string_view token);

}  // namespace janus
