// The libtorch network against the published traces of the tiny checkpoint, and its names.
// SPDX-License-Identifier: MIT
#include "train/net.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "support.h"
#include "train/checkpoint.h"
#include "train/sample.h"

namespace janus::train {
namespace {

constexpr double kBound = 2e-4;  // of the rms, as for the engine's reference backend

class Twin : public ::testing::Test {
 protected:
  Twin() : config_(load_config(golden("tiny-hf"))), net_(config_) {
    load_tensors(golden("tiny-hf/model.safetensors"), named_parameters(*net_));
  }
  torch::NoGradGuard off_;
  Config config_;
  Janus net_;
};

TEST_F(Twin, HasExactlyTheNamesOfTheCheckpoint) {
  std::set<std::string> stored, made;
  for (const auto& [name, tensor] : read_safetensors(golden("tiny-hf/model.safetensors"))) {
    stored.insert(name);
  }
  for (const auto& [name, tensor] : named_parameters(*net_)) made.insert(name);
  EXPECT_EQ(stored, made);
}

TEST_F(Twin, ReadsAsTheReference) {
  const torch::Tensor pixels = golden_tensor("ask.safetensors", "pixel_values");
  EXPECT_LT(
      distance(net_->model->vision_model(pixels), golden_tensor("ask.safetensors", "vision.out")),
      kBound);
  const torch::Tensor seen = net_->embed_image(pixels);
  EXPECT_LT(distance(seen, golden_tensor("ask.safetensors", "aligner.out")), kBound);
  const torch::Tensor ids = golden_tensor("ask.safetensors", "input_ids");
  torch::Tensor x = net_->embed_text(ids);
  x.masked_scatter_((ids == 611).unsqueeze(1).expand_as(x), seen.contiguous());
  const torch::Tensor out = net_->model->language_model(x.unsqueeze(0))[0];
  EXPECT_LT(distance(out, golden_tensor("ask.safetensors", "lm.out")), kBound);
  EXPECT_LT(distance(net_->text_logits(out), golden_tensor("ask.safetensors", "logits")), kBound);
}

TEST_F(Twin, AnswersAsTheReference) {
  const torch::Tensor ids = golden_tensor("ask.safetensors", "input_ids");
  const torch::Tensor pixels = golden_tensor("ask.safetensors", "pixel_values").contiguous();
  AskRequest request;
  for (int64_t i = 0; i < ids.size(0); ++i) {
    request.prompt.push_back(static_cast<int32_t>(ids[i].item<int64_t>()));
  }
  request.pixels.assign(pixels.data_ptr<float>(), pixels.data_ptr<float>() + pixels.numel());
  const torch::Tensor wanted = golden_tensor("ask.safetensors", "greedy_ids");
  const auto made = answers(net_, {request}, 611, 601, wanted.size(0));
  ASSERT_EQ(static_cast<int64_t>(made[0].size()), wanted.size(0));
  for (int64_t i = 0; i < wanted.size(0); ++i) {
    EXPECT_EQ(made[0][static_cast<size_t>(i)], wanted[i].item<int64_t>());
  }
}

// The decoder fed with both prompts and the codes, code after code through the kept keys and
// values.
TEST_F(Twin, DrawsAsTheReference) {
  const torch::Tensor prompts = torch::stack({golden_tensor("draw.safetensors", "cond_ids"),
                                              golden_tensor("draw.safetensors", "uncond_ids")});
  std::vector<LayerCache> cache(static_cast<size_t>(config_.llama.layers));
  torch::Tensor x = net_->embed_text(prompts);
  std::vector<torch::Tensor> logits;
  for (int64_t i = 0; i < config_.image_tokens(); ++i) {
    const torch::Tensor hidden = net_->model->language_model(x, &cache);
    logits.push_back(net_->code_logits(hidden.select(1, hidden.size(1) - 1)));
    const torch::Tensor code = torch::full({2, 1}, (91 * i + 13) % 256, torch::kLong);
    x = net_->embed_codes(code);
  }
  const torch::Tensor all = torch::stack(logits, 1);  // [2, N, C]
  EXPECT_LT(distance(all[0], golden_tensor("draw.safetensors", "gen.logits.cond")), kBound);
  EXPECT_LT(distance(all[1], golden_tensor("draw.safetensors", "gen.logits.uncond")), kBound);
}

TEST_F(Twin, CodecDecodesAndEncodesAsTheReference) {
  const torch::Tensor codes = (torch::arange(64) * 91 + 13) % 256;
  const torch::Tensor rows = net_->model->vqmodel->look_up(codes.unsqueeze(0));
  EXPECT_LT(distance(rows[0], golden_tensor("draw.safetensors", "vq.codes")), kBound);
  EXPECT_LT(distance(net_->model->vqmodel->decode(rows)[0],
                     golden_tensor("draw.safetensors", "vq.pixels")),
            kBound);
  const torch::Tensor pixels = golden_tensor("encode.safetensors", "pixel_values").unsqueeze(0);
  EXPECT_LT(distance(net_->model->vqmodel->latent(pixels)[0],
                     golden_tensor("encode.safetensors", "vq.latent")),
            kBound);
  EXPECT_TRUE(torch::equal(net_->model->vqmodel->encode(pixels)[0],
                           golden_tensor("encode.safetensors", "vq.ids")));
}

// What the loss sees in one call is what sampling sees position after position.
TEST_F(Twin, TeacherForcingEqualsSteps) {
  DrawRow row;
  const torch::Tensor prompt = golden_tensor("draw.safetensors", "cond_ids");
  for (int64_t i = 0; i < prompt.size(0); ++i) {
    row.prompt.push_back(static_cast<int32_t>(prompt[i].item<int64_t>()));
  }
  DrawRow longer = row;  // makes the first row one that is padded
  longer.prompt.insert(longer.prompt.begin() + 1, 5, longer.prompt[1]);
  const std::vector<DrawRow> rows = {row, longer};
  SpecialIds ids;
  ids.pad = 602;
  const Inputs inputs = draw_inputs(rows, config_, ids);
  const torch::Tensor codes = ((torch::arange(64) * 91 + 13) % 256).repeat({2});
  const torch::Tensor logits = net_->code_logits(net_->decode_at(inputs, net_->embed_codes(codes)));
  EXPECT_LT(distance(logits.narrow(0, 0, 64), golden_tensor("draw.safetensors", "gen.logits.cond")),
            kBound);
}

}  // namespace
}  // namespace janus::train
