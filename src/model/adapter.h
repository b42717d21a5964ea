// Low-rank adapters as the `peft` package keeps them (adapter_config.json beside
// adapter_model.safetensors), and the tensors of a model with one merged in.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/stored.h"
#include "model/config.h"
#include "model/tensor_source.h"

namespace janus {

// W' = W + scale · B A, of one matrix W [outputs, inputs].
struct LowRank {
  StoredTensor a;    // [rank, inputs]
  StoredTensor b;    // [outputs, rank]
  double scale = 0;  // alpha / rank, or alpha / √rank where the adapter says `use_rslora`
};

struct Adapter {
  std::string name;                       // for messages: the directory
  std::map<std::string, LowRank> layers;  // by the full name of W, "….q_proj.weight"
};

// `directory` as peft's save_pretrained writes it. Throws Code::bad_checkpoint naming file and
// tensor for what is damaged or does not fit together; Code::not_supported, named, for kinds of
// adapter that are more than such sums (DoRA, embeddings, biases, whole modules).
Adapter read_adapter(const std::filesystem::path& directory);

// Whether its names are those of the official or of the transformers layout. Throws
// Code::bad_checkpoint naming the first that the model lacks, or that is no matrix of its size.
Layout adapter_layout(const Adapter& adapter, const Config& config);

// The tensors of a model with adapters merged, sums in f32 in the order of the rank.
class MergedSource : public TensorSource {
 public:
  // `base` has the names of the adapter's layout; both must live as long as this.
  MergedSource(const TensorSource& base, const Adapter& adapter);

  std::string name() const override { return base_.name(); }
  std::map<std::string, std::vector<int64_t>> shapes() const override { return base_.shapes(); }
  void read(const std::string& tensor, int64_t begin, std::span<float> out) const override;
  // A type of blocks is not told of a matrix that is merged: its blocks are no longer those stored.
  std::optional<Dtype> stored(const std::string& tensor) const override;
  void read_blocks(const std::string& tensor, int64_t begin,
                   std::span<std::byte> out) const override;
  void done(const std::string& tensor, int64_t end) const override { base_.done(tensor, end); }

 private:
  struct Factors {
    int64_t rank = 0, inputs = 0;
    std::vector<float> a, b;  // b is scaled
  };
  const TensorSource& base_;
  std::map<std::string, Factors> layers_;
};

}  // namespace janus
