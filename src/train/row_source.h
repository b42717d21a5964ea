// The sources of a recipe as a training sees them: each gives rows by their number, whether the
// world makes them up (world_rows.cc) or a person has brought them (file_row.h). No libtorch here.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "train/data.h"

namespace janus::train {

using Row = std::variant<DrawRow, AskRow>;

class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual int64_t count() const = 0;  // 0: no end
  // Throws Error for a row that cannot be used; may be called by several threads at once.
  virtual Row row(uint64_t index) const = 0;
  // What a person looks for to mend that row.
  virtual std::string place(uint64_t index) const = 0;
};

// `config`: of the model; `prompts`, and `kept`, the codes of pictures known so far, must outlive
// the source. Throws Code::bad_input for a source that is not there or holds nothing.
std::unique_ptr<RowSource> open_source(const Source& source, const PromptBuilder& prompts,
                                       const Config& config, const CodeCache* kept = nullptr);
RowSources open_sources(const Recipe& recipe, const PromptBuilder& prompts,
                        const CodeCache* kept = nullptr);

// Positions that a row takes in a sequence; of a pair the longer one's.
int64_t length_of(const Row& row, const Config& config);

// Whether something is said to be worse than it: a preference.
bool has_rejected(const Row& row);

// Row `index` of a source. Throws Error where it cannot be used, be it longer than batch.max_len.
Row usable_row(const Recipe& recipe, const RowSource& source, uint64_t index);

}  // namespace janus::train
