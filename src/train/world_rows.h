// Rows of a stream of the world, which has no end, with what is known of their pictures. No
// libtorch here. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "train/row_source.h"

namespace janus::train {

class WorldRows final : public RowSource {
 public:
  // `source.task` is not Teaches::reconstruct.
  WorldRows(const Source& source, const PromptBuilder& prompts, const Config& config)
      : source_(source), prompts_(prompts), config_(config) {}
  int64_t count() const override { return 0; }
  Row row(uint64_t index) const override;
  std::string place(uint64_t index) const override;

 private:
  Source source_;
  const PromptBuilder& prompts_;
  Config config_;
};

}  // namespace janus::train
