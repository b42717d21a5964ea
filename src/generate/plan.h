// Memory told before it is taken: a model as it is held, what a request would take beside it, and
// what to do where that is too much. SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "generate/room.h"
#include "model/low_rank.h"
#include "model/parts.h"
#include "model/tensor_source.h"

namespace janus {

// Pictures and answers that are worked on together unless told otherwise: more take longer for
// each, and few machines give more of them in an hour.
inline constexpr int kMostTogether = 16;

// How a model is held: known before its weights are read.
struct Setup {
  Config config;
  std::shared_ptr<const Backend> backend;
  Dtype weights = Dtype::f32;
  Dtype cache = Dtype::f32;
  Parts parts;
  std::vector<ScaledAdapter> adapters = {};  // beside the weights, and in weight_bytes
  // Whose weights may stay where they lie in its file, or in the types that they have; null: none
  // do.
  std::shared_ptr<const TensorSource> source = nullptr;
  int64_t program_bytes = 0;  // what the process takes without the model, about
  int64_t weight_bytes = 0;
  int64_t mapped_bytes = 0;  // of these: pages of the file, which count as free while they are held
  int64_t allowed = 0;       // for all of it; 0: what is free
  bool loaded = false;       // the weights are in memory already
  // What engine and request may take, where that is known better than by asking the system.
  std::optional<int64_t> limit = std::nullopt;
  int64_t kept = 0;  // what is in memory from earlier requests and can be given up
  int at_once = 0;   // pictures side by side, where that is less than asked; 0: as asked
};

Setup make_setup(const Config& config, std::shared_ptr<const Backend> backend, Dtype weights,
                 Dtype cache, const Parts& parts, int64_t allowed,
                 std::vector<ScaledAdapter> adapters = {},
                 std::shared_ptr<const TensorSource> source = nullptr);

// The model alone.
MemoryPlan plan_loading(const Setup& setup);
// As many pictures side by side as fit, at most `at_once`.
MemoryPlan plan_drawing(const Setup& setup, const DrawOrder& asked, int at_once);
// How many pictures fit side by side, or answers where the model only reads, each over the whole
// context: at least 1, at most kMostTogether.
int together(const Setup& setup);
MemoryPlan plan_asking(const Setup& setup, const AnswerShape& shape);
// The same of pictures that are not there yet; without a refusal.
MemoryPlan plan_shape(const Setup& setup, const BatchShape& shape, int64_t pictures);
MemoryPlan plan_shape(const Setup& setup, const AnswerShape& shape);

// Throws Code::out_of_memory with the plan's refusal.
void check_fits(const MemoryPlan& plan);

}  // namespace janus
