// Types with runs, q4_k and q6_k, and the mix of both: which matrix has which, in memory, in a
// .gguf, and in one that lies as a backend packs it. A model wide enough for whole blocks of 256.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstring>

#include "io/temp_dir.h"
#include "model/checkpoint.h"
#include "model/footprint.h"
#include "model/save.h"
#include "model/support.h"
#include "model/synthetic.h"

namespace janus {
namespace {

using namespace janus::testing;

namespace fs = std::filesystem;

constexpr Dtype kTypes[] = {Dtype::q4_k, Dtype::q6_k, Dtype::q4_k_m};

Config wide() {
  Config config = load_config(golden("tiny-hf"));
  config.llama.width = 256;
  config.llama.heads = 4;
  config.llama.kv_heads = 2;
  config.llama.head_width = 64;
  config.llama.mlp_width = 512;
  config.llama.layers = 3;
  return config;
}

void write(const fs::path& to, Dtype type, const Backend* packing = nullptr) {
  const Checkpoint tiny(golden("tiny-hf"));
  const SyntheticSource source(wide(), Layout::transformers);
  const ModelToSave model{.name = "wide",
                          .config = wide(),
                          .source = source,
                          .stored = [](const std::string&) { return Dtype::f32; },
                          .tokenizer_json = tiny.tokenizer_json(),
                          .processor = tiny.processor(),
                          .preview = {},
                          .preview_shape = {}};
  save_gguf(to, model, {.type = type, .packing = packing, .on_progress = {}});
}

Model from_rule(std::shared_ptr<const Backend> backend, Dtype type) {
  LoadOptions options;
  options.backend = std::move(backend);
  options.weights = type;
  return Model::from(wide(), SyntheticSource(wide(), Layout::transformers), options);
}

bool same_bytes(const Buffer& a, const Buffer& b) {
  return a.bytes() == b.bytes() &&
         std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0;
}

void expect_same(const Weight& a, const Weight& b, const std::string& what) {
  EXPECT_EQ(a.dtype, b.dtype) << what;
  EXPECT_TRUE(same_bytes(a.data, b.data)) << what;
  ASSERT_EQ(a.behind.size(), b.behind.size()) << what;
  for (size_t i = 0; i < a.behind.size(); ++i) expect_same(a.behind[i], b.behind[i], what);
}

void expect_same(const Model& a, const Model& b, const std::string& what) {
  for (size_t i = 0; i < a.weights().blocks.size(); ++i) {
    const LlamaBlock &one = a.weights().blocks[i], &other = b.weights().blocks[i];
    const std::string where = what + ", layer " + std::to_string(i);
    expect_same(one.qkv, other.qkv, where + " qkv");
    expect_same(one.out, other.out, where + " out");
    expect_same(one.gate_up, other.gate_up, where + " gate_up");
    expect_same(one.down, other.down, where + " down");
  }
  expect_same(a.weights().text_head, b.weights().text_head, what + " head");
}

TEST(Mix, GoesByRule) {
  const Model model = from_rule(open_backend("ref"), Dtype::q4_k_m);
  const Weights& w = model.weights();
  for (size_t i = 0; i < 3; ++i) {
    const LlamaBlock& block = w.blocks[i];
    const bool even = i % 2 == 0;
    EXPECT_EQ(block.qkv.dtype, Dtype::q4_k);
    EXPECT_EQ(block.qkv.outputs, even ? 6 * 64 : 8 * 64);  // q and k, or v too
    ASSERT_EQ(block.qkv.behind.size(), even ? 1u : 0u);
    if (even) {
      EXPECT_EQ(block.qkv.behind[0].dtype, Dtype::q6_k);
      EXPECT_EQ(block.qkv.behind[0].outputs, 2 * 64);
    }
    EXPECT_EQ(block.qkv.all_outputs(), 8 * 64);
    EXPECT_EQ(block.out.dtype, Dtype::q4_k);
    EXPECT_EQ(block.gate_up.dtype, Dtype::q4_k);
    EXPECT_EQ(block.down.dtype, even ? Dtype::q6_k : Dtype::q4_k);
  }
  EXPECT_EQ(w.text_head.dtype, Dtype::q6_k);
  EXPECT_EQ(w.vision_blocks[0].fc1.dtype, Dtype::q8_0);
  EXPECT_EQ(w.gen_logits.dtype, Dtype::bf16);
}

TEST(Mix, TypesOfRunsGoByRule) {
  for (const Dtype type : {Dtype::q4_k, Dtype::q6_k}) {
    const Model model = from_rule(open_backend("ref"), type);
    EXPECT_EQ(model.weights().blocks[0].qkv.dtype, type);
    EXPECT_TRUE(model.weights().blocks[0].qkv.behind.empty());
    EXPECT_EQ(model.weights().text_head.dtype, Dtype::q8_0);
  }
  // Rows of 64 are no whole blocks.
  const Model narrow = open_model(golden("tiny-hf"), open_backend("ref"), Dtype::q4_k_m);
  EXPECT_EQ(narrow.weights().blocks[0].qkv.dtype, Dtype::q8_0);
  EXPECT_EQ(narrow.weights().text_head.dtype, Dtype::q8_0);
}

// Written and read is as it would have been made; and once packed, it lies in the file so.
TEST(Mix, ComesThroughFiles) {
  const TempDir dir;
  const std::shared_ptr<const Backend> cpu = open_backend("cpu", 2), ref = open_backend("ref");
  for (const Dtype type : kTypes) {
    const std::string name(traits(type).name);
    write(dir / "plain.gguf", type);
    write(dir / "packed.gguf", type, cpu.get());
    for (const auto& backend : {cpu, ref}) {
      const Model made = from_rule(backend, type);
      const Model plain = open_model(dir / "plain.gguf", backend, type);
      const Model packed = open_model(dir / "packed.gguf", backend, type);
      expect_same(plain, made, name + " plain");
      expect_same(packed, made, name + " packed");
      EXPECT_EQ(plain.weights().fingerprint, packed.weights().fingerprint);
      const Weight& qkv = packed.weights().blocks[0].qkv;
      EXPECT_EQ(qkv.data.lent(), backend == cpu);
      for (const Weight& part : qkv.behind) EXPECT_EQ(part.data.lent(), backend == cpu);
      const auto source = Checkpoint(dir / "packed.gguf").source();
      const ModelBytes told = model_bytes(packed.config(), *backend, type, {}, source.get());
      EXPECT_EQ(told.mapped, packed.weights().mapped_bytes);
      EXPECT_GE(told.all, packed.weights().bytes);
    }
  }
}

// A mix of others is held as it is, and told so; its numbers are not made again.
TEST(Mix, KeepsWhatIsStored) {
  const TempDir dir;
  const std::shared_ptr<const Backend> ref = open_backend("ref");
  for (const Dtype type : {Dtype::q4_k, Dtype::q6_k}) {
    write(dir / "a.gguf", type);
    const Model model = open_model(dir / "a.gguf", ref, Dtype::q4_k_m);
    const Model as_it_is = open_model(dir / "a.gguf", ref, type);
    for (size_t i = 0; i < 3; ++i) {
      const LlamaBlock &one = model.weights().blocks[i], &other = as_it_is.weights().blocks[i];
      expect_same(one.qkv, other.qkv, "qkv");
      expect_same(one.down, other.down, "down");
    }
    const auto source = Checkpoint(dir / "a.gguf").source();
    const int64_t tables = 2 * 4 * model.config().llama.context * 64 / 2;  // of the rotation
    const int64_t bytes = model.weights().bytes + tables;
    const int64_t told = model_bytes(model.config(), *ref, Dtype::q4_k_m, {}, source.get()).all;
    EXPECT_GE(told, bytes);
    EXPECT_LE(told, bytes * 101 / 100);
  }
}

}  // namespace
}  // namespace janus
