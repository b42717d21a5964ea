// The picture that an instruction changes, on its way into the prompts of the pictures drawn from
// it: as the vision tower reads it and as codes. S side of a picture drawn · P its vectors when it
// is read · I its codes. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "generate/running.h"
#include "io/image.h"

namespace janus {

class SourceReading {
 public:
  // `image`: S × S, of edit_source(); `vector_id`: what stands in prompts for each of its vectors.
  SourceReading(const Shared& shared, std::shared_ptr<const Image> image, int32_t vector_id);

  bool has_work() const { return !vectors_ || codes_.empty(); }
  // One of the two encoders.
  void work(Workspace& space, const Member::Between& between);

  // What stands at each position of a prompt (PromptBuilder::edit), once both have worked.
  std::vector<Fed> feed(std::span<const int32_t> ids) const;
  // [D] of a vector's position; null of any other.
  const float* vector(const Fed& fed) const;

 private:
  const Shared& shared_;
  std::shared_ptr<const Image> image_;
  int32_t vector_id_;
  PictureKey key_;
  KeptPictures::Vectors vectors_;  // [P, D]
  std::vector<int32_t> codes_;     // [I]
};

}  // namespace janus
