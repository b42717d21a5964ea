// The rule of the synthetic weights, and the values that the official modules gave for them at the
// published sizes (vq_model.py and siglip_vit.py run in f32 and f64; a small LLaMA in f64).
// SPDX-License-Identifier: MIT
#include "model/synthetic.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/sha256.h"
#include "model/support.h"

namespace janus {
namespace {

using namespace janus::testing;

// All published sizes but the language tower's, of which the adaptors need only the width.
Config published_but_short() {
  Config c;
  c.llama.width = 2048;
  c.llama.layers = 1;
  c.llama.heads = c.llama.kv_heads = 1;
  c.llama.head_width = 2;
  c.llama.mlp_width = 1;
  c.llama.vocabulary = 1;
  c.llama.context = 1;
  c.gen_head_width = 2048;
  return c;
}

Config small_llama() {
  Config c;
  c.llama.width = 256;
  c.llama.layers = 2;
  c.llama.heads = c.llama.kv_heads = 2;
  c.llama.head_width = 128;
  c.llama.mlp_width = 704;
  c.llama.vocabulary = 1024;
  c.llama.context = 700;
  c.vision = {.image = 2, .patch = 1, .width = 2, .layers = 1, .heads = 1, .mlp_width = 2};
  c.vq = {.codes = 2,
          .code_width = 2,
          .latent = 2,
          .base = 2,
          .multipliers = {1},
          .decoder_multipliers = {1},
          .blocks = 1,
          .groups = 2};
  c.gen_head_width = 2;
  c.image = 2;
  return c;
}

Model make(const Config& config, const std::string& backend, bool round_rope = false) {
  LoadOptions options;
  options.backend = open_backend(backend);
  options.weights = Dtype::f32;
  options.round_rope = round_rope;
  return Model::from(config, SyntheticSource(config, Layout::official), options);
}

struct Moments {
  double mean = 0, deviation = 0;
  float low = 0, high = 0;
};

Moments moments(const std::vector<float>& values) {
  const auto count = static_cast<double>(values.size());
  Moments m;
  m.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  for (const float v : values) m.deviation += (v - m.mean) * (v - m.mean);
  m.deviation = std::sqrt(m.deviation / (count - 1));
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  m.low = *low;
  m.high = *high;
  return m;
}

std::vector<float> uniform(const std::string& name, int64_t count) {
  std::vector<float> out(static_cast<size_t>(count));
  synthetic_uniform(name, 0, 0, out);
  return out;
}

TEST(Synthetic, RuleGivesThePublishedNumbers) {
  const std::vector<float> pixels = uniform("test.pixel_values", 3 * 384 * 384);
  EXPECT_FLOAT_EQ(pixels[0], -0.438588738f);
  EXPECT_FLOAT_EQ(pixels[1], 0.952054262f);
  EXPECT_FLOAT_EQ(pixels[2], -0.304701805f);
  EXPECT_FLOAT_EQ(pixels.back(), 0.923451066f);
  const SyntheticSource source(published_but_short(), Layout::official);
  const std::map<std::string, std::vector<float>> expected = {
      {"gen_embed.weight", {0.00417304039f, 0.712118864f, 0.9153018f, 0.0340995789f}},
      {"gen_vision_model.decoder.conv_in.weight",
       {0.0318517014f, 0.0268803723f, 0.0302619468f, 0.0179023892f}},
      {"gen_vision_model.decoder.norm_out.weight",
       {1.04651165f, 0.926757395f, 0.927925944f, 0.964869618f}}};
  for (const auto& [name, values] : expected) {
    const std::vector<int64_t> shape = source.shapes().at(name);
    const int64_t count =
        std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
    std::vector<float> first(3), last(1);
    source.read(name, 0, first);
    source.read(name, count - 1, last);
    for (size_t i = 0; i < 3; ++i) EXPECT_FLOAT_EQ(first[i], values[i]) << name << ' ' << i;
    EXPECT_FLOAT_EQ(last[0], values[3]) << name;
  }
}

TEST(Synthetic, BothLayoutsAndEverySeedTellModelsApart) {
  const Config config = small_llama();
  const auto fingerprint = [&](Layout layout, uint32_t seed) {
    return load_weights(config, SyntheticSource(config, layout, seed), *open_backend("ref"),
                        Dtype::f32)
        .fingerprint;
  };
  EXPECT_EQ(fingerprint(Layout::official, 7), fingerprint(Layout::transformers, 7));
  EXPECT_NE(fingerprint(Layout::official, 7), fingerprint(Layout::official, 8));
}

void expect_decoder(const Model& model) {
  std::vector<int32_t> codes;
  for (int i = 0; i < 576; ++i) codes.push_back((7919 * i + 13) % 16384);
  Workspace space;
  Values pixels({1, 384, 384, 3});
  model.decode_image(codes, space, pixels.view);
  const Moments m = moments(pixels.data);
  EXPECT_NEAR(m.mean, -0.0301309, 1e-6);
  EXPECT_NEAR(m.deviation, 0.535158, 5e-6);
  EXPECT_NEAR(m.low, -2.42579, 2e-5);
  EXPECT_NEAR(m.high, 2.32942, 2e-5);
  const auto at = [&](int c, int y, int x) { return pixels.view.row(y * 384 + x)[c]; };
  EXPECT_NEAR(at(0, 0, 0), -0.05099041, 1e-5);
  EXPECT_NEAR(at(1, 0, 383), -0.007972401, 1e-5);
  EXPECT_NEAR(at(2, 383, 0), 0.0131411, 1e-5);
  EXPECT_NEAR(at(0, 383, 383), 0.1318046, 1e-5);
  EXPECT_NEAR(at(1, 191, 200), 0.2965676, 1e-5);
  EXPECT_NEAR(at(2, 100, 300), -0.1229479, 1e-5);
}

Values test_image() {
  const std::vector<float> planes = uniform("test.pixel_values", 3 * 384 * 384);
  Values pixels({1, 384, 384, 3});
  for (int64_t p = 0; p < 384 * 384; ++p) {
    for (int64_t c = 0; c < 3; ++c) {
      pixels.view.row(p)[c] = planes[static_cast<size_t>(c * 384 * 384 + p)];
    }
  }
  return pixels;
}

void expect_encoder(const Model& model) {
  const Values pixels = test_image();
  Workspace space;
  Trace trace;
  std::vector<int32_t> codes(576);
  model.encode_image(pixels.view, space, codes, &trace);
  const std::vector<float> z = floats(trace.entries().at("vq.latent"));
  const Moments m = moments(z);
  EXPECT_NEAR(m.mean, -0.0340063, 1e-6);
  EXPECT_NEAR(m.deviation, 0.642161, 5e-6);
  const auto at = [&](int e, int y, int x) {
    return z[static_cast<size_t>((e * 24 + y) * 24 + x)];
  };
  EXPECT_NEAR(at(0, 0, 0), -0.1223531, 1e-5);
  EXPECT_NEAR(at(7, 0, 23), -0.4184627, 1e-5);
  EXPECT_NEAR(at(3, 23, 0), 0.2106035, 1e-5);
  EXPECT_NEAR(at(5, 12, 7), 0.5179671, 1e-5);
  EXPECT_EQ(std::accumulate(codes.begin(), codes.end(), int64_t{0}), 4666272);
  EXPECT_EQ(std::vector<int32_t>(codes.begin(), codes.begin() + 4),
            (std::vector<int32_t>{6271, 7137, 6040, 5471}));
  EXPECT_EQ(sha256_hex({reinterpret_cast<const char*>(codes.data()), codes.size() * 4}),
            "578ff6dbe313ef2557fbf827cc8b357f2ffd739926ef47ed24ed307e1f0ba911");
}

void expect_reading(const Model& model) {
  const Values pixels = test_image();
  Workspace space;
  Trace trace;
  Values out({576, 2048});
  model.read_images(pixels.view, space, out.view, &trace);
  const std::vector<float> tower = floats(trace.entries().at("vision.out"));
  const Moments m = moments(tower);
  EXPECT_NEAR(m.mean, 0.000664578, 1e-6);
  EXPECT_NEAR(m.deviation, 1.004018, 5e-6);
  const auto at = [&](int row, int column) {
    return tower[static_cast<size_t>(row * 1024 + column)];
  };
  EXPECT_NEAR(at(0, 0), -0.4235662, 1e-5);
  EXPECT_NEAR(at(0, 1023), -0.05321554, 1e-5);
  EXPECT_NEAR(at(23, 5), -0.192201, 1e-5);
  EXPECT_NEAR(at(24, 5), -0.3719445, 1e-5);
  EXPECT_NEAR(at(575, 1000), 1.709439, 1e-5);
  EXPECT_NEAR(out.view.row(0)[0], -0.7527332, 1e-5);
  EXPECT_NEAR(out.view.row(300)[1000], -0.4110569, 1e-5);
  EXPECT_NEAR(out.view.row(575)[2047], -0.4730791, 1e-5);
}

void expect_bridges(const Model& model) {
  Workspace space;
  Values embedded({4, 2048});
  model.embed_codes(std::vector<int32_t>{0, 1, 12345, 16383}, space, embedded.view);
  EXPECT_NEAR(embedded.view.row(0)[0], -0.05003184, 1e-5);
  EXPECT_NEAR(embedded.view.row(1)[100], 0.5542355, 1e-5);
  EXPECT_NEAR(embedded.view.row(2)[1024], -0.1630352, 1e-5);
  EXPECT_NEAR(embedded.view.row(3)[2047], -0.1617574, 1e-5);
  const Values hidden(uniform("test.hidden", 2048), {1, 2048});
  Values logits({1, 16384});
  model.image_logits(hidden.view, space, logits.view);
  EXPECT_EQ(argmax(logits.data.data(), 16384), 16174);
  EXPECT_NEAR(logits.data[16174], 1.258813, 1e-5);
  EXPECT_NEAR(logits.data[0], 0.417131, 1e-5);
  EXPECT_NEAR(logits.data[1], -0.3451219, 1e-5);
  EXPECT_NEAR(logits.data[8191], 0.9716095, 1e-5);
  EXPECT_NEAR(logits.data[16383], 0.1488788, 1e-5);
}

struct Row {
  int64_t t;
  std::array<double, 4> hidden;  // [0], [1], [2], [255]
  int32_t best;
  double value;
};

const Row kRows[] = {
    {0, {-0.8100104, -1.279241, -0.6549298, -0.3965644}, 753, 3.232398},
    {1, {-1.328803, -0.5513832, -0.8524037, -1.091453}, 583, 2.985933},
    {39, {0.4123122, -0.49265, -1.713135, -1.71994}, 435, 3.422083},
    {699, {0.0215363, 0.6197943, 0.1202345, -1.47918}, 917, 3.72077},
};

Values llama_hidden(const Model& model) {
  std::vector<int32_t> ids;
  for (int t = 0; t < 700; ++t) ids.push_back((37 * t + 11) % 1024);
  Workspace space;
  KvCache cache = cache_for(model, 1, 700);
  Values x({700, 256});
  model.embed_text(ids, x.view);
  run_rows(model, cache, cache.add(), space, x.view);
  return x;
}

void expect_llama(const std::string& backend) {
  const Model model = make(small_llama(), backend);
  const Values x = llama_hidden(model);
  Values logits({700, 1024});
  model.text_logits(x.view, logits.view);
  for (const Row& row : kRows) {
    constexpr int kColumns[] = {0, 1, 2, 255};
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(x.view.row(row.t)[kColumns[i]], row.hidden[i], 2e-4) << row.t << ' ' << i;
    }
    EXPECT_EQ(argmax(logits.view.row(row.t), 1024), row.best) << row.t;
    EXPECT_NEAR(logits.view.row(row.t)[row.best], row.value, 2e-4) << row.t;
  }
}

TEST(LongSynthetic, LlamaOnRef) { expect_llama("ref"); }
TEST(Synthetic, LlamaOnCpu) { expect_llama("cpu"); }

// The frequencies of the official bf16 scripts move the last hidden row by 0.036.
TEST(LongSynthetic, RoundedRotaryFrequencies) {
  const Values plain = llama_hidden(make(small_llama(), "ref"));
  const Values rounded = llama_hidden(make(small_llama(), "ref", true));
  const auto change = [&](int64_t t) {
    double most = 0;
    for (int64_t i = 0; i < 256; ++i) {
      most = std::max(most, std::abs(double{plain.view.row(t)[i]} - rounded.view.row(t)[i]));
    }
    return most;
  };
  EXPECT_NEAR(change(39), 0.0057, 0.0001);
  EXPECT_NEAR(change(699), 0.036, 0.0005);
  EXPECT_NEAR(rounded.view.row(699)[0], 0.02120197, 2e-4);
  EXPECT_NEAR(rounded.view.row(699)[1], 0.6286107, 2e-4);
  EXPECT_NEAR(rounded.view.row(699)[2], 0.1270084, 2e-4);
}

void expect_published(const std::string& backend) {
  const Model model = make(published_but_short(), backend);
  expect_bridges(model);
  expect_reading(model);
  expect_decoder(model);
  expect_encoder(model);
}

TEST(LongSynthetic, PublishedSizesOnCpu) {
  if (kSanitized) GTEST_SKIP() << "too long under sanitizers";
  expect_published("cpu");
}
TEST(FullSynthetic, PublishedSizesOnRef) { expect_published("ref"); }

}  // namespace
}  // namespace janus
