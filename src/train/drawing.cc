// See drawing.h.
// SPDX-License-Identifier: MIT
#include "train/drawing.h"

#include <algorithm>

namespace janus::train {
namespace {

// Of the rows that have some.   -> [pictures, 3, side, side], undefined for none
torch::Tensor stacked(std::span<const DrawRow> rows, std::vector<float> DrawRow::*of, int side) {
  int64_t pictures = 0;
  for (const DrawRow& row : rows) pictures += (row.*of).empty() ? 0 : 1;
  if (pictures == 0) return {};
  torch::Tensor pixels = torch::empty({pictures, 3, side, side});
  float* out = pixels.data_ptr<float>();
  for (const DrawRow& row : rows) out = std::copy((row.*of).begin(), (row.*of).end(), out);
  return pixels;
}

}  // namespace

torch::Tensor codes_of(Janus& net, std::span<const DrawRow> rows) {
  const torch::Tensor pixels = stacked(rows, &DrawRow::pixels, net->config.image);
  torch::Tensor encoded;
  if (pixels.defined()) encoded = net->model->vqmodel->encode(pixels);
  std::vector<torch::Tensor> all;
  int64_t next = 0;
  for (const DrawRow& row : rows) {
    all.push_back(row.codes.empty() ? encoded[next++] : torch::tensor(row.codes));
  }
  return torch::stack(all);
}

torch::Tensor source_codes(Janus& net, std::span<const DrawRow> rows) {
  const torch::Tensor pixels = stacked(rows, &DrawRow::source, net->config.image);
  return pixels.defined() ? net->model->vqmodel->encode(pixels) : torch::Tensor();
}

torch::Tensor draw_vectors(Janus& net, const torch::Tensor& codes, const torch::Tensor& sources,
                           std::span<const DrawRow> rows) {
  const torch::Tensor drawn = net->embed_codes(codes.flatten());
  if (!sources.defined()) return drawn;
  const torch::Tensor seen = stacked(rows, &DrawRow::seen, net->config.vision.image);
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
