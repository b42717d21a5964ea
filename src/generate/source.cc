// See source.h. SPDX-License-Identifier: MIT
#include "generate/source.h"

#include <utility>

#include "base/error.h"
#include "generate/ask.h"
#include "generate/pixels.h"
#include "generate/prompt.h"

namespace janus {

SourceReading::SourceReading(const Shared& shared, std::shared_ptr<const Image> image,
                             int32_t vector_id)
    : shared_(shared),
      image_(std::move(image)),
      vector_id_(vector_id),
      key_(picture_key(*image_)),
      vectors_(shared.pictures.find(key_)) {}

void SourceReading::work(Workspace& space, const Member::Between& between) {
  if (!vectors_) {
    vectors_ = shared_.pictures.keep(key_, read_picture(shared_.model, *image_, space, between));
    return;
  }
  const int64_t side = shared_.model.config().image;
  OwnedTensor pixels(Dtype::f32, {1, side, side, 3});
  to_pixels(*image_, pixels.view.as({side, side, 3}));
  std::vector<int32_t> codes(static_cast<size_t>(shared_.model.config().image_tokens()));
  shared_.model.encode_image(pixels.view, space, codes, nullptr, between);
  codes_ = std::move(codes);  // only now: a pass may have come in between
}

std::vector<Fed> SourceReading::feed(std::span<const int32_t> ids) const {
  std::vector<Fed> fed;
  fed.reserve(ids.size());
  int32_t vectors = 0;
  size_t codes = 0;
  for (const int32_t id : ids) {
    if (id == vector_id_) {
      fed.push_back(fed_vision(vectors++, key_));
    } else {
      fed.push_back(id == kSourceCode ? fed_code(codes_[codes++]) : fed_text(id));
    }
  }
  return fed;
}

const float* SourceReading::vector(const Fed& fed) const {
  return fed.kind == Fed::Kind::vision ? vectors_->view.row(fed.id) : nullptr;
}

}  // namespace janus
