// What is peculiar to llama.cpp's files: its converter stores the rows of q and k so that the two
// numbers that a rotation mixes stand side by side, where the checkpoint (and all of this program)
// has them half a head apart. SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "model/config.h"
#include "model/tensor_source.h"

namespace janus {

// The tensors of llama.cpp's pair with the rows of q and k where the checkpoint has them.
// (ggml-org/llama.cpp, conversion/llama.py, LlamaModel.permute: row 2j + s of a head of theirs is
// row s·H/2 + j of the checkpoint's, s = 0 or 1.)
class UnpermutedSource : public TensorSource {
 public:
  UnpermutedSource(const LlamaConfig& config, std::unique_ptr<const TensorSource> base);

  std::string name() const override { return base_->name(); }
  std::map<std::string, std::vector<int64_t>> shapes() const override { return base_->shapes(); }
  void read(const std::string& tensor, int64_t begin, std::span<float> out) const override;
  std::optional<Dtype> stored(const std::string& tensor) const override {
    return base_->stored(tensor);
  }
  void read_blocks(const std::string& tensor, int64_t begin,
                   std::span<std::byte> out) const override;
  void done(const std::string& tensor, int64_t end) const override;

 private:
  bool permuted(const std::string& tensor) const;
  int64_t row_of_theirs(int64_t row) const;

  int64_t width_;       // D, of a row
  int64_t head_width_;  // H, rows of a head
  std::unique_ptr<const TensorSource> base_;
};

}  // namespace janus
