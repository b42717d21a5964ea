// Names of tensors in a .gguf, from those of the transformers layout: of the files made here, and
// of llama.cpp's pair. Both tables stand in docs/formats.md.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace janus {

// "model.language_model.norm.weight" -> "lm.norm.weight"; at most 63 bytes for every model that
// Config allows.
std::string gguf_name(std::string_view transformers);

// "model.language_model.norm.weight" -> "output_norm.weight"; empty for what the pair lacks.
std::string llama_cpp_name(std::string_view transformers);

// What of a model's tensors is what, for tables and for the choice of types: "embeddings",
// "language", "vision", "adaptors", "heads", "codec".
std::string_view tensor_group(std::string_view transformers);

}  // namespace janus
