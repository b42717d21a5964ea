// Weights held in blocks: those of a .gguf are held byte by byte, others as they would be written;
// which have which type; and what a whole pass computes with them, near f32 and the same
// everywhere. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/quant.h"
#include "io/gguf.h"
#include "io/temp_dir.h"
#include "model/checkpoint.h"
#include "model/llama_cpp.h"
#include "model/passes.h"
#include "model/relaid.h"
#include "model/save.h"
#include "model/support.h"
#include "model/synthetic.h"

namespace janus {
namespace {

using namespace janus::testing;

void write(const std::filesystem::path& to, Dtype type) {
  const Checkpoint checkpoint(golden("tiny-hf"));
  const StoredTensors tensors = checkpoint.tensors();
  const auto source = checkpoint.source();
  const ModelToSave model{.name = "tiny",
                          .config = checkpoint.config(),
                          .source = *source,
                          .stored = [&](const std::string& name) { return tensors.at(name).dtype; },
                          .tokenizer_json = checkpoint.tokenizer_json(),
                          .processor = checkpoint.processor(),
                          .preview = {},
                          .preview_shape = {}};
  save_gguf(to, model, {.type = type, .on_progress = {}});
}

bool same_bytes(const Buffer& a, const Buffer& b) {
  return a.bytes() == b.bytes() &&
         std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0;
}

TEST(HeldBlocks, AreTheBytesOfTheFile) {
  const TempDir dir;
  for (const Dtype type : {Dtype::q8_0, Dtype::q4_0}) {
    write(dir / "a.gguf", type);
    const Model model = open_model(dir / "a.gguf", open_backend("ref"), type);
    const StoredTensors tensors = GgufFile(dir / "a.gguf").tensors();
    std::vector<std::byte> bytes;
    for (const char* name : {"gate_proj", "up_proj"}) {
      const auto data = tensors.at("lm.layers.1.mlp." + std::string(name) + ".weight").data;
      bytes.insert(bytes.end(), data.begin(), data.end());
    }
    const Weight& held = model.weights().blocks[1].gate_up;
    EXPECT_EQ(held.dtype, type);
    ASSERT_EQ(held.data.bytes(), std::ssize(bytes));
    EXPECT_EQ(std::memcmp(held.data.data(), bytes.data(), bytes.size()), 0);
  }
}

// They are held without becoming numbers, but what the file is known by is taken of their numbers;
// and a scale that is none is found in the midst of them.
TEST(HeldBlocks, AreLookedAtAndKnownByTheirValues) {
  const TempDir dir;
  for (const Dtype type : {Dtype::q8_0, Dtype::q4_0}) {
    const auto path = dir / "a.gguf";
    write(path, type);
    const uint64_t held = open_model(path, open_backend("cpu", 2), type).weights().fingerprint;
    EXPECT_EQ(held, open_model(path, open_backend("cpu", 2), Dtype::f32).weights().fingerprint);
    const std::string name = "lm.layers.1.mlp.up_proj.weight";
    const GgufFile file(path);
    const auto data = file.tensors().at(name).data;
    const MappedFile whole(path);
    std::string bytes(reinterpret_cast<const char*>(whole.bytes().data()), whole.bytes().size());
    const size_t tensor = bytes.find(std::string(reinterpret_cast<const char*>(data.data()), 256));
    ASSERT_NE(tensor, std::string::npos);
    for (const char* scale : {"\xff\x7f", "\x01\x7c"}) {  // neither is a number
      std::string damaged = bytes;
      damaged.replace(tensor + 40 * static_cast<size_t>(traits(type).bytes), 2, scale, 2);
      write_atomically(path, std::as_bytes(std::span(damaged)));
      try {
        open_model(path, open_backend("cpu", 2), type);
        ADD_FAILURE() << "was taken";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::bad_checkpoint);
        EXPECT_NE(std::string(error.what()).find(name + " holds 0 infinite numbers and 32"),
                  std::string::npos)
            << error.what();
        EXPECT_NE(std::string(error.what()).find("element 1280"), std::string::npos);
      }
    }
  }
}

// From a directory: as if it had been written and read. Every level has a packing of its own.
TEST(HeldBlocks, AreThoseThatConvertWrites) {
  const TempDir dir;
  for (const Dtype type : {Dtype::q8_0, Dtype::q4_0}) {
    write(dir / "a.gguf", type);
    for (const char* backend : {"ref", "cpu"}) {
      const std::shared_ptr<const Backend> one = open_backend(backend);
      const Model file = open_model(dir / "a.gguf", one, type);
      const Model directory = open_model(golden("tiny-hf"), one, type);
      for (size_t i = 0; i < file.weights().blocks.size(); ++i) {
        const LlamaBlock& a = file.weights().blocks[i];
        const LlamaBlock& b = directory.weights().blocks[i];
        EXPECT_TRUE(same_bytes(a.qkv.data, b.qkv.data) && same_bytes(a.out.data, b.out.data) &&
                    same_bytes(a.gate_up.data, b.gate_up.data) &&
                    same_bytes(a.down.data, b.down.data));
      }
    }
  }
}

TEST(HeldBlocks, GoByRule) {
  const Model model = open_model(golden("tiny-hf"), open_backend("cpu"), Dtype::q4_0);
  const Weights& w = model.weights();
  EXPECT_EQ(w.blocks[0].qkv.dtype, Dtype::q4_0);
  EXPECT_EQ(w.blocks[0].down.dtype, Dtype::q4_0);
  EXPECT_EQ(w.vision_blocks[0].fc1.dtype, Dtype::q8_0);
  EXPECT_EQ(w.aligner[0].dtype, Dtype::q8_0);
  EXPECT_EQ(w.gen_aligner[0].dtype, Dtype::bf16);  // rows of 8
  EXPECT_EQ(w.gen_aligner[1].dtype, Dtype::q8_0);
  EXPECT_EQ(w.text_head.dtype, Dtype::q8_0);
  EXPECT_EQ(w.gen_hidden.dtype, Dtype::bf16);
  EXPECT_EQ(w.gen_logits.dtype, Dtype::bf16);
  EXPECT_EQ(w.embed_text.rows.view.dtype, Dtype::bf16);
  EXPECT_EQ(w.decoder.conv_in.weight.dtype, Dtype::bf16);
  EXPECT_EQ(w.decoder.middle.attention.qkv.dtype, Dtype::bf16);
  EXPECT_EQ(w.codebook.view.dtype, Dtype::f32);
}

double relative_error(const std::vector<float>& got, const std::vector<float>& wanted) {
  double error = 0, power = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    error += std::pow(static_cast<double>(got[i]) - static_cast<double>(wanted[i]), 2);
    power += std::pow(static_cast<double>(wanted[i]), 2);
  }
  return std::sqrt(error / power);
}

// Logits of the reference's own pass. A product of q8_0 is wrong by some half a percent of its
// size, some thirty follow each other: √30 · 0.5 % and as much again; q4_0 has steps 16 times as
// wide on the side of the weights. On `cpu` only norms and attention differ from `ref`.
TEST(HeldBlocks, ComputeNearF32) {
  const Reference reference(golden("ask.safetensors"));
  const std::vector<float> wanted = reference.values("logits");
  const auto error = [&](const char* backend, Dtype type) {
    const Model model = open_model(golden("tiny-hf"), open_backend(backend), type);
    const Trace trace = trace_ask(model, reference, 611);
    const auto& bytes = trace.entries().at("logits").bytes;
    std::vector<float> got(bytes.size() / sizeof(float));
    std::memcpy(got.data(), bytes.data(), bytes.size());
    return relative_error(got, wanted);
  };
  const double q8 = error("cpu", Dtype::q8_0), q4 = error("cpu", Dtype::q4_0);
  EXPECT_LT(q8, 0.055);
  EXPECT_LT(q4, 0.5);
  EXPECT_GT(q4, 2 * q8);
  EXPECT_NEAR(error("ref", Dtype::q8_0), q8, 0.2 * q8);
  EXPECT_NEAR(error("ref", Dtype::q4_0), q4, 0.2 * q4);
}

// Rows exchanged as llama.cpp exchanges them, and tensors made of stretches of others.
TEST(HeldBlocks, ComeThroughOtherLayouts) {
  const Config config = load_config(golden("tiny-hf"));
  std::vector<float> values(64 * 64);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 977) - 400;
  std::vector<std::byte> bytes(static_cast<size_t>(bytes_of(Dtype::q4_0, 64 * 64)));
  encode(Dtype::q4_0, values, bytes);
  const auto file = std::make_shared<MappedFile>(golden("tiny-hf") / "model.safetensors");
  const auto stored = [&] {
    return StoredTensor{
        .dtype = Dtype::q4_0, .shape = {64, 64}, .strides = {64, 1}, .data = bytes, .file = file};
  };
  const std::string name = "blk.0.attn_q.weight";
  const UnpermutedSource source(
      config.llama, std::make_unique<StoredSource>("file", StoredTensors{{name, stored()}}));
  std::vector<std::byte> row(36), part(72);
  std::vector<float> expected(64), got(64);
  for (int64_t r = 0; r < 64; ++r) {
    source.read(name, r * 64, expected);
    source.read_blocks(name, r * 64, row);
    decode(Dtype::q4_0, row, 0, got);
    EXPECT_EQ(got, expected) << r;
    if (r > 61) continue;
    source.read_blocks(name, r * 64 + 32, part);  // half a row, a row, half a row
    EXPECT_TRUE(std::equal(part.begin(), part.begin() + 18, row.begin() + 18)) << r;
  }
  EXPECT_THROW(source.read_blocks(name, 16, row), Error);
  EXPECT_THROW(source.read_blocks(name, 64 * 64 - 32, row), Error);
  EXPECT_THROW(SyntheticSource(config, Layout::transformers).read_blocks(name, 0, row), Error);

  StoredTensors three;
  for (const char* one : {"q", "k", "v"}) {
    three["model.vision_model.encoder.layers.0.self_attn." + std::string(one) + "_proj.weight"] =
        stored();
  }
  const StoredSource apart("file", three);
  const RelaidSource joined(config, apart, Layout::transformers, Layout::official);
  const std::string qkv = "vision_model.vision_tower.blocks.0.attn.qkv.weight";
  EXPECT_EQ(joined.stored(qkv), Dtype::q4_0);
  std::vector<std::byte> all(3 * bytes.size());
  joined.read_blocks(qkv, 0, all);
  for (size_t i = 0; i < 3; ++i) {
    const auto begin = all.begin() + static_cast<int64_t>(i * bytes.size());
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), begin)) << i;
  }
}

}  // namespace
}  // namespace janus
