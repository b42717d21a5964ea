// See inputs.h.
// SPDX-License-Identifier: MIT
#include "train/inputs.h"

#include <algorithm>

namespace janus::train {

Inputs draw_inputs(std::span<const DrawRow> rows, const Config& config, const SpecialIds& ids) {
  const int64_t codes = config.image_tokens();
  Inputs inputs;
  inputs.rows = static_cast<int64_t>(rows.size());
  for (const DrawRow& row : rows) {
    inputs.length = std::max(inputs.length, static_cast<int64_t>(row.prompt.size()) + codes - 1);
  }
  for (int64_t r = 0; r < inputs.rows; ++r) {
    const std::vector<int32_t>& prompt = rows[static_cast<size_t>(r)].prompt;
    const int64_t first = r * inputs.length;
    inputs.slots.insert(inputs.slots.end(), prompt.begin(), prompt.end());
    for (int64_t k = 0; k + 1 < codes; ++k) {
      inputs.slots.push_back(config.llama.vocabulary + r * codes + k);
    }
    inputs.slots.resize(static_cast<size_t>(first + inputs.length), ids.pad);
    for (int64_t k = 0; k < codes; ++k) {
      inputs.at.push_back(first + static_cast<int64_t>(prompt.size()) - 1 + k);
    }
  }
  return inputs;
}

Inputs ask_inputs(std::span<const AskRow> rows, const Config& config, const SpecialIds& ids) {
  Inputs inputs;
  inputs.rows = static_cast<int64_t>(rows.size());
  for (const AskRow& row : rows) {
    inputs.length = std::max(inputs.length, static_cast<int64_t>(row.dialogue.ids.size()) - 1);
  }
  int64_t patch = config.llama.vocabulary;
  for (int64_t r = 0; r < inputs.rows; ++r) {
    const auto& [ids_of_row, taught] = rows[static_cast<size_t>(r)].dialogue;
    const int64_t first = r * inputs.length;
    for (size_t t = 0; t + 1 < ids_of_row.size(); ++t) {
      inputs.slots.push_back(ids_of_row[t] == ids.image ? patch++ : ids_of_row[t]);
      if (!taught[t + 1]) continue;
      inputs.at.push_back(first + static_cast<int64_t>(t));
      inputs.labels.push_back(ids_of_row[t + 1]);
    }
    inputs.slots.resize(static_cast<size_t>(first + inputs.length), ids.pad);
  }
  return inputs;
}

}  // namespace janus::train
