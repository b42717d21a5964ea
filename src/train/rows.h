// The loss of a model on the rows of a file (row_file.h) without any training, and its gradient:
// what another implementation is held against.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/log.h"

namespace janus::train {

struct RowLoss {
  int64_t row = 0;  // from 0, blank lines left out
  std::string task;
  int64_t targets = 0;  // supervised tokens or codes
  double sum = 0;       // of -log p over them, in f32; no prompt is dropped
};

// `model`: a checkpoint in any form that januspro loads. `gradients`: where to write, as
// safetensors, the gradient of the sum over all rows by every parameter but the codec's, named as
// in the transformers layout, zeros where nothing depends on one; empty for none. Throws
// Code::bad_input naming file and line for a row that cannot be used.
void row_losses(const std::filesystem::path& model, const std::filesystem::path& data,
                const std::filesystem::path& gradients, const Log& log,
                const std::function<void(const RowLoss&)>& report);

}  // namespace janus::train
