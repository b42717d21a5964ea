// Each shard takes a run of the samples, so that the figures do not depend on the threads.
// SPDX-License-Identifier: MIT
#include "train/language_scores.h"

#include <algorithm>
#include <map>

#include "train/data.h"
#include "train/pictures.h"
#include "train/sample.h"
#include "world/streams.h"

namespace janus::train {
namespace {

constexpr int64_t kLongestAnswer = 96;  // tokens; descriptions of four objects have about 70
constexpr size_t kShownPictures = 24;

// Sums by category, as means in the end.
class Means {
 public:
  explicit Means(std::string prefix) : prefix_(std::move(prefix)) {}
  void add(const std::string& name, double value) {
    sums_[name].first += value;
    sums_[name].second += 1;
  }
  Figures figures() const {
    Figures all;
    for (const auto& [name, sum] : sums_) all[prefix_ + '_' + name] = sum.first / sum.second;
    return all;
  }

 private:
  std::string prefix_;
  std::map<std::string, std::pair<double, double>> sums_;
};

// The samples of one shard.
std::pair<int64_t, int64_t> range_of(const Scoring& scoring, int shard) {
  const int64_t total = scoring.recipe.eval.samples;
  return {total * shard / scoring.shards.count(), total * (shard + 1) / scoring.shards.count()};
}

std::vector<Image> draw(Scoring& scoring, const std::vector<DrawSample>& samples, int64_t begin,
                        int64_t end) {
  std::vector<DrawRequest> requests;
  for (int64_t i = begin; i < end; ++i) {
    DrawRequest request;
    request.prompt = scoring.prompts.draw(samples[static_cast<size_t>(i)].prompt);
    request.unguided = scoring.prompts.unguided(request.prompt);
    request.seed = static_cast<uint64_t>(i);
    requests.push_back(std::move(request));
  }
  std::vector<Image> images;
  if (requests.empty()) return images;
  const torch::Tensor pixels =
      decode_codes(scoring.net, draw_codes(scoring.net, requests, scoring.recipe.eval.guidance));
  for (int64_t i = 0; i < pixels.size(0); ++i) images.push_back(to_image(pixels[i]));
  return images;
}

AskRequest request_for(const Scoring& scoring, const Lesson& lesson) {
  const int side = scoring.recipe.model.config.image;
  const Rendering drawn = draw_lesson(lesson, side);
  const int64_t pictures = drawn.image.rgb.empty() ? 0 : 1;
  const Message question = {Role::user, lesson.turns.front().question, pictures};
  AskRequest request;
  request.prompt = scoring.prompts.read({&question, 1});
  if (pictures > 0) append_pixels(drawn.image, 0, 0, side, request.pixels);
  return request;
}

}  // namespace

Figures score_drawing(Scoring& scoring, const std::string& stream, const std::filesystem::path& dir,
                      const std::string& name) {
  const std::string prefix = stream == "single" ? "draw" : stream;
  const Detector detector(scoring.recipe.model.config.image);
  const auto total = static_cast<size_t>(scoring.recipe.eval.samples);
  std::vector<DrawSample> samples;
  for (size_t i = 0; i < total; ++i) samples.push_back(drawing(stream, scoring.split, i));
  std::vector<Image> images(total);
  std::vector<Detection> found(total);
  scoring.shards.run([&](int shard) {
    const auto [begin, end] = range_of(scoring, shard);
    std::vector<Image> drawn = draw(scoring, samples, begin, end);
    for (size_t i = 0; i < drawn.size(); ++i) {
      const size_t at = static_cast<size_t>(begin) + i;
      found[at] = detector.detect(drawn[i]);
      images[at] = std::move(drawn[i]);
    }
  });
  Means means(prefix);
  for (size_t i = 0; i < total; ++i) {
    const DrawSample& sample = samples[i];
    const double grade = drawing_grade(sample, found[i]);
    means.add("right", grade);
    means.add(sample.category, grade);
    means.add("shuffled", drawing_grade(samples[(i + 1) % total], found[i]));
    if (sample.category == "colors") {
      means.add("colour_alone", agree(found[i], sample.scene, 1e9).colours > 0 ? 1 : 0);
    }
  }
  images.resize(std::min(images.size(), kShownPictures));
  const std::string file = stream == "single" ? "drawn" : stream;
  write_grid(dir / (file + "-" + name + ".png"), images, 8);
  return means.figures();
}

Figures score_reading(Scoring& scoring, const std::string& stream) {
  const auto total = static_cast<size_t>(scoring.recipe.eval.samples);
  std::vector<Lesson> lessons;
  for (size_t i = 0; i < total; ++i) lessons.push_back(reading(stream, scoring.split, i, 1));
  std::vector<std::string> replies(total);
  scoring.shards.run([&](int shard) {
    const auto [begin, end] = range_of(scoring, shard);
    std::vector<AskRequest> requests;
    for (int64_t i = begin; i < end; ++i) {
      requests.push_back(request_for(scoring, lessons[static_cast<size_t>(i)]));
    }
    const SpecialIds& ids = scoring.prompts.ids();
    const auto said = answers(scoring.net, requests, ids.image, ids.eos, kLongestAnswer);
    for (size_t i = 0; i < said.size(); ++i) {
      replies[static_cast<size_t>(begin) + i] = scoring.prompts.tokenizer().decode(said[i], false);
    }
  });
  Means means(stream == "short" ? "ask" : stream);
  for (size_t i = 0; i < total; ++i) {
    const Turn& turn = lessons[i].turns.front();
    const double grade = reading_grade(stream, turn, replies[i]);
    means.add("right", grade);
    means.add(turn.category, grade);
  }
  return means.figures();
}

}  // namespace janus::train
