// See drawing.h.
// SPDX-License-Identifier: MIT
#include "train/drawing.h"

#include <algorithm>

namespace janus::train {
namespace {

// [pictures, 3, side, side]
torch::Tensor stacked(const std::vector<const std::vector<float>*>& pictures, int side) {
  torch::Tensor pixels = torch::empty({std::ssize(pictures), 3, side, side});
  float* out = pixels.data_ptr<float>();
  for (const auto* picture : pictures) out = std::copy(picture->begin(), picture->end(), out);
  return pixels;
}

// One of the pictures of a row.
struct Which {
  std::vector<float> DrawRow::*pixels;
  std::vector<int64_t> DrawRow::*codes;
  std::optional<Digest> DrawRow::*picture;
};
constexpr Which kDrawn = {&DrawRow::pixels, &DrawRow::codes, &DrawRow::picture};
constexpr Which kChanged = {&DrawRow::source, &DrawRow::source_codes, &DrawRow::source_picture};
constexpr Which kRejected = {&DrawRow::rejected, &DrawRow::rejected_codes,
                             &DrawRow::rejected_picture};

// Of rows that have that picture or its codes.   -> [rows, N]
// What is kept of a picture must not depend on its neighbours, whose number changes the rounding:
// it is encoded alone.
torch::Tensor codes_of(Janus& net, const std::vector<const DrawRow*>& rows, const Which& which,
                       CodeCache* kept) {
  const int side = net->config.image;
  std::vector<torch::Tensor> all;
  std::vector<const std::vector<float>*> together;
  std::vector<size_t> places;  // of those
  for (const DrawRow* row : rows) {
    const std::vector<float>& pixels = row->*which.pixels;
    const std::vector<int64_t>& known = row->*which.codes;
    const std::optional<Digest>& picture = row->*which.picture;
    if (!known.empty()) {
      all.push_back(torch::tensor(known));
    } else if (kept && picture) {
      all.push_back(net->model->vqmodel->encode(stacked({&pixels}, side)).flatten().contiguous());
      const auto* codes = all.back().data_ptr<int64_t>();
      kept->add(*picture, {codes, static_cast<size_t>(all.back().numel())});
    } else {
      together.push_back(&pixels);
      places.push_back(all.size());
      all.emplace_back();
    }
  }
  if (!together.empty()) {
    const torch::Tensor encoded = net->model->vqmodel->encode(stacked(together, side));
    for (size_t i = 0; i < places.size(); ++i) all[places[i]] = encoded[static_cast<int64_t>(i)];
  }
  return torch::stack(all);
}

std::vector<const DrawRow*> all_of(std::span<const DrawRow> rows) {
  std::vector<const DrawRow*> all;
  for (const DrawRow& row : rows) all.push_back(&row);
  return all;
}

}  // namespace

torch::Tensor codes_of(Janus& net, std::span<const DrawRow> rows, CodeCache* kept) {
  return codes_of(net, all_of(rows), kDrawn, kept);
}

torch::Tensor rejected_codes(Janus& net, std::span<const DrawRow> rows, CodeCache* kept) {
  return codes_of(net, all_of(rows), kRejected, kept);
}

torch::Tensor source_codes(Janus& net, std::span<const DrawRow> rows, CodeCache* kept) {
  std::vector<const DrawRow*> changing;
  for (const DrawRow& row : rows) {
    if (!row.source.empty()) changing.push_back(&row);
  }
  return changing.empty() ? torch::Tensor() : codes_of(net, changing, kChanged, kept);
}

torch::Tensor stack_pixels(std::span<const AskRow> rows, int side) {
  size_t values = 0;
  for (const AskRow& row : rows) values += row.pixels.size();
  torch::Tensor pixels =
      torch::empty({static_cast<int64_t>(values) / (3 * side * side), 3, side, side});
  float* out = pixels.data_ptr<float>();
  for (const AskRow& row : rows) out = std::copy(row.pixels.begin(), row.pixels.end(), out);
  return pixels;
}

torch::Tensor draw_vectors(Janus& net, const torch::Tensor& codes, const torch::Tensor& sources,
                           std::span<const DrawRow> rows) {
  const torch::Tensor drawn = net->embed_codes(codes.flatten());
  if (!sources.defined()) return drawn;
  std::vector<const std::vector<float>*> pictures;
  for (const DrawRow& row : rows) {
    if (!row.seen.empty()) pictures.push_back(&row.seen);
  }
  const torch::Tensor seen = stacked(pictures, net->config.vision.image);
  return torch::cat(
      {drawn, net->embed_codes(sources.flatten()), net->embed_image(seen).flatten(0, 1)});
}

torch::Tensor changed_weights(const torch::Tensor& codes, const torch::Tensor& sources,
                              std::span<const DrawRow> rows, double changed) {
  std::vector<torch::Tensor> all;
  int64_t next = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const torch::Tensor drawn = codes[static_cast<int64_t>(i)];
    torch::Tensor weights = torch::ones({drawn.size(0)});
    if (!rows[i].source.empty()) {
      weights += (changed - 1) * (drawn != sources[next++]).to(torch::kFloat);
      weights /= weights.mean();
    }
    all.push_back(weights);
  }
  return torch::stack(all);
}

}  // namespace janus::train
