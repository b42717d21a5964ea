// The published checkpoints against results that others published for them. Runs where
// JANUSPRO_WEIGHTS names a directory; each test says what it misses there:
//   Janus-Pro-1B/          deepseek-community's or the official repository
//   Janus-1.3B/            the official repository
//   images/example_1.png   PKU-Alignment/align-anything, projects/janus/example/images
//   images/big-dipper.jpg  the photograph of transformers' own test (nineplanets.org)
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <numeric>

#include "io/resize.h"
#include "io/special_tokens.h"
#include "io/tokenizer.h"
#include "model/support.h"

namespace janus {
namespace {

using namespace janus::testing;

class WeightsPublished : public ::testing::Test {
 protected:
  // The path, or a skip that names it.
  bool need(const std::string& name, std::filesystem::path& path) {
    const char* root = std::getenv("JANUSPRO_WEIGHTS");
    if (root) path = std::filesystem::path(root) / name;
    const bool there = root && std::filesystem::exists(path);
    [&] {
      if (!there) GTEST_SKIP() << (root ? path.string() + " is not there" : "no JANUSPRO_WEIGHTS");
    }();
    return there;
  }
  static Model open(const std::filesystem::path& path) {
    return open_model(path, open_backend("cpu"), Dtype::f32);
  }
  // [n·S·S·3] of 8 bits -> -1..1, in the steps of the official processor
  static Values normalised(const Image& image) {
    Values pixels({1, image.height, image.width, 3});
    for (size_t i = 0; i < image.rgb.size(); ++i) {
      pixels.data[i] = static_cast<float>(image.rgb[i]) / 127.5f - 1.0f;
    }
    return pixels;
  }
};

// transformers, tests/models/janus/test_modeling_janus.py, image generation on CUDA; greedy at
// guidance 5 in f32. The expected codes are fed back, so that one tie cannot hide the rest.
TEST_F(WeightsPublished, GreedyCodesOfAPortrait) {
  std::filesystem::path path;
  if (!need("Janus-Pro-1B", path)) return;
  const std::vector<int32_t> expected = {
      4484,  4015,  15750, 506,   3758,  11651, 8597,  5739,  4861, 971,   14985, 14834, 15438,
      7548,  1820,  1465,  13529, 12761, 10503, 12761, 14303, 6155, 4015,  11766, 705,   15736,
      14146, 10417, 1951,  7713,  14305, 15617, 6169,  2706,  8006, 14893, 3855,  10188, 15652,
      6297,  1097,  12108, 15038, 311,   14998, 15165, 897,   4044, 1762,  4676};
  const std::vector<int32_t> text = {32,   25233, 280,  2823, 5075, 13,   54575, 11,
                                     6131, 7272,  1343, 11,   1608, 3512, 13};
  std::vector<int32_t> cond = {100000}, uncond = {100000};
  cond.insert(cond.end(), text.begin(), text.end());
  uncond.insert(uncond.end(), text.size(), 100002);
  cond.push_back(100003);
  uncond.push_back(100003);
  const Model model = open(path);
  const int64_t width = model.config().llama.width, many = model.config().vq.codes;
  Workspace space;
  KvCache cache = cache_for(model, 2, 128);
  Values last({2, width}), logits({2, many}), guided({1, many});
  for (const auto* prompt : {&cond, &uncond}) {
    const int32_t sequence = cache.add();
    Values x({static_cast<int64_t>(prompt->size()), width});
    model.embed_text(*prompt, x.view);
    run_rows(model, cache, sequence, space, x.view);
    model.backend().copy(x.view.slice(x.view.rows() - 1, 1), last.view.slice(sequence, 1));
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    model.image_logits(last.view, space, logits.view);
    for (int64_t c = 0; c < many; ++c) {
      const float a = logits.view.row(0)[c], b = logits.view.row(1)[c];
      guided.data[static_cast<size_t>(c)] = b + 5 * (a - b);
    }
    // Another order of addition may swap codes that are this close.
    constexpr float kTie = 0.05f;
    const float best = guided.data[static_cast<size_t>(argmax(guided.data.data(), many))];
    EXPECT_LE(best - guided.data[static_cast<size_t>(expected[i])], kTie) << "code " << i;
    for (int32_t sequence : {0, 1}) {
      model.embed_codes(std::span(expected).subspan(i, 1), space, last.view.slice(sequence, 1));
      run_rows(model, cache, sequence, space, last.view.slice(sequence, 1));
    }
  }
}

// align-anything, train_tokenized.pt: codes by the official encoder in bf16, so a majority.
TEST_F(WeightsPublished, CodesOfAnExamplePicture) {
  std::filesystem::path path, picture;
  if (!need("Janus-1.3B", path) || !need("images/example_1.png", picture)) return;
  const std::vector<int32_t> first = {4516,  8851,  522,   3062, 10950, 11835, 8549, 8867,
                                      3182,  9589,  13657, 6002, 10374, 5489,  5727, 12727,
                                      11547, 13228, 16298, 7375, 9002,  14060, 6214, 15227};
  const std::vector<int32_t> last = {2281, 8558, 8402, 14938, 15002, 2365, 7732, 9110};
  const Model model = open(path);
  Workspace space;
  std::vector<int32_t> codes(576);
  model.encode_image(normalised(fit_and_pad(load_image(picture), 384)).view, space, codes);
  const auto same = [](auto a, const std::vector<int32_t>& b) {
    return std::inner_product(b.begin(), b.end(), a, int64_t{0}, std::plus<>(), std::equal_to<>());
  };
  EXPECT_GE(same(codes.begin(), first) + same(codes.end() - 8, last), 24);  // of 32
  std::sort(codes.begin(), codes.end());
  EXPECT_NEAR(static_cast<double>(std::unique(codes.begin(), codes.end()) - codes.begin()), 543,
              10);
}

// transformers, tests/models/janus/test_modeling_janus.py: one picture, 20 greedy tokens.
TEST_F(WeightsPublished, AnswerAboutTheBigDipper) {
  std::filesystem::path path, picture;
  if (!need("Janus-Pro-1B", path) || !need("images/big-dipper.jpg", picture)) return;
  const Model model = open(path);
  const Tokenizer tokenizer = Tokenizer::load(path / "tokenizer.json");
  const auto id = [&](std::string_view token) { return tokenizer.find(token).value(); };
  const int64_t width = model.config().llama.width, patches = model.config().vision.tokens();
  std::vector<int32_t> ids = {id(kBosToken)};
  const auto append = [&](const std::vector<int32_t>& more) {
    ids.insert(ids.end(), more.begin(), more.end());
  };
  append(tokenizer.encode(
      "You are a helpful language and vision assistant. You are able to understand the visual "
      "content that the user provides, and assist the user with a variety of tasks using natural "
      "language.\n\n"));
  ids.push_back(id(kBeginImageToken));
  const auto image_at = static_cast<int64_t>(ids.size());
  ids.insert(ids.end(), static_cast<size_t>(patches), id(kImageToken));
  ids.push_back(id(kEndImageToken));
  append(
      tokenizer.encode("\nDescribe what do you see here and tell me about the history behind it?"));
  const auto count = static_cast<int64_t>(ids.size());
  Workspace space;
  KvCache cache = cache_for(model, 1, count + 20);
  Values x({count, width}), logits({1, model.config().llama.vocabulary});
  model.embed_text(ids, x.view);
  const Values pixels = normalised(fit_and_pad(load_image(picture), model.config().vision.image));
  model.read_images(pixels.view, space, x.view.slice(image_at, patches));
  const int32_t sequence = cache.add();
  run_rows(model, cache, sequence, space, x.view);
  Tensor last = x.view.slice(count - 1, 1);
  std::vector<int32_t> answer;
  while (answer.size() < 20) {
    model.text_logits(last, logits.view);
    answer.push_back(argmax(logits.data.data(), logits.view.cols()));
    model.embed_text(std::span(answer).last(1), last);
    run_rows(model, cache, sequence, space, last);
  }
  EXPECT_EQ(tokenizer.decode(answer, false),
            "\n\nThe image depicts the constellation of Leo, which is often referred to as the "
            "\"Lion\"");
}

}  // namespace
}  // namespace janus
