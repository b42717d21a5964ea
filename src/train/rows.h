// Rows of training data in a file, one JSON object a line, and the loss of a model on them without
// any training: what an engine's own figures are compared with.
//
//   {"task": "generate", "messages": [{"role": "user", "content": TEXT}, ...], "target_codes":
//   [..]}
//   {"task": "understand", "messages": [.., {"role": "assistant", "content": TEXT}],
//    "images": [PATH, ...], "system": TEXT}
//
// `<image>` in a text stands for the next picture; paths are relative to the file. "text" is
// "understand" without pictures.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace janus::train {

struct RowLoss {
  int64_t row = 0;
  std::string task;
  int64_t targets = 0;  // supervised tokens or codes
  double sum = 0;       // of -log p, in f32
};

// `model`: a checkpoint directory in the transformers layout. Throws Code::bad_input naming file
// and line for a row that cannot be used.
void row_losses(const std::filesystem::path& model, const std::filesystem::path& data,
                const std::function<void(const RowLoss&)>& report);

}  // namespace janus::train
