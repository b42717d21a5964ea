// Adapters through both doors: what they change, what is told of them, what is refused.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>

#include "api/fields.h"
#include "io/temp_dir.h"
#include "januspro/januspro.h"
#include "januspro/januspro.hpp"
#include "model/adapter_files.h"

namespace janus {
namespace {

using testing::factor;
using testing::write_adapter;

class Adapters : public ::testing::Test {
 protected:
  Adapters() {
    const std::string model = "base_model.model.model.";
    const std::string head = model + "generation_head.vision_head";
    const std::string query = model + "language_model.layers.0.self_attn.q_proj";
    write_adapter(dir_.path(), {factor(head + ".lora_A.weight", {2, 64}, 5),
                                factor(head + ".lora_B.weight", {256, 2}, 7),
                                factor(query + ".lora_A.weight", {3, 64}, 5),
                                factor(query + ".lora_B.weight", {64, 3}, 7)});
  }
  static EngineOptions options(std::vector<LoraAdapter> adapters = {}) {
    EngineOptions options;
    options.checkpoint = golden("tiny-hf");
    options.threads = 2;
    options.adapters = std::move(adapters);
    return options;
  }
  static std::vector<int32_t> drawn(const EngineOptions& options) {
    return Engine::load(options).draw({.prompt = "blue", .seed = 3}).front().codes;
  }
  TempDir dir_;
};

TEST_F(Adapters, ChangeWhatIsDrawnByTheirScale) {
  const std::vector<int32_t> plain = drawn(options());
  EXPECT_NE(drawn(options({{dir_.path(), 1}})), plain);
  EXPECT_EQ(drawn(options({{dir_.path(), 0}})), plain);
  EXPECT_EQ(drawn(options({{dir_.path(), 1}, {dir_.path(), -1}, {dir_.path(), 1}})),
            drawn(options({{dir_.path(), 1}})));
}

TEST_F(Adapters, GiveOneResultBesideAnyOthers) {
  const DrawRequest blue{.prompt = "blue", .images = 3, .seed = 3};
  const DrawRequest red{.prompt = "a red ball", .images = 2, .seed = 8};
  Engine together = Engine::load(options({{dir_.path(), 1}}));
  Job beside = together.submit(red);
  const std::vector<Picture> pictures = together.draw(blue);
  beside.wait();
  EngineOptions one = options({{dir_.path(), 1}});
  one.threads = one.ahead = 1;
  Engine alone = Engine::load(one);
  for (int i = 0; i < 3; ++i) {
    const auto drawn = alone.draw({.prompt = "blue", .seed = 3 + static_cast<uint64_t>(i)});
    EXPECT_EQ(drawn.front().codes, pictures[static_cast<size_t>(i)].codes) << i;
  }
}

TEST_F(Adapters, AreTold) {
  const Engine plain = Engine::load(options());
  const Engine engine = Engine::load(options({{dir_.path(), 0.5f}}));
  ASSERT_EQ(engine.info().adapters.size(), 1u);
  EXPECT_EQ(engine.info().adapters.front().scale, 0.5f);
  EXPECT_NE(engine.info().hash, plain.info().hash);
  const int64_t taken = engine.info().weight_bytes - plain.info().weight_bytes;
  EXPECT_GE(taken, 4 * 2 * (64 + 256));
  const DrawRequest request{.prompt = "blue"};
  EXPECT_GE(engine.plan(request).weights, plain.plan(request).weights + taken);
  EXPECT_EQ(Engine::plan(options({{dir_.path(), 0.5f}}), {&request, 1}).weights,
            engine.plan(request).weights);
}

TEST_F(Adapters, AreRefusedByWhatIsWrong) {
  const auto refusal = [](Code code, const LoraAdapter& adapter) {
    return error_of(code, [&] { Engine::load(options({adapter})); });
  };
  expect_has(refusal(Code::bad_input, {dir_ / "absent", 1}), "adapter_config.json");
  expect_has(refusal(Code::bad_input, {dir_.path(), NAN}), "the scale is");
  const std::string head = "base_model.model.lm_heads";
  write_adapter(dir_.path(), {factor(head + ".lora_A.weight", {2, 64}, 5),
                              factor(head + ".lora_B.weight", {256, 2}, 7)});
  expect_has(refusal(Code::bad_checkpoint, {dir_.path(), 1}), "lm_heads.weight");
}

TEST_F(Adapters, ComeThroughTheCHeaderToo) {
  const std::string path = golden("tiny-hf").string(), adapter = dir_.path().string();
  const char* adapters[] = {adapter.c_str()};
  const float scales[] = {0.5f};
  const auto hash_of = [&](const float* of_each, size_t count) {
    januspro_engine_options given;
    januspro_engine_options_init(&given, sizeof given);
    given.checkpoint = path.c_str();
    given.threads = 2;
    given.adapters = adapters;
    given.adapter_scales = of_each;
    given.adapter_count = count;
    januspro_engine* engine = nullptr;
    EXPECT_EQ(januspro_load(&given, &engine), JANUSPRO_OK) << januspro_last_error();
    januspro_info info;
    januspro_info_init(&info, sizeof info);
    EXPECT_EQ(januspro_engine_info(engine, &info), JANUSPRO_OK);
    const std::string hash = info.hash;
    januspro_free(engine);
    return hash;
  };
  EXPECT_EQ(hash_of(scales, 1), Engine::load(options({{dir_.path(), 0.5f}})).info().hash);
  EXPECT_EQ(hash_of(nullptr, 1), Engine::load(options({{dir_.path(), 1}})).info().hash);
  EXPECT_EQ(hash_of(nullptr, 0), Engine::load(options()).info().hash);
}

}  // namespace
}  // namespace janus
