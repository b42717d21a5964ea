// What types of weights and of keys and values cost a model, line by line as `bench --work quality
// --json` tells it. Such lines stay with a model as quality.jsonl, or in its .gguf (docs/formats.md
// says what they hold). SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace janus {

// The lines of a text. Throws Code::bad_checkpoint naming `where` and the line that is none.
std::vector<nlohmann::ordered_json> parse_quality(const std::string& text,
                                                  const std::string& where);

// A table of such lines: what stands above them, told from the first, and each as a row.
std::string quality_heading(const nlohmann::ordered_json& first);
std::string quality_row(const nlohmann::ordered_json& line);

}  // namespace janus
