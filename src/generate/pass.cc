// See pass.h. SPDX-License-Identifier: MIT
#include "generate/pass.h"

#include <algorithm>

#include "base/error.h"
#include "model/footprint.h"

namespace janus {

int64_t PassShape::scratch(const Config& config) const {
  const int64_t width = config.llama.width;
  const auto taken = [](std::initializer_list<std::initializer_list<int64_t>> shapes) {
    Workspace::Count count;
    for (const auto& shape : shapes) count.take(shape);
    return count.bytes();
  };
  const int64_t embedding = taken({{codes, width}}) + embed_codes_scratch(config, codes);
  const int64_t logits = taken({{text, width},
                                {text, config.llama.vocabulary},
                                {image, width},
                                {image, config.vq.codes}}) +
                         image_logits_scratch(config, image);
  return taken({{rows, width}}) + std::max({embedding, forward_scratch(config, rows), logits});
}

int64_t Pass::add(int32_t sequence, const Fed& fed, Wants wants, const float* vector) {
  while (cache_.free_blocks() == 0 && kept_.drop()) {
  }
  position_.push_back(static_cast<int32_t>(cache_.extend(sequence, 1)));
  sequence_.push_back(sequence);
  rows_.push_back({fed, wants, vector});
  return rows() - 1;
}

void Pass::take_back(int64_t from) {
  for (int64_t row = rows(); row-- > from;) {
    cache_.truncate(sequence_.back(), position_.back());
    sequence_.pop_back();
    position_.pop_back();
    rows_.pop_back();
  }
}

PassShape Pass::shape() const {
  PassShape shape{rows()};
  for (const Row& row : rows_) {
    shape.codes += row.fed.kind == Fed::Kind::code ? 1 : 0;
    shape.text += row.wants == Wants::text ? 1 : 0;
    shape.image += row.wants == Wants::image ? 1 : 0;
  }
  return shape;
}

// Codes go through their adaptor together; text in runs.
void Pass::embed(Workspace& space, Tensor x) const {
  std::vector<int32_t> codes;
  std::vector<int64_t> places;
  std::vector<int32_t> text;
  const auto flush = [&](int64_t end) {
    if (text.empty()) return;
    const int64_t begin = end - std::ssize(text);
    model_.embed_text(text, x.slice(begin, end - begin));
    text.clear();
  };
  for (int64_t r = 0; r < rows(); ++r) {
    const Row& row = rows_[static_cast<size_t>(r)];
    if (row.fed.kind == Fed::Kind::text) {
      text.push_back(row.fed.id);
      continue;
    }
    flush(r);
    if (row.fed.kind == Fed::Kind::vision) {
      std::copy_n(row.vector, x.cols(), x.row(r));
    } else {
      codes.push_back(row.fed.id);
      places.push_back(r);
    }
  }
  flush(rows());
  if (codes.empty()) return;
  Workspace::Frame frame(space);
  const Tensor vectors = frame.take({std::ssize(codes), x.cols()});
  model_.embed_codes(codes, space, vectors);
  for (size_t i = 0; i < places.size(); ++i) {
    std::copy_n(vectors.row(static_cast<int64_t>(i)), x.cols(), x.row(places[i]));
  }
}

void Pass::read_logits(Workspace& space, Workspace::Frame& frame, Tensor x) {
  const PassShape counts = shape();
  const Tensor text = frame.take({counts.text, x.cols()});
  text_ = frame.take({counts.text, model_.config().llama.vocabulary});
  const Tensor image = frame.take({counts.image, x.cols()});
  image_ = frame.take({counts.image, model_.config().vq.codes});
  place_.assign(rows_.size(), -1);
  int64_t texts = 0, images = 0;
  for (int64_t r = 0; r < rows(); ++r) {
    const auto at = static_cast<size_t>(r);
    if (rows_[at].wants == Wants::nothing) continue;
    const bool is_text = rows_[at].wants == Wants::text;
    place_[at] = is_text ? texts++ : images++;
    std::copy_n(x.row(r), x.cols(), (is_text ? text : image).row(place_[at]));
  }
  if (texts > 0) model_.text_logits(text, text_);
  if (images > 0) model_.image_logits(image, space, image_);
}

void Pass::run(Workspace& space, Workspace::Frame& frame) {
  const Tensor x = frame.take({rows(), model_.config().llama.width});
  hidden_ = x;
  embed(space, x);
  const Rows where{sequence_, position_, cache_.blocks(), cache_.blocks_per_sequence()};
  model_.forward(x, where, cache_, space);
  read_logits(space, frame, x);
}

std::span<const float> Pass::logits(int64_t row) const {
  const auto at = static_cast<size_t>(row);
  check(at < place_.size() && place_[at] >= 0, Code::bug, "pass: row ", row, " has no logits");
  const Tensor& from = rows_[at].wants == Wants::text ? text_ : image_;
  return {from.row(place_[at]), static_cast<size_t>(from.cols())};
}

std::span<const float> Pass::hidden(int64_t row) const {
  return {hidden_.row(row), static_cast<size_t>(hidden_.cols())};
}

void Pass::clear() {
  rows_.clear();
  sequence_.clear();
  position_.clear();
  place_.clear();
}

}  // namespace janus
