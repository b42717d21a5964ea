// See row_source.h.
// SPDX-License-Identifier: MIT
#include "train/row_source.h"

#include <algorithm>

#include "base/error.h"
#include "train/file_row.h"
#include "train/world_rows.h"

namespace janus::train {
namespace {

class FileRows final : public RowSource {
 public:
  FileRows(const Source& source, const PromptBuilder& prompts, const Config& config,
           const CodeCache* kept)
      : rows_(open_rows(source)), prompts_(prompts), config_(config), kept_(kept) {}
  int64_t count() const override { return rows_->count(); }
  Row row(uint64_t index) const override {
    const FileRow row = rows_->row(static_cast<int64_t>(index));
    if (row.draws()) return draw_row(row, prompts_, config_, kept_);
    return ask_row(row, prompts_, config_);
  }
  std::string place(uint64_t index) const override {
    return rows_->place(static_cast<int64_t>(index));
  }

 private:
  std::unique_ptr<StoredRows> rows_;
  const PromptBuilder& prompts_;
  Config config_;
  const CodeCache* kept_;
};

}  // namespace

std::unique_ptr<RowSource> open_source(const Source& source, const PromptBuilder& prompts,
                                       const Config& config, const CodeCache* kept) {
  if (source.from_file()) return std::make_unique<FileRows>(source, prompts, config, kept);
  return std::make_unique<WorldRows>(source, prompts, config);
}

RowSources open_sources(const Recipe& recipe, const PromptBuilder& prompts, const CodeCache* kept) {
  RowSources all;
  for (const Source& source : recipe.data) {
    all.push_back(open_source(source, prompts, recipe.model.config, kept));
  }
  return all;
}

int64_t length_of(const Row& row, const Config& config) {
  if (const auto* asked = std::get_if<AskRow>(&row)) {
    const int64_t worse = asked->rejected ? std::ssize(asked->rejected->ids) : 0;
    return std::max<int64_t>(std::ssize(asked->dialogue.ids), worse);
  }
  // The last code is no input.
  return std::ssize(std::get<DrawRow>(row).prompt) + config.image_tokens() - 1;
}

bool has_rejected(const Row& row) {
  if (const auto* asked = std::get_if<AskRow>(&row)) return asked->rejected.has_value();
  const auto& drawn = std::get<DrawRow>(row);
  return !drawn.rejected.empty() || !drawn.rejected_codes.empty();
}

Row usable_row(const Recipe& recipe, const RowSource& source, uint64_t index) {
  Row row = source.row(index);
  const int64_t length = length_of(row, recipe.model.config);
  check(length <= recipe.batch.max_len, Code::bad_input, "a sample of ", length,
        " positions is longer than batch.max_len = ", recipe.batch.max_len);
  check(recipe.preference.beta <= 0 || has_rejected(row), Code::bad_input,
        "nothing says what is worse than this: \"rejected\" is missing, which preference.beta "
        "asks for");
  return row;
}

}  // namespace janus::train
