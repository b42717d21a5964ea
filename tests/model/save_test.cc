// Checkpoints written and read again: no value changes where the type holds it, names and types are
// those of the convention, and the model computes the same bits whatever it is kept in.
// SPDX-License-Identifier: MIT
#include "model/save.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/quant.h"
#include "io/checkpoint_files.h"
#include "io/gguf.h"
#include "io/temp_dir.h"
#include "model/checkpoint.h"
#include "model/checkpoint_check.h"
#include "model/passes.h"
#include "model/relaid.h"
#include "model/support.h"
#include "model/synthetic.h"

namespace janus {
namespace {

using namespace janus::testing;

// A checkpoint open for writing it elsewhere.
struct Opened {
  Checkpoint checkpoint;
  StoredTensors tensors;
  std::unique_ptr<const TensorSource> source;
  ModelToSave model;

  explicit Opened(const std::filesystem::path& path)
      : checkpoint(path),
        tensors(checkpoint.tensors()),
        source(checkpoint.source()),
        model{.name = checkpoint.title(),
              .config = checkpoint.config(),
              .source = *source,
              .stored = [this](const std::string& name) { return tensors.at(name).dtype; },
              .tokenizer_json = checkpoint.tokenizer_json(),
              .processor = checkpoint.processor(),
              .preview = {},
              .preview_shape = {}} {}
};

void to_gguf(const std::filesystem::path& from, const std::filesystem::path& to,
             std::optional<Dtype> type = {}) {
  const Opened opened(from);
  save_gguf(to, opened.model, {.type = type, .on_progress = {}});
}

void to_directory(const std::filesystem::path& from, const std::filesystem::path& to,
                  Layout layout = Layout::transformers, std::optional<Dtype> type = {}) {
  const Opened opened(from);
  std::filesystem::create_directory(to);
  save_directory(to, layout, opened.model, {.type = type, .on_progress = {}});
}

std::vector<float> values_of(const StoredTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.count()));
  tensor.read_f32(0, values);
  return values;
}

void expect_same_bytes(const std::filesystem::path& one, const std::filesystem::path& other) {
  const StoredTensors a = open_checkpoint_dir(one), b = open_checkpoint_dir(other);
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) {
    ASSERT_TRUE(b.contains(name)) << name;
    EXPECT_EQ(b.at(name).dtype, tensor.dtype) << name;
    EXPECT_EQ(b.at(name).shape, tensor.shape) << name;
    EXPECT_TRUE(std::ranges::equal(b.at(name).data, tensor.data)) << name;
  }
}

class RoundTrip : public ::testing::TestWithParam<Dtype> {};

INSTANTIATE_TEST_SUITE_P(Types, RoundTrip, ::testing::Values(Dtype::f32, Dtype::bf16, Dtype::f16),
                         [](const auto& type) { return std::string(traits(type.param).name); });

// Directory -> .gguf -> directory, between both layouts, without a type said on the way.
TEST_P(RoundTrip, KeepsEveryByte) {
  const TempDir dir;
  to_directory(golden("tiny-hf"), dir / "hf", Layout::transformers, GetParam());
  to_gguf(dir / "hf", dir / "a.gguf");
  to_directory(dir / "a.gguf", dir / "hf2");
  expect_same_bytes(dir / "hf", dir / "hf2");
  to_directory(dir / "hf", dir / "official", Layout::official);
  to_gguf(dir / "official", dir / "b.gguf");
  to_directory(dir / "b.gguf", dir / "official2", Layout::official);
  expect_same_bytes(dir / "official", dir / "official2");
  to_directory(dir / "official", dir / "hf3");
  expect_same_bytes(dir / "hf", dir / "hf3");
}

TEST(Save, SmallFilesComeBack) {
  const TempDir dir;
  to_gguf(golden("tiny-official"), dir / "a.gguf");
  const Checkpoint a(golden("tiny-official")), b(dir / "a.gguf");
  EXPECT_EQ(b.tokenizer_json(), a.tokenizer_json());
  EXPECT_EQ(b.config().preprocessing, a.config().preprocessing);
  EXPECT_EQ(b.config().layout, Layout::gguf);
  EXPECT_EQ(b.parts(), Parts{});
  EXPECT_EQ(b.title(), "tiny-official");
  EXPECT_FALSE(b.preview().has_value());
  to_directory(dir / "a.gguf", dir / "back", Layout::official);
  const Checkpoint c(dir / "back");
  EXPECT_EQ(c.tokenizer_json(), a.tokenizer_json());
  EXPECT_EQ(c.config().layout, Layout::official);
  EXPECT_EQ(c.processor().image_tokens, a.processor().image_tokens);
  EXPECT_EQ(c.processor().system_prompt, a.processor().system_prompt);
}

// What a layout can say besides sizes: prompts, guidance, a rule of preprocessing.
TEST(Save, PromptsAndPreprocessingComeBackFromEachForm) {
  const TempDir dir;
  Opened opened(golden("tiny-hf"));
  opened.model.processor.system_prompt = "Be brief.";
  opened.model.processor.roles = ChatRoles{"User", "Assistant"};
  opened.model.processor.guidance = 2.5f;
  opened.model.processor.edit_layout = EditLayout::janus_4o;
  Preprocessing clip;
  clip.mean = {0.48145466f, 0.4578275f, 0.40821073f};
  clip.deviation = {0.26862954f, 0.26130258f, 0.27577711f};
  clip.fill = {122, 116, 104};
  clip.min_side = 3;
  clip.rescale = 1.0 / 256;
  Preprocessing bare;
  bare.mean = {0, 0, 0};
  bare.deviation = {1, 1, 1};
  for (const Preprocessing& rule : {Preprocessing{}, clip, bare}) {
    opened.model.config.preprocessing = rule;
    save_gguf(dir / "a.gguf", opened.model, {});
    for (const Layout layout : {Layout::transformers, Layout::official}) {
      std::filesystem::remove_all(dir / "d");
      std::filesystem::create_directory(dir / "d");
      save_directory(dir / "d", layout, opened.model, {});
      for (const auto& path : {dir / "a.gguf", dir / "d"}) {
        const Checkpoint back(path);
        EXPECT_EQ(back.config().preprocessing, rule) << path;
        EXPECT_EQ(back.processor().system_prompt, "Be brief.");
        EXPECT_EQ(back.processor().roles, opened.model.processor.roles);
        EXPECT_EQ(back.processor().guidance, 2.5f);
        EXPECT_EQ(back.processor().edit_layout, EditLayout::janus_4o);
      }
    }
  }
}

TEST(Save, Q8StaysWithinHalfAStepAndIsStable) {
  const TempDir dir;
  to_gguf(golden("tiny-hf"), dir / "a.gguf", Dtype::q8_0);
  to_gguf(dir / "a.gguf", dir / "b.gguf");
  to_gguf(dir / "a.gguf", dir / "c.gguf", Dtype::q8_0);
  const StoredTensors a = GgufFile(dir / "a.gguf").tensors();
  for (const char* again : {"b.gguf", "c.gguf"}) {
    for (const auto& [name, tensor] : GgufFile(dir / again).tensors()) {
      EXPECT_TRUE(std::ranges::equal(tensor.data, a.at(name).data)) << again << ' ' << name;
    }
  }
  to_directory(dir / "a.gguf", dir / "back", Layout::transformers, Dtype::f32);
  const StoredTensors before = open_checkpoint_dir(golden("tiny-hf"));
  const StoredTensors after = open_checkpoint_dir(dir / "back");
  int quantised = 0;
  for (const auto& [name, tensor] : before) {
    const std::vector<float> x = values_of(tensor), y = values_of(after.at(name));
    const Dtype type = gguf_type({name, tensor.shape}, Dtype::q8_0, Dtype::f32);
    quantised += type == Dtype::q8_0;
    for (size_t i = 0; i < x.size(); ++i) {
      float largest = 0;
      for (size_t k = i / 32 * 32; k < std::min(x.size(), i / 32 * 32 + 32); ++k) {
        largest = std::max(largest, std::abs(x[k]));
      }
      // bf16 holds the golden values exactly; f16 of the scale moves a value by up to 2⁻¹¹.
      const float bound = type == Dtype::q8_0 ? largest * (0.5f / 127 + 0x1p-11f) : 0;
      ASSERT_LE(std::abs(x[i] - y[i]), bound) << name << ' ' << i;
    }
  }
  EXPECT_EQ(quantised, 2 * 7 + 2 * 6 + 3 + 1);
  // Without a type, what was q8_0 becomes bf16 in a directory.
  to_directory(dir / "a.gguf", dir / "plain");
  for (const auto& [name, tensor] : open_checkpoint_dir(dir / "plain")) {
    EXPECT_EQ(tensor.dtype, Dtype::bf16) << name;
  }
}

TEST(Save, TypesGoByRule) {
  const auto type = [](const char* name, std::vector<int64_t> shape, std::optional<Dtype> wanted,
                       Dtype stored = Dtype::bf16) {
    return gguf_type({name, std::move(shape)}, wanted, stored);
  };
  const auto q8 = Dtype::q8_0, q4 = Dtype::q4_0;
  const char* matrix = "model.language_model.layers.0.mlp.up_proj.weight";
  EXPECT_EQ(type(matrix, {64, 64}, q8), q8);
  EXPECT_EQ(type(matrix, {64, 48}, q8), Dtype::bf16);
  EXPECT_EQ(type(matrix, {64, 48}, q8, Dtype::f16), Dtype::f16);
  EXPECT_EQ(type(matrix, {64, 64}, std::nullopt, Dtype::f16), Dtype::f16);
  EXPECT_EQ(type(matrix, {64, 64}, std::nullopt, q8), q8);
  EXPECT_EQ(type(matrix, {64, 64}, Dtype::f32, q8), Dtype::f32);
  EXPECT_EQ(type("model.vision_model.encoder.layers.0.mlp.fc1.weight", {64, 64}, q8), q8);
  EXPECT_EQ(type("model.generation_aligner.hidden_layers.0.weight", {64, 64}, q8), q8);
  EXPECT_EQ(type(matrix, {64, 64}, q4), q4);
  EXPECT_EQ(type("model.vision_model.encoder.layers.0.mlp.fc1.weight", {64, 64}, q4), q8);
  EXPECT_EQ(type("model.vision_model.encoder.layers.0.mlp.fc1.weight", {64, 64}, {}, q4), q4);
  EXPECT_EQ(type("model.aligner.fc1.weight", {64, 64}, q4), q8);
  EXPECT_EQ(type("lm_head.weight", {64, 64}, q4), q8);
  EXPECT_EQ(type("lm_head.weight", {64, 48}, q4), Dtype::bf16);
  EXPECT_EQ(type("model.generation_head.proj_out.weight", {64, 64}, q4), Dtype::bf16);
  EXPECT_EQ(type(matrix, {256, 256}, {}, Dtype::q4_k), Dtype::q4_k);
  EXPECT_EQ(type(matrix, {256, 256}, {}, Dtype::q6_k), Dtype::q6_k);
  EXPECT_EQ(type("lm_head.weight", {256, 256}, {}, Dtype::q6_k), Dtype::q6_k);
  EXPECT_EQ(type(matrix, {256, 256}, Dtype::q4_k), Dtype::q4_k);
  EXPECT_EQ(type(matrix, {256, 320}, Dtype::q4_k), q8);
  EXPECT_EQ(type(matrix, {256, 48}, Dtype::q6_k), Dtype::bf16);
  EXPECT_EQ(type("lm_head.weight", {256, 256}, Dtype::q4_k), q8);
  EXPECT_EQ(type("lm_head.weight", {256, 256}, Dtype::q4_k_m), Dtype::q6_k);
  EXPECT_EQ(type(matrix, {256, 256}, Dtype::q4_k_m), Dtype::q4_k);
  for (const char* name : {"self_attn.v_proj", "mlp.down_proj"}) {
    for (const int layer : {0, 1, 2, 17, 30}) {
      const std::string whole =
          "model.language_model.layers." + std::to_string(layer) + '.' + name + ".weight";
      EXPECT_EQ(type(whole.c_str(), {256, 256}, Dtype::q4_k_m),
                layer % 2 == 0 ? Dtype::q6_k : Dtype::q4_k)
          << whole;
    }
  }
  EXPECT_EQ(type("model.generation_aligner.fc1.weight", {64, 8}, q8), Dtype::bf16);
  EXPECT_EQ(type("lm_head.weight", {64, 64}, q8), q8);
  EXPECT_EQ(type("lm_head.weight", {64, 64}, {}, q8), q8);
  EXPECT_EQ(type("model.generation_head.proj_out.weight", {64, 64}, q8), Dtype::bf16);
  EXPECT_EQ(type("model.language_model.embed_tokens.weight", {64, 64}, q8), Dtype::bf16);
  EXPECT_EQ(type("model.generation_embeddings.weight", {64, 32}, q8), Dtype::bf16);
  EXPECT_EQ(type("model.vqmodel.decoder.conv_in.weight", {64, 64, 3, 3}, q8), Dtype::bf16);
  EXPECT_EQ(type("model.vision_model.embeddings.patch_embedding.weight", {64, 3, 16, 16}, q8),
            Dtype::bf16);
  for (const std::optional<Dtype> wanted : {std::optional(q8), std::optional(Dtype::bf16), {}}) {
    EXPECT_EQ(type("model.language_model.norm.weight", {64}, wanted), Dtype::f32);
    EXPECT_EQ(type("model.aligner.fc1.bias", {64}, wanted), Dtype::f32);
    EXPECT_EQ(type("model.vision_model.embeddings.position_embedding.weight", {64, 64}, wanted),
              Dtype::f32);
    EXPECT_EQ(type("model.vqmodel.quantize.embedding.weight", {64, 8}, wanted), Dtype::f32);
  }
}

// Everything that a trace shows, from the directory and from the file.
TEST(Save, TheFileComputesTheBitsOfTheDirectory) {
  const TempDir dir;
  const Reference ask(golden("ask.safetensors")), draw(golden("draw.safetensors"));
  const Reference encode(golden("encode.safetensors"));
  std::ifstream codes_file(golden("codes.json"));
  const auto codes = nlohmann::json::parse(codes_file).get<std::vector<int32_t>>();
  for (const char* name : {"tiny-hf", "tiny-official"}) {
    to_gguf(golden(name), dir / "a.gguf");
    const std::shared_ptr<const Backend> backend = open_backend("cpu");
    const Model one = open_model(golden(name), backend),
                other = open_model(dir / "a.gguf", backend);
    EXPECT_EQ(one.weights().fingerprint, other.weights().fingerprint);
    const auto same = [&](const Trace& a, const Trace& b) {
      ASSERT_EQ(a.entries().size(), b.entries().size());
      for (const auto& [tap, entry] : a.entries()) {
        EXPECT_EQ(entry.bytes, b.entries().at(tap).bytes) << name << ' ' << tap;
      }
    };
    same(trace_ask(one, ask, 611), trace_ask(other, ask, 611));
    same(trace_draw(one, draw, codes, 5), trace_draw(other, draw, codes, 5));
    same(trace_encode(one, encode), trace_encode(other, encode));
  }
}

TEST(Save, LargeCheckpointsAreWrittenInShards) {
  const TempDir dir;
  const Opened opened(golden("tiny-hf"));
  std::filesystem::create_directory(dir / "d");
  int64_t last = 0, end = 0;
  save_directory(
      dir / "d", Layout::transformers, opened.model,
      {.type = {}, .shard_bytes = 1'000'000, .on_progress = [&](int64_t done, int64_t of) {
         EXPECT_GT(done, last);
         last = done;
         end = of;
       }});
  EXPECT_EQ(last, end);
  EXPECT_EQ(end, 905547);
  std::ifstream file(dir / "d/model.safetensors.index.json");
  const auto index = nlohmann::json::parse(file);
  EXPECT_EQ(index["metadata"]["total_size"], 905547 * 4);
  std::set<std::string> shards;
  for (const auto& [name, shard] : index["weight_map"].items()) shards.insert(shard);
  EXPECT_EQ(shards.size(), 4u);
  for (const std::string& shard : shards) {
    expect_has(shard, "-of-00004.safetensors");
    EXPECT_LE(std::filesystem::file_size(dir / "d" / shard), 1'100'000u);
  }
  expect_same_bytes(dir / "d", golden("tiny-hf"));
}

// A source with one value of its own.
class Spoilt : public TensorSource {
 public:
  Spoilt(const Config& config, float value) : base_(config, Layout::transformers), value_(value) {}
  std::string name() const override { return "spoilt"; }
  std::map<std::string, std::vector<int64_t>> shapes() const override { return base_.shapes(); }
  void read(const std::string& tensor, int64_t begin, std::span<float> out) const override {
    base_.read(tensor, begin, out);
    if (begin == 0 && tensor.ends_with("layers.1.mlp.down_proj.weight")) out[3] = value_;
  }
  void done(const std::string&, int64_t) const override {}

 private:
  SyntheticSource base_;
  float value_;
};

TEST(Save, ValuesThatATypeCannotHoldAreNamed) {
  const TempDir dir;
  const Opened opened(golden("tiny-hf"));
  const auto save = [&](float value, Dtype type) {
    const Spoilt source(opened.model.config, value);
    const ModelToSave model{.name = "spoilt",
                            .config = opened.model.config,
                            .source = source,
                            .stored = [](const std::string&) { return Dtype::f32; },
                            .tokenizer_json = opened.model.tokenizer_json,
                            .processor = {},
                            .preview = {},
                            .preview_shape = {}};
    save_gguf(dir / "a.gguf", model, {.type = type, .on_progress = {}});
  };
  const auto refusal = [&](float value, Dtype type, Code code) {
    const std::string text = error_of(code, [&] { save(value, type); });
    expect_has(text, "lm.layers.1.mlp.down_proj.weight");
    expect_has(text, "element 3");
    EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
    return text;
  };
  const std::string f16 = refusal(65520, Dtype::f16, Code::bad_input);
  expect_has(f16, "1 number, of 10240, too large for f16; the first, 65520");
  expect_has(f16, "bf16 or f32");
  expect_has(refusal(9e6f, Dtype::q8_0, Code::bad_input), "too large for q8_0");
  expect_has(refusal(3.4e38f, Dtype::bf16, Code::bad_input), "choose a wider type, f32");
  for (const float broken : {NAN, INFINITY, -INFINITY}) {
    expect_has(refusal(broken, Dtype::f32, Code::bad_checkpoint), "damaged");
  }
  save(65519, Dtype::f16);
  save(8e6f, Dtype::q8_0);
  save(3.38e38f, Dtype::bf16);
}

TEST(Save, WhatALayoutCannotHoldIsRefused) {
  const TempDir dir;
  const Opened opened(golden("tiny-hf"));
  const auto save = [&](const std::function<void(Config&)>& change, Layout layout,
                        std::optional<Dtype> type = {}) {
    ModelToSave model = opened.model;
    change(model.config);
    const SyntheticSource source(model.config, Layout::transformers);
    const ModelToSave changed{.name = "x",
                              .config = model.config,
                              .source = source,
                              .stored = [](const std::string&) { return Dtype::bf16; },
                              .tokenizer_json = model.tokenizer_json,
                              .processor = {},
                              .preview = {},
                              .preview_shape = {}};
    save_directory(dir.path(), layout, changed, {.type = type, .on_progress = {}});
  };
  const auto wide_head = [](Config& c) { c.gen_head_width = 96; };
  const auto other_decoder = [](Config& c) { c.vq.decoder_multipliers = {1, 1, 1, 2}; };
  const auto other_eps = [](Config& c) { c.vision.eps = 1e-5f; };
  const auto refused = [&](const auto& change, Layout layout, const char* word) {
    expect_has(error_of(Code::not_supported, [&] { save(change, layout); }), word);
  };
  refused(wide_head, Layout::transformers, "image head");
  refused(other_decoder, Layout::transformers, "decoder");
  refused(other_eps, Layout::official, "epsilon");
  expect_has(
      error_of(Code::not_supported, [&] { save([](Config&) {}, Layout::official, Dtype::q8_0); }),
      "q8_0");
  save(wide_head, Layout::official);
  EXPECT_EQ(load_config(dir.path()).gen_head_width, 96);
  save(other_decoder, Layout::official);
  EXPECT_EQ(load_config(dir.path()).vq.decoder_multipliers, (std::vector<int>{1, 1, 1, 2}));
}

// Every layout of a model holds the numbers of every other.
TEST(Relaid, TensorsOfEachLayoutFromEachOther) {
  const Config config = load_config(golden("tiny-hf"));
  for (const Layout from : {Layout::official, Layout::transformers, Layout::gguf}) {
    for (const Layout to : {Layout::official, Layout::transformers, Layout::gguf}) {
      const SyntheticSource base(config, from), wanted(config, to);
      const RelaidSource relaid(config, base, from, to);
      ASSERT_EQ(relaid.shapes(), wanted.shapes());
      for (const auto& [name, shape] : wanted.shapes()) {
        int64_t count = 1;
        for (const int64_t size : shape) count *= size;
        std::vector<float> a(static_cast<size_t>(count)), b(a.size());
        const auto half = static_cast<size_t>(count / 3);
        relaid.read(name, 0, std::span(a).first(half));
        relaid.read(name, static_cast<int64_t>(half), std::span(a).subspan(half));
        wanted.read(name, 0, b);
        ASSERT_EQ(a, b) << name;
      }
    }
  }
}

}  // namespace
}  // namespace janus
