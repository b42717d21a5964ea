// A model with adapters beside its weights against the same with them merged.
// SPDX-License-Identifier: MIT
#include "model/low_rank.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/rng.h"
#include "io/temp_dir.h"
#include "model/adapter_files.h"
#include "model/backends.h"
#include "model/footprint.h"
#include "model/passes.h"
#include "model/relaid.h"
#include "model/weight_names.h"

namespace janus {
namespace {

using namespace janus::testing;

constexpr int32_t kImageId = 611;  // <image_placeholder> of the golden tokenizer
const std::string kOnes = "base_model.model.lm_head";

// Both factors of a matrix, small random numbers.
void append_layer(std::vector<Factor>& factors, const TensorSpec& matrix, int64_t rank) {
  Philox random(99, factors.size());
  const std::string name = "base_model.model." + matrix.name.substr(0, matrix.name.size() - 7);
  for (const auto& [end, shape] :
       {std::pair{".lora_A.weight", std::vector<int64_t>{rank, matrix.shape[1]}},
        std::pair{".lora_B.weight", std::vector<int64_t>{matrix.shape[0], rank}}}) {
    Factor made = factor(name + end, shape, 2);
    for (float& value : made.values) value = static_cast<float>(random.uniform(-0.2, 0.2));
    factors.push_back(std::move(made));
  }
}

class LowRankModels : public ::testing::Test {
 protected:
  // Of every linear layer of the towers and their bridges, in the names of a layout.
  ScaledAdapter of_everything(Layout layout, double scale) {
    std::vector<Factor> factors;
    Parts parts;
    parts.encoder = parts.decoder = false;
    for (const TensorSpec& tensor : list_tensors(config_, layout, parts)) {
      const bool table = tensor.name.find("embed") != std::string::npos;
      if (tensor.shape.size() != 2 || table) continue;
      append_layer(factors, tensor, 1 + static_cast<int64_t>(factors.size() % 5));
    }
    EXPECT_GT(factors.size(), 2u * 20);
    write_adapter(dir_.path(), factors);
    return {read_adapter(dir_.path()), scale};
  }
  Model load(const NamedBackend& backend, Dtype type, std::vector<ScaledAdapter> adapters,
             const Parts& parts = {}) const {
    LoadOptions options;
    options.checkpoint = golden("tiny-hf");
    options.backend = backend.open(2);
    options.weights = type;
    options.parts = parts;
    options.adapters = std::move(adapters);
    return Model::load(options);
  }
  // The checkpoint with one merged, all in f32.
  Model merged(const NamedBackend& backend, ScaledAdapter one) const {
    for (auto& [name, layer] : one.adapter.layers) layer.scale *= one.scale;
    const auto base = Checkpoint(golden("tiny-hf")).source();
    const RelaidSource relaid(config_, *base, Layout::transformers,
                              adapter_layout(one.adapter, config_));
    const MergedSource source(relaid, one.adapter);
    LoadOptions options;
    options.backend = backend.open(2);
    options.weights = Dtype::f32;
    return Model::from(config_, source, options);
  }
  // Taps of reading a picture, of answering and of drawing.
  static std::map<std::string, std::vector<float>> taps(const Model& model) {
    const Reference asked(golden("ask.safetensors"));
    const Reference drawn(golden("draw.safetensors"));
    std::map<std::string, std::vector<float>> all;
    std::vector<int32_t> codes;
    for (int i = 0; i < model.config().image_tokens(); ++i) codes.push_back((91 * i + 13) % 256);
    for (const Trace& trace :
         {trace_ask(model, asked, kImageId), trace_draw(model, drawn, codes, 5)}) {
      for (const auto& [name, entry] : trace.entries()) {
        if (entry.dtype == Dtype::f32) all[name] = floats(entry);
      }
    }
    return all;
  }
  static double furthest(const std::map<std::string, std::vector<float>>& a,
                         const std::map<std::string, std::vector<float>>& b,
                         const std::vector<std::string>& names) {
    double worst = 0;
    for (const std::string& name : names) {
      worst = std::max(worst, relative_error(a.at(name), b.at(name)));
    }
    return worst;
  }
  TempDir dir_;
  Config config_ = load_config(golden("tiny-hf"));
  const std::vector<std::string> outputs_ = {"aligner.out", "lm.out", "logits", "gen.logits.cond",
                                             "gen.logits.uncond"};
};

// In both every number is rounded to f32 once or twice more than in the other, about 1e-5 by the
// end of the towers.
constexpr double kRoundings = 1e-4;

TEST_F(LowRankModels, EqualTheMergedOnEveryBackend) {
  for (const Layout layout : {Layout::transformers, Layout::official}) {
    const ScaledAdapter one = of_everything(layout, 0.75);
    for (const NamedBackend& backend : all_backends()) {
      const auto wanted = taps(merged(backend, one));
      EXPECT_LE(furthest(taps(load(backend, Dtype::f32, {one})), wanted, outputs_), kRoundings)
          << backend;
      const auto base = taps(load(backend, Dtype::f32, {}));
      for (const std::string& name : outputs_) {
        EXPECT_GT(relative_error(base.at(name), wanted.at(name)), 100 * kRoundings) << name;
      }
    }
  }
}

// It is as far from the merged model as weights of that type are from the plain one; the golden
// model's are bf16 from the beginning.
TEST_F(LowRankModels, StandBesideEveryTypeOfWeights) {
  const ScaledAdapter one = of_everything(Layout::transformers, 0.5);
  const NamedBackend backend = all_backends().back();
  const auto wanted = taps(merged(backend, one)), plain = taps(load(backend, Dtype::f32, {}));
  for (const Dtype type : {Dtype::bf16, Dtype::q8_0, Dtype::q4_0}) {
    const double by_type = furthest(taps(load(backend, type, {})), plain, outputs_);
    EXPECT_LE(furthest(taps(load(backend, type, {one})), wanted, outputs_),
              2 * by_type + kRoundings)
        << traits(type).name;
  }
}

TEST_F(LowRankModels, NothingChangesAtTheScaleZero) {
  const ScaledAdapter none = of_everything(Layout::transformers, 0);
  for (const NamedBackend& backend : all_backends()) {
    const Model base = load(backend, Dtype::f32, {}), same = load(backend, Dtype::f32, {none});
    EXPECT_EQ(taps(same), taps(base)) << backend;
    EXPECT_EQ(same.weights().fingerprint, base.weights().fingerprint);
    EXPECT_EQ(same.weights().bytes, base.weights().bytes);
  }
}

// … whichever parts are loaded.
TEST_F(LowRankModels, TheFingerprintTellsAdapterPlaceScaleAndOrder) {
  const NamedBackend backend = all_backends().back();
  const auto of = [&](std::vector<ScaledAdapter> adapters, const Parts& parts = {}) {
    return load(backend, Dtype::f32, std::move(adapters), parts).weights().fingerprint;
  };
  const ScaledAdapter one = of_everything(Layout::transformers, 1);
  ScaledAdapter half = one;
  half.scale = 0.5;
  EXPECT_NE(of({one}), of({}));
  EXPECT_NE(of({one}), of({half}));
  EXPECT_NE(of({one, half}), of({half, one}));
  EXPECT_EQ(of({one}), of({one}, kDrawingParts));
  EXPECT_NE(of({one}, kReadingParts), of({}, kReadingParts));
  const auto query_of = [&](const std::string& layer) {
    std::vector<Factor> factors;
    const std::string name = "model.language_model.layers." + layer + ".weight";
    append_layer(factors, {name, {64, 64}}, 2);
    write_adapter(dir_.path(), factors);
    return of({{read_adapter(dir_.path()), 1}});
  };
  const uint64_t query = query_of("0.self_attn.q_proj");
  EXPECT_EQ(query, query_of("0.self_attn.q_proj"));
  EXPECT_NE(query, query_of("1.self_attn.q_proj"));
  EXPECT_NE(query, query_of("0.self_attn.o_proj"));
}

TEST_F(LowRankModels, WhatTheyTakeIsTold) {
  const ScaledAdapter one = of_everything(Layout::transformers, 1);
  const std::vector<ScaledAdapter> adapters = {one, one};
  const NamedBackend backend = all_backends().back();
  for (const Parts& parts : {Parts{}, kReadingParts, kDrawingParts, kDecoderParts}) {
    const Model base = load(backend, Dtype::q8_0, {}, parts);
    const Model model = load(backend, Dtype::q8_0, adapters, parts);
    const int64_t taken = model.weights().bytes - base.weights().bytes;
    const int64_t between = Buffer::held(Backend::low_rank_bytes(5));  // the highest rank
    const int64_t told = adapter_bytes(config_, adapters, model.backend(), parts);
    EXPECT_EQ(taken > 0, parts.language);
    EXPECT_GE(told, taken + (taken > 0 ? between : 0));
    EXPECT_LE(told, (taken + between) * 103 / 100);  // buffers are told in whole lines
  }
}

TEST_F(LowRankModels, RefuseWhatIsNoLayer) {
  const auto refusal = [&](Code code, const std::vector<Factor>& factors) {
    write_adapter(dir_.path(), factors);
    const ScaledAdapter one{read_adapter(dir_.path()), 1};
    return error_of(code, [&] { check_adapters(config_, {&one, 1}); });
  };
  const std::string table = "base_model.model.model.language_model.embed_tokens";
  expect_has(refusal(Code::not_supported, {factor(table + ".lora_A.weight", {2, 64}, 5),
                                           factor(table + ".lora_B.weight", {640, 2}, 5)}),
             "embed_tokens.weight, which is no linear layer");
  Factor wild = factor(kOnes + ".lora_B.weight", {640, 2}, 5);
  wild.values[7] = std::numeric_limits<float>::infinity();
  expect_has(refusal(Code::bad_checkpoint, {factor(kOnes + ".lora_A.weight", {2, 64}, 5), wild}),
             "not finite");
  expect_has(refusal(Code::bad_checkpoint, {factor(kOnes + ".lora_A.weight", {2, 60}, 5),
                                            factor(kOnes + ".lora_B.weight", {640, 2}, 5)}),
             "lm_head.weight is [640, 64] in this model and [640, 60]");
}

}  // namespace
}  // namespace janus
