// RelaidSource: the tensors of one layout as those of another. A field's numbers stand in the same
// order in all layouts (weight_names), so a tensor of one is made of stretches of the other's.
// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/parts.h"
#include "model/tensor_source.h"

namespace janus {

class RelaidSource : public TensorSource {
 public:
  // `base` has the tensors of `parts` named as in `from`. It must live as long as this.
  RelaidSource(const Config& config, const TensorSource& base, Layout from, Layout to,
               const Parts& parts = {});

  std::string name() const override { return base_.name(); }
  std::map<std::string, std::vector<int64_t>> shapes() const override;
  void read(const std::string& tensor, int64_t begin, std::span<float> out) const override;
  // None where the stretches of a tensor are of several types.
  std::optional<Dtype> stored(const std::string& tensor) const override;
  void read_blocks(const std::string& tensor, int64_t begin,
                   std::span<std::byte> out) const override;
  void done(const std::string& tensor, int64_t end) const override;

  // The tensor of `base` that holds the first number of this one.
  const std::string& origin(const std::string& tensor) const;

 private:
  struct Stretch {
    std::string tensor;  // of `base`
    int64_t begin = 0, count = 0;
  };
  struct Target {
    std::vector<int64_t> shape;
    std::vector<Stretch> stretches;
  };

  const TensorSource& base_;
  std::map<std::string, Target> targets_;
};

}  // namespace janus
