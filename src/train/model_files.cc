// See model_files.h.
// SPDX-License-Identifier: MIT
#include "train/model_files.h"

#include "model/checkpoint.h"
#include "model/checkpoint_check.h"
#include "model/relaid.h"
#include "train/torch.h"

namespace janus::train {

void load_model(const std::filesystem::path& model, const Config& config, const NamedTensors& into,
                const Parts& parts) {
  torch::NoGradGuard off;
  const janus::Checkpoint checkpoint(model);
  checkpoint.require(parts);
  const auto stored = checkpoint.source();
  const Layout layout = check_tensors(config, *stored, parts);
  const RelaidSource source(config, *stored, layout, Layout::transformers, parts);
  for (const auto& [name, shape] : source.shapes()) {
    const auto found = into.find(name);
    if (found == into.end()) continue;
    torch::Tensor values = torch::empty(shape);
    source.read(name, 0, {values.data_ptr<float>(), static_cast<size_t>(values.numel())});
    source.done(name, values.numel());
    found->second.detach().copy_(values);
  }
}

}  // namespace janus::train
