// llama.cpp's pair, written here by its rules: the half that reads, with the bits of the checkpoint
// it was made from; and every way in which two files are no such pair. tests/parity/gguf.py writes
// pairs with the format's own package. SPDX-License-Identifier: MIT
#include "model/llama_cpp.h"

#include <gtest/gtest.h>

#include "base/quant.h"
#include "io/gguf_tokenizer.h"
#include "io/temp_dir.h"
#include "model/gguf_names.h"
#include "model/passes.h"
#include "model/support.h"
#include "model/synthetic.h"
#include "model/weight_names.h"

namespace janus {
namespace {

using namespace janus::testing;

struct Changes {
  std::string architecture = "llama", projector = "janus_pro";
  int64_t projection = 64, experts = 0;
  bool gelu = true, head = true, tokens = true;
  Dtype type = Dtype::f32;
};

class Pair : public ::testing::Test {
 protected:
  Pair() : config_(load_config(golden("tiny-hf"))) {
    config_.llama.kv_heads = 2;  // so that q and k differ in heads
    config_.layout = Layout::transformers;
  }

  // Rows as LlamaModel.permute puts them: reshape(heads, 2, H/2, …), axes 1 and 2 exchanged.
  std::vector<float> permuted(const std::vector<float>& values, int64_t heads) const {
    const int64_t width = config_.llama.width, h = std::ssize(values) / width / heads;
    std::vector<float> out;
    for (int64_t head = 0; head < heads; ++head) {
      for (int64_t j = 0; j < h / 2; ++j) {
        for (int64_t s = 0; s < 2; ++s) {
          const auto row = values.begin() + ((head * 2 + s) * (h / 2) + j) * width;
          out.insert(out.end(), row, row + width);
        }
      }
    }
    return out;
  }

  TensorEntry entry(const TensorSpec& tensor, const std::string& name, Dtype type) const {
    const SyntheticSource source(config_, Layout::transformers);
    std::vector<float> values(static_cast<size_t>(tensor.count()));
    source.read(tensor.name, 0, values);
    const bool language = tensor.name.starts_with("model.language_model.");
    if (language && tensor.name.find("q_proj") != std::string::npos) {
      values = permuted(values, config_.llama.heads);
    }
    if (language && tensor.name.find("k_proj") != std::string::npos) {
      values = permuted(values, config_.llama.kv_heads);
    }
    if (tensor.shape.size() != 2) type = Dtype::f32;
    return {name, type, tensor.shape, [values, type](const auto& sink) {
              std::vector<std::byte> bytes(static_cast<size_t>(bytes_of(type, std::ssize(values))));
              encode(type, values, bytes);
              sink(bytes);
            }};
  }

  void write(const Changes& changes = {}) const {
    std::vector<TensorEntry> language, vision;
    for (const TensorSpec& tensor : list_tensors(config_, Layout::transformers, kReadingParts)) {
      const std::string name = llama_cpp_name(tensor.name);
      const bool seeing = name.starts_with("v.") || name.starts_with("mm.");
      if (name == "output.weight" && !changes.head) continue;
      (seeing ? vision : language).push_back(entry(tensor, name, changes.type));
    }
    const LlamaConfig& llama = config_.llama;
    GgufMetadata text;
    text.text("general.architecture", changes.architecture);
    text.whole("llama.block_count", llama.layers);
    text.whole("llama.context_length", llama.context);
    text.whole("llama.embedding_length", llama.width);
    text.whole("llama.feed_forward_length", llama.mlp_width);
    text.whole("llama.attention.head_count", llama.heads);
    text.whole("llama.attention.head_count_kv", llama.kv_heads);
    text.number("llama.attention.layer_norm_rms_epsilon", 1e-6f);
    text.number("llama.rope.freq_base", 10000);
    text.whole("llama.rope.dimension_count", llama.head_width);
    if (changes.experts > 0) text.whole("llama.expert_count", changes.experts);
    if (changes.tokens) {
      add_tokenizer(text, Checkpoint(golden("tiny-hf")).tokenizer_json(), "t", llama.vocabulary);
    }
    write_gguf(dir_ / "tiny.gguf", text, language);
    const VisionConfig& eyes = config_.vision;
    GgufMetadata clip;
    clip.text("general.architecture", "clip");
    clip.text("clip.projector_type", changes.projector);
    clip.flag("clip.use_gelu", changes.gelu);
    clip.whole("clip.vision.projection_dim", changes.projection);
    clip.whole("clip.vision.image_size", eyes.image);
    clip.whole("clip.vision.patch_size", eyes.patch);
    clip.whole("clip.vision.embedding_length", eyes.width);
    clip.whole("clip.vision.feed_forward_length", eyes.mlp_width);
    clip.whole("clip.vision.block_count", eyes.layers);
    clip.whole("clip.vision.attention.head_count", eyes.heads);
    clip.number("clip.vision.attention.layer_norm_epsilon", 1e-6f);
    clip.numbers("clip.vision.image_mean", std::vector<float>(3, 0.5f));
    clip.numbers("clip.vision.image_std", std::vector<float>(3, 0.5f));
    write_gguf(dir_ / "mmproj-tiny.gguf", clip, vision);
  }

  std::string refusal(Code code, const Changes& changes) {
    write(changes);
    return error_of(code, [&] { load(Checkpoint(dir_ / "tiny.gguf")); });
  }

  static Model load(const Checkpoint& checkpoint) {
    LoadOptions options;
    options.backend = open_backend("ref");
    options.weights = Dtype::f32;
    options.parts = kReadingParts;
    return Model::load(checkpoint, options);
  }

  Config config_;
  TempDir dir_;
};

TEST_F(Pair, ReadsWithTheBitsOfTheCheckpoint) {
  write();
  const Checkpoint checkpoint(dir_ / "tiny.gguf");
  EXPECT_EQ(checkpoint.parts(), kReadingParts);
  EXPECT_EQ(checkpoint.config().layout, Layout::llama_cpp);
  EXPECT_EQ(checkpoint.config().preprocessing, Preprocessing{});
  LoadOptions options;
  options.backend = open_backend("ref");
  options.weights = Dtype::f32;
  options.parts = kReadingParts;
  const Model one = load(checkpoint);
  const Model other = Model::from(config_, SyntheticSource(config_, Layout::transformers), options);
  EXPECT_EQ(one.weights().fingerprint, other.weights().fingerprint);
  const Reference reference(golden("ask.safetensors"));
  const Trace a = trace_ask(one, reference, 611), b = trace_ask(other, reference, 611);
  for (const auto& [tap, entry] : a.entries()) {
    EXPECT_EQ(entry.bytes, b.entries().at(tap).bytes) << tap;
  }
}

TEST_F(Pair, MayBeNamedAndMayBeQuantised) {
  write({.type = Dtype::q8_0});
  std::filesystem::create_directory(dir_ / "elsewhere");
  std::filesystem::rename(dir_ / "mmproj-tiny.gguf", dir_ / "elsewhere/eyes.gguf");
  const Checkpoint checkpoint(dir_ / "tiny.gguf", dir_ / "elsewhere/eyes.gguf");
  const Model model = load(checkpoint);
  EXPECT_TRUE(model.parts().reads());
  expect_has(error_of(Code::bad_input, [&] { Checkpoint(dir_ / "tiny.gguf"); }), "--mmproj");
  expect_has(error_of(Code::bad_input, [&] { Checkpoint(dir_ / "tiny.gguf", dir_ / "tiny.gguf"); }),
             "wants the vision file");
  expect_has(error_of(Code::bad_input, [&] { Checkpoint(dir_ / "elsewhere/eyes.gguf"); }),
             "name the language file with -m");
}

TEST_F(Pair, DoesNotDraw) {
  write();
  const Checkpoint checkpoint(dir_ / "tiny.gguf");
  EXPECT_NO_THROW(checkpoint.require(kReadingParts));
  for (const Parts& parts : {Parts{}, kDrawingParts, kDecoderParts}) {
    const std::string text = error_of(Code::not_supported, [&] { checkpoint.require(parts); });
    expect_has(text, "the half that reads");
    expect_has(text, "januspro convert");
  }
}

TEST_F(Pair, SeveralVisionFilesMustBeNamed) {
  write();
  std::filesystem::copy_file(dir_ / "mmproj-tiny.gguf", dir_ / "mmproj-other.gguf");
  expect_has(error_of(Code::bad_input, [&] { Checkpoint(dir_ / "tiny.gguf"); }),
             "mmproj-other.gguf and mmproj-tiny.gguf");
}

TEST_F(Pair, OthersAreRefusedByName) {
  expect_has(refusal(Code::not_supported, {.projector = "mlp"}), "LLaVA");
  expect_has(refusal(Code::not_supported, {.projector = "qwen2vl_merger"}), "Qwen2-VL");
  expect_has(refusal(Code::not_supported, {.tokens = false}), "plain LLaMA");
  expect_has(refusal(Code::not_supported, {.experts = 8}), "llama.expert_count");
  expect_has(refusal(Code::not_supported, {.gelu = false}), "clip.use_gelu");
  expect_has(refusal(Code::bad_checkpoint, {.projection = 128}), "clip.vision.projection_dim");
  const std::string head = refusal(Code::bad_checkpoint, {.head = false});
  expect_has(head, "output.weight [640, 64]");
  expect_has(head, "never taken from the embeddings");
}

TEST_F(Pair, FilesOfDifferentModelsDoNotFit) {
  config_.aligner_depth = 3;
  write();
  EXPECT_EQ(Checkpoint(dir_ / "tiny.gguf").config().aligner_depth, 3);
  EXPECT_NO_THROW(load(Checkpoint(dir_ / "tiny.gguf")));
  config_.llama.width = 128;
  config_.llama.head_width = 32;
  write({.projection = 64});
  expect_has(error_of(Code::bad_checkpoint, [&] { load(Checkpoint(dir_ / "tiny.gguf")); }),
             "must be equal");
}

}  // namespace
}  // namespace janus
