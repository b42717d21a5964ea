// A prompt that is read: what stands at each of its positions, and the vectors of its pictures,
// which are read on the way. What asking and embedding share. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "generate/prompt.h"
#include "generate/running.h"

namespace janus {

class ReadingPrompt {
 public:
  // `ids` as PromptBuilder gives them, with the places of `images`, which must outlive this, in
  // order.
  ReadingPrompt(const Shared& shared, const PromptBuilder& prompts, std::span<const int32_t> ids,
                std::vector<const Image*> images);

  const std::vector<Fed>& fed() const { return fed_; }
  // What stands before `position` is not run again; pictures that stand behind it have to be known.
  void begin(int64_t position);
  // Pictures that have to be read first, one at a time.
  bool has_picture_to_read() const { return next_read_ < to_read_.size(); }
  void read_picture(Workspace& space, const Member::Between& between);
  // One more row of a pass.
  int64_t offer(Pass& pass, int32_t sequence, int64_t position, Wants wants) const;

 private:
  const Shared& shared_;
  std::vector<const Image*> images_;
  std::vector<PictureKey> keys_;
  std::vector<Fed> fed_;
  std::map<PictureKey, KeptPictures::Vectors> vectors_;
  std::vector<size_t> to_read_;  // of images_, those whose vectors are not known
  size_t next_read_ = 0;
};

}  // namespace janus
