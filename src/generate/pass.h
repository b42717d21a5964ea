// Pass: the rows that run through the language tower together, whoever they belong to. Weights are
// read once for all of them. What is fed to a row and what comes out of it does not depend on the
// rows beside it (kernels/backend.h).
// R rows · D width · V text ids · C codes in the book. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "generate/fed.h"
#include "generate/kept.h"
#include "model/kv_cache.h"
#include "model/model.h"
#include "model/workspace.h"

namespace janus {

enum class Wants : uint8_t { nothing, text, image };  // logits over what

// How many rows of each kind a pass has; what its workspace follows from.
struct PassShape {
  int64_t rows = 0;
  int64_t codes = 0;  // rows that feed a code
  int64_t text = 0;   // rows whose text logits are wanted
  int64_t image = 0;  // … image logits

  int64_t scratch(const Config& config) const;  // bytes of the workspace
};

class Pass {
 public:
  Pass(const Model& model, KvCache& cache, KeptPrompts& kept)
      : model_(model), cache_(cache), kept_(kept) {}

  // One more row: feeds that to the end of the sequence. `vector` [D] of a picture, valid until the
  // pass has run. Returns the row's number. Prompts that are kept go where the cache is full;
  // Code::busy when that is not enough.
  int64_t add(int32_t sequence, const Fed& fed, Wants wants, const float* vector = nullptr);
  int64_t rows() const { return std::ssize(rows_); }
  PassShape shape() const;
  // Takes back the rows from that number on; their sequences are as before.
  void take_back(int64_t from);

  // Runs all rows; `frame` holds their hidden states and logits.
  void run(Workspace& space, Workspace::Frame& frame);
  std::span<const float> logits(int64_t row) const;  // of a row that wanted them
  std::span<const float> hidden(int64_t row) const;  // [D] of any row

  void clear();

 private:
  struct Row {
    Fed fed;
    Wants wants;
    const float* vector;
  };
  void embed(Workspace& space, Tensor x) const;
  void read_logits(Workspace& space, Workspace::Frame& frame, Tensor x);

  const Model& model_;
  KvCache& cache_;
  KeptPrompts& kept_;
  std::vector<Row> rows_;
  std::vector<int32_t> sequence_;  // [R]
  std::vector<int32_t> position_;  // [R]
  std::vector<int64_t> place_;     // [R] of its logits among those of the same kind
  Tensor hidden_;                  // [R, D]
  Tensor text_, image_;            // logits [text rows, V], [image rows, C]
};

}  // namespace janus
