// See reading.h. P tokens of a picture. SPDX-License-Identifier: MIT
#include "generate/reading.h"

#include <algorithm>
#include <utility>

#include "generate/ask.h"

namespace janus {

ReadingPrompt::ReadingPrompt(const Shared& shared, const PromptBuilder& prompts,
                             std::span<const int32_t> ids, std::vector<const Image*> images)
    : shared_(shared), images_(std::move(images)) {
  for (const Image* image : images_) keys_.push_back(picture_key(*image));
  const int64_t each = prompts.image_tokens();
  int64_t rows = 0;
  for (const int32_t id : ids) {
    if (id != prompts.ids().image) {
      fed_.push_back(fed_text(id));
      continue;
    }
    fed_.push_back(
        fed_vision(static_cast<int32_t>(rows % each), keys_[static_cast<size_t>(rows / each)]));
    ++rows;
  }
}

void ReadingPrompt::begin(int64_t position) {
  for (size_t i = 0; i < keys_.size(); ++i) {
    const auto is_row = [&](const Fed& fed) {
      return fed.kind == Fed::Kind::vision && fed.picture == keys_[i];
    };
    if (std::none_of(fed_.begin() + position, fed_.end(), is_row)) continue;
    const auto [entry, is_new] = vectors_.try_emplace(keys_[i], shared_.pictures.find(keys_[i]));
    if (is_new && !entry->second) to_read_.push_back(i);
  }
}

void ReadingPrompt::read_picture(Workspace& space, const Member::Between& between) {
  const size_t i = to_read_[next_read_];  // still to be read when a pass comes in between
  vectors_[keys_[i]] = shared_.pictures.keep(
      keys_[i], janus::read_picture(shared_.model, *images_[i], space, between));
  ++next_read_;
}

int64_t ReadingPrompt::offer(Pass& pass, int32_t sequence, int64_t position, Wants wants) const {
  const Fed& fed = fed_[static_cast<size_t>(position)];
  const float* vector =
      fed.kind == Fed::Kind::vision ? vectors_.at(fed.picture)->view.row(fed.id) : nullptr;
  return pass.add(sequence, fed, wants, vector);
}

}  // namespace janus
