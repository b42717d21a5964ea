// What one run of a work must do by the plain algorithm: bytes of weights and of keys and values it
// reads, and operations (2 × multiply-adds), those of bytes apart. Norms and elementwise steps are
// not counted.
//
// A work is a row of phases, one after another: within a phase reading and computing go side by
// side, and the slower of both is its time at best; between phases nothing overlaps, since each
// waits for the one before. So the limit of a work is a sum, and not the larger of two sums.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "apps/bench_limits.h"
#include "model/model.h"

namespace janus {

// One phase: the product with a matrix, the attention of a layer, a convolution.
struct Phase {
  int64_t bytes = 0;
  int64_t operations = 0;       // of floats
  int64_t byte_operations = 0;  // with weights in blocks
  int64_t times = 1;            // that it is run
};

using Cost = std::vector<Phase>;

// Appends.
Cost& operator+=(Cost& cost, const Cost& other);
// All of it that often.
Cost operator*(Cost cost, int64_t times);

// The same added up.
Phase total(const Cost& cost);

// The least time that a cost can take, and of it the phases in which each side binds. Seconds.
struct Bound {
  double reading = 0;   // bytes
  double floats = 0;    // operations
  double of_bytes = 0;  // operations with weights in blocks

  double seconds() const { return reading + floats + of_bytes; }
  // The side that binds for most of it: "read", "f32" or "int8".
  const char* side() const;
};
Bound bound_of(const Cost& cost, const Limits& limits);

// The language tower for `rows` new tokens, each of a sequence with `context` before it, of which
// the first `shared` are read once for every `together` rows.
Cost step_cost(const Model& model, Dtype cache, int64_t rows, int64_t context, int64_t shared = 0,
               int64_t together = 1);
// … and for a whole prompt of one sequence, but for its first `kept` tokens.
Cost prompt_cost(const Model& model, Dtype cache, int64_t tokens, int64_t kept = 0);
// Text head, for `rows` rows.
Cost text_cost(const Model& model, int64_t rows = 1);
// Image head and the adaptor that feeds a code back, for `rows` rows.
Cost code_cost(const Model& model, int64_t rows);
Cost vision_cost(const Model& model);
Cost decode_cost(const Model& model);
Cost encode_cost(const Model& model);

}  // namespace janus
