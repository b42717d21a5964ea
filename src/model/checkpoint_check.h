// Compares the tensors that a checkpoint offers with those that its config asks for, and says
// everything that is wrong in one message with the likely cause.
// SPDX-License-Identifier: MIT
#pragma once

#include "model/config.h"
#include "model/parts.h"
#include "model/tensor_source.h"

namespace janus {

// The layout of the tensors' names. Only those of `parts` must be there. Throws
// Code::bad_checkpoint.
Layout check_tensors(const Config& config, const TensorSource& source, const Parts& parts = {});

}  // namespace janus
