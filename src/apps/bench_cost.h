// What one run of a work must do by the plain algorithm: bytes of weights and of keys and values it
// reads, and operations (2 × multiply-adds), those of bytes apart. Norms and elementwise steps are
// not counted.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "model/model.h"

namespace janus {

struct Cost {
  int64_t bytes = 0;
  int64_t operations = 0;       // of floats
  int64_t byte_operations = 0;  // with weights in blocks

  Cost& operator+=(const Cost& other) {
    bytes += other.bytes;
    operations += other.operations;
    byte_operations += other.byte_operations;
    return *this;
  }
  Cost operator*(int64_t times) const {
    return {bytes * times, operations * times, byte_operations * times};
  }
};

// The language tower for `rows` new tokens, each of a sequence with `context` before it.
Cost step_cost(const Model& model, Dtype cache, int64_t rows, int64_t context);
// … and for a whole prompt of one sequence, but for its first `kept` tokens.
Cost prompt_cost(const Model& model, Dtype cache, int64_t tokens, int64_t kept = 0);
// Text head, for one row.
Cost text_cost(const Model& model);
// Image head and the adaptor that feeds a code back, for `rows` rows.
Cost code_cost(const Model& model, int64_t rows);
Cost vision_cost(const Model& model);
Cost decode_cost(const Model& model);
Cost encode_cost(const Model& model);

}  // namespace janus
