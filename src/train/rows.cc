// See rows.h.
// SPDX-License-Identifier: MIT
#include "train/rows.h"

#include "base/error.h"
#include "generate/load.h"
#include "model/checkpoint.h"
#include "train/checkpoint.h"
#include "train/drawing.h"
#include "train/model_files.h"
#include "train/net.h"
#include "train/row_file.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;

// A model ready to be asked for losses.
struct Judge {
  Config config;
  PromptBuilder prompts;
  Janus net;
};

Judge load_judge(const fs::path& model, const Log& log) {
  const janus::Checkpoint checkpoint(model);
  checkpoint.require({});
  const Config config = checkpoint.config();
  Judge judge{config, load_prompts(checkpoint, log), Janus(config)};
  load_model(model, config, named_parameters(*judge.net));
  for (auto& weight : judge.net->model->vqmodel->parameters()) weight.set_requires_grad(false);
  return judge;
}

torch::Tensor sum_of_losses(const torch::Tensor& logits, const torch::Tensor& labels) {
  return torch::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum);
}

torch::Tensor drawing_loss(Judge& judge, const FileRow& row, RowLoss& loss) {
  const DrawRow drawn = draw_row(row, judge.prompts, judge.config);
  const std::span<const DrawRow> rows(&drawn, 1);
  const torch::Tensor codes = codes_of(judge.net, rows);
  const torch::Tensor vectors = draw_vectors(judge.net, codes, source_codes(judge.net, rows), rows);
  const Inputs inputs = draw_inputs(rows, judge.config, judge.prompts.ids());
  loss.targets = codes.numel();
  return sum_of_losses(judge.net->code_logits(judge.net->decode_at(inputs, vectors)),
                       codes.flatten());
}

torch::Tensor reading_loss(Judge& judge, const FileRow& row, RowLoss& loss) {
  const AskRow taught = ask_row(row, judge.prompts, judge.config);
  const Inputs inputs = ask_inputs({&taught, 1}, judge.config, judge.prompts.ids());
  torch::Tensor vectors;  // stays undefined without a picture
  if (!taught.pixels.empty()) {
    vectors =
        judge.net->embed_image(stack_pixels({&taught, 1}, judge.config.vision.image)).flatten(0, 1);
  }
  loss.targets = static_cast<int64_t>(inputs.labels.size());
  return sum_of_losses(judge.net->text_logits(judge.net->decode_at(inputs, vectors)),
                       torch::tensor(inputs.labels));
}

void save_gradients(const fs::path& path, const Judge& judge) {
  NamedTensors gradients;
  for (const auto& [name, weight] : named_parameters(*judge.net)) {
    if (!weight.requires_grad()) continue;
    gradients[name] = weight.grad().defined() ? weight.grad() : torch::zeros_like(weight);
  }
  save_tensors(path, gradients);
}

}  // namespace

void row_losses(const fs::path& model, const fs::path& data, const fs::path& gradients,
                const Log& log, const std::function<void(const RowLoss&)>& report) {
  const RowFile file(data);
  Judge judge = load_judge(model, log);
  const torch::AutoGradMode wanted(!gradients.empty());
  for (int64_t i = 0; i < file.count(); ++i) {
    RowLoss loss;
    loss.row = i;
    try {
      const FileRow row = file.row(i);
      loss.task = row.task;
      const torch::Tensor sum =
          row.draws() ? drawing_loss(judge, row, loss) : reading_loss(judge, row, loss);
      if (!gradients.empty()) sum.backward();
      loss.sum = sum.item<double>();
    } catch (const Error& error) {
      fail(error.code(), file.place(i), ": ", error.what());
    }
    report(loss);
  }
  if (!gradients.empty()) save_gradients(gradients, judge);
}

}  // namespace janus::train
