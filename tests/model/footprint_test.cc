// What is told of memory is what is then taken, to the byte. SPDX-License-Identifier: MIT
#include "model/footprint.h"

#include <gtest/gtest.h>

#include <functional>

#include "kernels/open.h"
#include "model/model.h"
#include "model/support.h"
#include "model/synthetic.h"

namespace janus {
namespace {

using namespace janus::testing;

Config tiny() { return load_config(golden("tiny-hf")); }

// Adaptors of other depths, a wider image head, an attention with shared keys.
Config variant() {
  Config config = tiny();
  config.llama.kv_heads = 2;
  config.gen_head_width = 80;
  config.aligner_depth = 3;
  config.gen_aligner_depth = 1;
  return config;
}

Model synthetic_model(const Config& config, const char* backend, Dtype type, const Parts& parts) {
  LoadOptions options;
  options.backend = open_backend(backend, 2);
  options.weights = type;
  options.parts = parts;
  return Model::from(config, SyntheticSource(config, Layout::transformers), options);
}

TEST(Footprint, WeightsAreWhatLoadingTakes) {
  for (const Config& config : {tiny(), variant()}) {
    for (const char* backend : {"ref", "cpu"}) {
      for (const Dtype type : {Dtype::f32, Dtype::bf16, Dtype::q8_0, Dtype::q4_0}) {
        for (const Parts& parts : {Parts{}, kReadingParts, kDrawingParts, kDecoderParts}) {
          const Model model = synthetic_model(config, backend, type, parts);
          const int64_t half = config.llama.head_width / 2;
          const int64_t tables = parts.language ? 2 * 4 * config.llama.context * half : 0;
          const int64_t told = model_bytes(config, model.backend(), type, parts).all;
          // Small buffers are told in whole lines of 64 bytes.
          EXPECT_GE(told, model.weights().bytes + tables);
          EXPECT_LE(told, (model.weights().bytes + tables) * 101 / 100);
        }
      }
    }
  }
}

TEST(Footprint, BuffersAreRoundedAsTheyAreTaken) {
  EXPECT_EQ(Buffer::held(0), 0);
  EXPECT_EQ(Buffer::held(1), 64);
  EXPECT_EQ(Buffer::held(8'000'000), 8'000'000);
  EXPECT_EQ(Buffer::held((8 << 20) + 1), (8 << 20) + 64);
}

// A workspace of the size that was told suffices, and one that is smaller does not.
void expect_exact(int64_t told, const std::function<void(Workspace&)>& call) {
  Workspace enough(told);
  call(enough);
  EXPECT_EQ(enough.bytes(), told);
  Workspace short_of(told - 64);
  call(short_of);
  EXPECT_GT(short_of.bytes(), told);
}

class FootprintOfPasses : public ::testing::TestWithParam<std::string> {
 protected:
  Config config_ = GetParam() == "tiny" ? tiny() : variant();
  Model model_ = synthetic_model(config_, "cpu", Dtype::f32, {});
};

TEST_P(FootprintOfPasses, LanguageTower) {
  for (const int64_t rows : {1, 2, 37}) {
    KvCache cache(model_.backend(), config_.llama, Dtype::f32, 1, rows, KvCache::blocks_for(rows));
    const int32_t sequence = cache.add();
    cache.extend(sequence, rows);
    std::vector<int32_t> sequences(static_cast<size_t>(rows), sequence), positions;
    for (int32_t i = 0; i < rows; ++i) positions.push_back(i);
    OwnedTensor x(Dtype::f32, {rows, config_.llama.width});
    const Rows places{sequences, positions, cache.blocks(), cache.blocks_per_sequence()};
    expect_exact(forward_scratch(config_, rows),
                 [&](Workspace& space) { model_.forward(x.view, places, cache, space); });
  }
}

TEST_P(FootprintOfPasses, Bridges) {
  for (const int64_t rows : {1, 5}) {
    const std::vector<int32_t> codes(static_cast<size_t>(rows), 3);
    OwnedTensor x(Dtype::f32, {rows, config_.llama.width});
    OwnedTensor logits(Dtype::f32, {rows, config_.vq.codes});
    expect_exact(embed_codes_scratch(config_, rows),
                 [&](Workspace& space) { model_.embed_codes(codes, space, x.view); });
    expect_exact(image_logits_scratch(config_, rows),
                 [&](Workspace& space) { model_.image_logits(x.view, space, logits.view); });
  }
}

TEST_P(FootprintOfPasses, VisionTower) {
  for (const int64_t pictures : {1, 3}) {
    const int64_t side = config_.vision.image;
    OwnedTensor pixels(Dtype::f32, {pictures, side, side, 3});
    OwnedTensor out(Dtype::f32, {pictures * config_.vision.tokens(), config_.llama.width});
    expect_exact(read_images_scratch(config_, pictures),
                 [&](Workspace& space) { model_.read_images(pixels.view, space, out.view); });
  }
}

TEST_P(FootprintOfPasses, Codec) {
  OwnedTensor pixels(Dtype::f32, {1, config_.image, config_.image, 3});
  const std::vector<int32_t> codes(static_cast<size_t>(config_.image_tokens()), 3);
  expect_exact(codec_scratch(config_),
               [&](Workspace& space) { model_.decode_image(codes, space, pixels.view); });
}

INSTANTIATE_TEST_SUITE_P(Sizes, FootprintOfPasses, ::testing::Values("tiny", "variant"));

}  // namespace
}  // namespace janus
