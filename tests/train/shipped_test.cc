// The engine and its twin in libtorch agree on the model that ships: logits of drawing and reading,
// the losses they give, pixels and codes of the codec, and answers.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstring>

#include "generate/load.h"
#include "generate/observe.h"
#include "kernels/open.h"
#include "support.h"
#include "train/checkpoint.h"
#include "train/data.h"
#include "train/net.h"
#include "train/sample.h"
#include "world/render.h"
#include "world/tasks.h"

namespace janus::train {
namespace {

constexpr double kBound = 2e-4;      // of the rms, as for the engine against the reference
constexpr double kLossBound = 1e-4;  // nats a code

std::filesystem::path shipped() {
  return std::filesystem::path(JANUSPRO_SOURCE_DIR) / "models" / "toyland";
}

torch::Tensor floats(const Trace& trace, const std::string& name) {
  const Trace::Entry& entry = trace.entries().at(name);
  torch::Tensor values = torch::empty(entry.shape);
  std::memcpy(values.data_ptr<float>(), entry.bytes.data(), entry.bytes.size());
  return values;
}

torch::Tensor whole(const Trace& trace, const std::string& name) {
  const Trace::Entry& entry = trace.entries().at(name);
  torch::Tensor values = torch::empty(entry.shape, torch::kLong);
  std::memcpy(values.data_ptr<int64_t>(), entry.bytes.data(), entry.bytes.size());
  return values;
}

torch::Tensor row_of(std::span<const int32_t> ids) {
  return torch::tensor(std::vector<int64_t>(ids.begin(), ids.end())).unsqueeze(0);
}

Model load_engine(const char* backend) {
  LoadOptions options;
  options.checkpoint = shipped();
  options.backend = open_backend(backend, 1);
  options.weights = Dtype::f32;
  return Model::load(options);
}

class ShippedModel : public ::testing::TestWithParam<const char*> {
 protected:
  ShippedModel()
      : config_(load_config(shipped())),
        prompts_(load_prompts(janus::Checkpoint(shipped()))),
        net_(config_),
        engine_(load_engine(GetParam())) {
    load_tensors(shipped() / "model.safetensors", named_parameters(*net_));
  }
  torch::Tensor pixels(const Image& image) const {
    std::vector<float> values;
    append_pixels(image, 0, 0, config_.image, values);
    return torch::tensor(values).view({1, 3, config_.image, config_.image});
  }

  torch::NoGradGuard off_;
  Config config_;
  PromptBuilder prompts_;
  Janus net_;
  Model engine_;
};

TEST_P(ShippedModel, DrawsAsItsTwin) {
  for (uint64_t i = 0; i < 2; ++i) {
    const DrawSample sample = draw_sample(Split::val, i);
    const Image picture = render(sample.scene, config_.image).image;
    Trace encoded, drawn;
    observe_encode(engine_, picture, encoded);
    const torch::Tensor codes = net_->model->vqmodel->encode(pixels(picture));  // [1, N]
    EXPECT_TRUE(torch::equal(whole(encoded, "vq.ids"), codes[0])) << sample.prompt;

    std::vector<int32_t> fed;
    for (int64_t k = 0; k < codes.size(1); ++k) fed.push_back(codes[0][k].item<int>());
    const std::vector<int32_t> prompt = prompts_.draw(sample.prompt);
    observe_draw(engine_, {prompt, prompts_.unguided(prompt)}, fed, 5, Dtype::f32, drawn);

    std::vector<DrawRow> rows(1);
    rows[0].prompt = prompt;
    const Inputs inputs = draw_inputs(rows, config_, prompts_.ids());
    const torch::Tensor logits =
        net_->code_logits(net_->decode_at(inputs, net_->embed_codes(codes[0])));
    const torch::Tensor ours = floats(drawn, "gen.logits.cond");
    EXPECT_LT(distance(ours, logits), kBound) << sample.prompt;
    EXPECT_NEAR(torch::cross_entropy_loss(ours, codes[0]).item<double>(),
                torch::cross_entropy_loss(logits, codes[0]).item<double>(), kLossBound);
    const torch::Tensor decoded =
        net_->model->vqmodel->decode(net_->model->vqmodel->look_up(codes));
    EXPECT_LT(distance(floats(drawn, "vq.pixels"), decoded[0]), kBound) << sample.prompt;
  }
}

TEST_P(ShippedModel, ReadsAsItsTwin) {
  for (uint64_t i = 0; i < 4; ++i) {
    const AskSample sample = ask_sample(Split::val, i);
    const Image picture = render(sample.scene, config_.image).image;
    const Message question = {Role::user, sample.question, 1};
    const std::vector<int32_t> ids = prompts_.read({&question, 1});
    Trace trace;
    observe_ask(engine_, prompts_.ids(), ids, {&picture, 1}, 8, Dtype::f32, trace);

    const torch::Tensor seen = net_->embed_image(pixels(picture));
    const torch::Tensor row = row_of(ids);
    torch::Tensor x = net_->embed_text(row);
    x = x.masked_scatter((row == prompts_.ids().image).unsqueeze(-1).expand_as(x),
                         seen.contiguous());
    const torch::Tensor logits = net_->text_logits(net_->model->language_model(x))[0];
    EXPECT_LT(distance(floats(trace, "logits"), logits), kBound) << sample.question;

    AskRequest request;
    request.prompt = ids;
    append_pixels(picture, 0, 0, config_.image, request.pixels);
    const std::vector<int32_t> said =
        answers(net_, {request}, prompts_.ids().image, prompts_.ids().eos, 8).front();
    const torch::Tensor greedy = whole(trace, "greedy_ids");
    ASSERT_LE(static_cast<int64_t>(said.size()), greedy.size(0));
    EXPECT_TRUE(
        torch::equal(greedy.narrow(0, 0, static_cast<int64_t>(said.size())), row_of(said)[0]))
        << sample.question;
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, ShippedModel, ::testing::Values("ref", "cpu"),
                         [](const auto& backend) { return std::string(backend.param); });

}  // namespace
}  // namespace janus::train
