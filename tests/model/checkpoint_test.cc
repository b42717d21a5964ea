// The one door to a model: what it opens, what it refuses and by which name, metadata that is
// damaged, and models of which only parts are loaded. SPDX-License-Identifier: MIT
#include "model/checkpoint.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "io/gguf_tokenizer.h"
#include "io/temp_dir.h"
#include "model/config_files.h"
#include "model/config_gguf.h"
#include "model/gguf_names.h"
#include "model/support.h"
#include "model/synthetic.h"
#include "model/weight_names.h"

namespace janus {
namespace {

using namespace janus::testing;

class Door : public ::testing::Test {
 protected:
  // A .gguf of metadata alone.
  std::filesystem::path file(const GgufMetadata& metadata, const std::string& name = "x.gguf") {
    write_gguf(dir_ / name, metadata, {});
    return dir_ / name;
  }
  std::filesystem::path of_architecture(const std::string& name) {
    GgufMetadata metadata;
    metadata.text("general.architecture", name);
    return file(metadata);
  }
  static std::string refusal(Code code, const std::filesystem::path& path,
                             const std::filesystem::path& mmproj = {}) {
    return error_of(code, [&] { Checkpoint(path, mmproj).config(); });
  }
  TempDir dir_;
};

TEST_F(Door, OpensDirectories) {
  const Checkpoint hf(golden("tiny-hf")), official(golden("tiny-official"));
  EXPECT_EQ(hf.config().layout, Layout::transformers);
  EXPECT_EQ(official.config().layout, Layout::official);
  EXPECT_EQ(hf.parts(), Parts{});
  EXPECT_FALSE(hf.preview().has_value());
  EXPECT_NO_THROW(hf.require({}));
}

TEST_F(Door, SaysWhatIsNotThere) {
  expect_has(refusal(Code::bad_input, dir_ / "absent"), "no checkpoint at");
  expect_has(refusal(Code::bad_checkpoint, dir_.path()), "config.json: no such file");
  expect_has(refusal(Code::bad_input, dir_.write("a.bin", "PK\3\4")), "is not a .gguf");
  expect_has(refusal(Code::bad_checkpoint,
                     dir_.write("b.gguf", "version https://git-lfs.github.com/spec/v1\n")),
             "git lfs pull");
  expect_has(refusal(Code::bad_input, golden("tiny-hf"), dir_ / "m.gguf"), "leave --mmproj out");
  file({});
  expect_has(refusal(Code::bad_input, dir_.path()), "name the file itself");
}

TEST_F(Door, RefusesStrangersByName) {
  const auto cure = [&](const std::string& text, const char* name) {
    expect_has(text, name);
    expect_has(text, "deepseek-ai/Janus-Pro-1B");
  };
  for (const auto& [type, name] : {std::pair{"llava", "LLaVA"},
                                   {"qwen2_vl", "Qwen2-VL"},
                                   {"qwen2_5_vl", "Qwen2.5-VL"},
                                   {"qwen3_vl_moe", "Qwen3-VL"},
                                   {"llama", "plain LLaMA language model"},
                                   {"deepseek_vl_v2", "DeepSeek-VL"},
                                   {"chameleon", "Chameleon"},
                                   {"something", "another model"}}) {
    dir_.write("config.json", nlohmann::json{{"model_type", type}}.dump());
    cure(refusal(Code::not_supported, dir_.path()), name);
  }
  dir_.write("config.json", R"({"model_type": "multi_modality", "vision_gen_enc_config": {}})");
  cure(refusal(Code::not_supported, dir_.path()), "JanusFlow");
  dir_.write("config.json",
             R"({"model_type": "multi_modality", "vision_config": {}, "aligner_config": {}})");
  cure(refusal(Code::not_supported, dir_.path()), "DeepSeek-VL");
  std::filesystem::remove(dir_ / "config.json");
  dir_.write("model_index.json", "{}");
  cure(refusal(Code::not_supported, dir_.path()), "Stable Diffusion");
  for (const auto& [architecture, name] : {std::pair{"qwen2vl", "Qwen2-VL"},
                                           {"gemma3", "Gemma"},
                                           {"sd1", "Stable Diffusion"},
                                           {"clip", "vision tower"},
                                           {"llama", "plain LLaMA language model"},
                                           {"", "another model"}}) {
    cure(refusal(Code::not_supported, of_architecture(architecture)), name);
  }
}

// --- metadata ----------------------------------------------------------------------------------

Config variant() {
  Config config = load_config(golden("tiny-hf"));
  config.llama.rope_theta = 12345.678901234;
  config.llama.rms_eps = 3e-5f;
  config.llama.kv_heads = 2;
  config.vision.eps = 2e-6f;
  config.vq.decoder_multipliers = {1, 1, 2, 2};
  config.vq.groups = 16;
  config.gen_head_width = 80;
  config.aligner_depth = 3;
  config.gen_aligner_depth = 1;
  config.preprocessing.min_side = 5;
  config.preprocessing.rescale = 1.0 / 77;
  return config;
}

TEST_F(Door, EverySizeComesBackFromMetadata) {
  const Config config = variant();
  GgufMetadata metadata;
  metadata.text("general.architecture", "janus");
  add_config(metadata, config, {});
  const Config back = Checkpoint(file(metadata)).config();
  EXPECT_EQ(back.layout, Layout::gguf);
  EXPECT_EQ(back.llama.rope_theta, config.llama.rope_theta);
  EXPECT_EQ(back.llama.rms_eps, config.llama.rms_eps);
  EXPECT_EQ(back.vision.eps, config.vision.eps);
  EXPECT_EQ(back.vq.eps, config.vq.eps);
  EXPECT_EQ(back.preprocessing, config.preprocessing);
  EXPECT_EQ(back.image, config.image);
  // All others are sizes of some tensor, or stand in the official config.json.
  const auto shapes = [](const Config& c) { return SyntheticSource(c, Layout::gguf).shapes(); };
  EXPECT_EQ(shapes(back), shapes(config));
  const Tokenizer tokenizer = Tokenizer::parse(Checkpoint(golden("tiny-hf")).tokenizer_json(), "t");
  const auto json = [&](Config c) {
    c.vision.eps = VisionConfig{}.eps;
    return config_files(c, Layout::official, {}, &tokenizer, Dtype::f32).at("config.json");
  };
  EXPECT_EQ(json(back), json(config));
}

TEST_F(Door, NamesOfTensorsAreShort) {
  Config config = load_config(golden("tiny-hf"));
  config.llama.layers = config.vision.layers = 1 << 10;
  for (const TensorSpec& tensor : list_tensors(config, Layout::gguf)) {
    ASSERT_LE(tensor.name.size(), 63u) << tensor.name;
  }
}

// A copy of good metadata in which one key has another value, or none.
class BadMetadata : public Door {
 protected:
  std::string refusal_with(const std::string& key, std::optional<int64_t> value,
                           Code code = Code::bad_checkpoint) {
    GgufMetadata good;
    add_config(good, load_config(golden("tiny-hf")), {});
    const GgufFile source(file(good, "good.gguf"));
    GgufMetadata bad;
    bad.text("general.architecture", "janus");
    copy(source.section("janus"), "janus", key, bad);
    if (value) bad.whole(key, *value);
    return refusal(code, file(bad));
  }

 private:
  static void copy(const nlohmann::json& object, const std::string& prefix,
                   const std::string& except, GgufMetadata& to) {
    for (const auto& [name, value] : object.items()) {
      const std::string key = prefix + "." + name;
      if (key == except) continue;
      if (value.is_object()) copy(value, key, except, to);
      if (value.is_number_integer()) to.whole(key, value.get<int64_t>());
      if (value.is_number_float()) to.number(key, value.get<double>());
      if (value.is_array() && value[0].is_number_integer()) {
        to.wholes(key, value.get<std::vector<int>>());
      }
    }
  }
};

TEST_F(BadMetadata, IsNamedByItsKey) {
  for (const char* key :
       {"janus.embedding_length", "janus.block_count", "janus.attention.head_count",
        "janus.vocab_size", "janus.vision.patch_size", "janus.vision.attention.head_count",
        "janus.vq.code_count", "janus.vq.residual_block_count"}) {
    expect_has(refusal_with(key, std::nullopt), std::string(key) + " is missing");
    expect_has(refusal_with(key, 0), std::string(key) + " is 0");
    expect_has(refusal_with(key, int64_t{1} << 40), std::string(key) + " is 1099511627776");
  }
  expect_has(refusal_with("janus.attention.head_count_kv", 3), "janus.attention.head_count_kv 3");
  expect_has(refusal_with("janus.attention.value_length", 8), "janus.attention.value_length is 8");
  expect_has(refusal_with("janus.rope.dimension_count", 8), "janus.rope.dimension_count is 8");
  expect_has(refusal_with("janus.generation.image_size", 128),
             "janus.generation.image_size is 128");
  expect_has(refusal_with("janus.vq.base_channels", 40), "group_count");
  expect_has(refusal_with("janus.convention", 2, Code::not_supported), "take a newer januspro");
  expect_has(refusal_with("janus.expert_count", 8, Code::not_supported), "janus.expert_count");
}

// --- parts -------------------------------------------------------------------------------------

class SomeParts : public ::testing::Test {
 protected:
  static Model load(const Parts& parts) {
    LoadOptions options;
    options.backend = open_backend("ref");
    options.weights = Dtype::f32;
    options.parts = parts;
    return Model::load(Checkpoint(golden("tiny-hf")), options);
  }
  static void expect_refused(const std::function<void()>& call, const char* part) {
    expect_has(error_of(Code::bad_input, call), std::string("without its ") + part);
  }
};

TEST_F(SomeParts, ReadingAloneReadsTheSame) {
  const Model model = load(kReadingParts), all = load({});
  EXPECT_TRUE(model.parts().reads());
  EXPECT_FALSE(model.parts().draws());
  EXPECT_LT(model.weights().bytes, all.weights().bytes / 3);
  const std::vector<int32_t> ids = {1, 2, 3};
  const auto logits = [&](const Model& m) {
    Workspace space;
    KvCache cache = cache_for(m, 1, 8);
    Values x({3, 64}), out({3, 640});
    m.embed_text(ids, x.view);
    run_rows(m, cache, cache.add(), space, x.view);
    m.text_logits(x.view, out.view);
    return out.data;
  };
  EXPECT_EQ(logits(model), logits(all));
  Workspace space;
  Values x({3, 64}), codes({3, 256}), pixels({1, 64, 64, 3});
  std::vector<int32_t> picture(64);
  expect_refused([&] { model.embed_codes(ids, space, x.view); }, "drawing half");
  expect_refused([&] { model.image_logits(x.view, space, codes.view); }, "drawing half");
  expect_refused([&] { model.decode_image(picture, space, pixels.view); }, "codec's decoder");
  expect_refused([&] { model.encode_image(pixels.view, space, picture); }, "codec's encoder");
}

TEST_F(SomeParts, DrawingAloneDrawsTheSame) {
  const Model model = load(kDrawingParts), all = load({});
  EXPECT_TRUE(model.parts().draws());
  EXPECT_FALSE(model.parts().reads());
  Workspace space;
  const std::vector<int32_t> picture(64, 7);
  Values a({1, 64, 64, 3}), b({1, 64, 64, 3}), x({3, 64}), text({3, 640});
  model.decode_image(picture, space, a.view);
  all.decode_image(picture, space, b.view);
  EXPECT_EQ(a.data, b.data);
  std::vector<int32_t> codes(64);
  expect_refused([&] { model.text_logits(x.view, text.view); }, "text head");
  expect_refused([&] { model.read_images(a.view, space, x.view); }, "vision tower");
  expect_refused([&] { model.encode_image(a.view, space, codes); }, "codec's encoder");
}

TEST_F(SomeParts, TheDecoderAlone) {
  const Model model = load(kDecoderParts);
  EXPECT_LT(model.weights().bytes, 2'000'000);
  Workspace space;
  Values pixels({1, 64, 64, 3}), x({3, 64});
  model.decode_image(std::vector<int32_t>(64, 7), space, pixels.view);
  const std::vector<int32_t> ids = {1, 2, 3};
  expect_refused([&] { model.embed_text(ids, x.view); }, "language tower");
}

// Tensors of which those that begin so are not there.
class Without : public SyntheticSource {
 public:
  Without(const Config& config, std::string beginning)
      : SyntheticSource(config, Layout::transformers), beginning_(std::move(beginning)) {}
  std::map<std::string, std::vector<int64_t>> shapes() const override {
    auto all = SyntheticSource::shapes();
    std::erase_if(all, [&](const auto& tensor) { return tensor.first.starts_with(beginning_); });
    return all;
  }

 private:
  std::string beginning_;
};

TEST_F(SomeParts, OtherTensorsNeedNotBeThere) {
  const Config config = load_config(golden("tiny-hf"));
  const Without source(config, "model.vqmodel.");
  LoadOptions options;
  options.backend = open_backend("ref");
  options.parts = kReadingParts;
  EXPECT_NO_THROW(Model::from(config, source, options));
  options.parts = kDrawingParts;
  expect_has(error_of(Code::bad_checkpoint, [&] { Model::from(config, source, options); }),
             "model.vqmodel.");
}

}  // namespace
}  // namespace janus
