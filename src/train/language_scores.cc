// Each shard takes a run of the samples, so that the figures do not depend on the threads.
// SPDX-License-Identifier: MIT
#include "train/language_scores.h"

#include <algorithm>
#include <map>

#include "train/data.h"
#include "train/file_row.h"
#include "train/pictures.h"
#include "train/sample.h"
#include "world/streams.h"

namespace janus::train {
namespace {

constexpr int64_t kLongestAnswer = 96;  // tokens; descriptions of four objects have about 70
constexpr size_t kShownPictures = 24;
constexpr size_t kShownReplies = 8;
constexpr int kColumns = 8;

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

std::vector<Image> draw(Scoring& scoring, const std::vector<std::string>& prompts, int64_t begin,
                        int64_t end) {
  std::vector<DrawRequest> requests;
  for (int64_t i = begin; i < end; ++i) {
    DrawRequest request;
    request.prompt = scoring.prompts.draw(prompts[static_cast<size_t>(i)]);
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

AskRequest question_for(const Scoring& scoring, const std::string& question, bool pictured) {
  const Message message = {Role::user, question, pictured ? 1 : 0};
  AskRequest request;
  request.prompt = scoring.prompts.read({&message, 1});
  return request;
}

AskRequest request_for(const Scoring& scoring, const Lesson& lesson) {
  const int side = scoring.recipe.model.config.image;
  const Rendering drawn = draw_lesson(lesson, side);
  const bool pictured = !drawn.image.rgb.empty();
  AskRequest request = question_for(scoring, lesson.turns.front().question, pictured);
  if (pictured) append_pixels(drawn.image, 0, 0, side, request.pixels);
  return request;
}

std::vector<std::string> replies_to(Scoring& scoring, const std::vector<AskRequest>& requests) {
  const SpecialIds& ids = scoring.prompts.ids();
  std::vector<std::string> replies;
  for (const auto& said : answers(scoring.net, requests, ids.image, ids.eos, kLongestAnswer)) {
    replies.push_back(scoring.prompts.tokenizer().decode(said, false));
  }
  return replies;
}

}  // namespace

void score_drawing(Scoring& scoring, const std::string& stream, const std::filesystem::path& dir,
                   const std::string& name, Evaluation& all) {
  const std::string prefix = stream == "single" ? "draw" : stream;
  const Detector detector(scoring.recipe.model.config.image);
  const auto total = static_cast<size_t>(scoring.recipe.eval.samples);
  std::vector<DrawSample> samples;
  std::vector<std::string> prompts;
  for (size_t i = 0; i < total; ++i) {
    samples.push_back(drawing(stream, scoring.split, i));
    prompts.push_back(samples.back().prompt);
  }
  std::vector<Image> images(total);
  std::vector<Detection> found(total);
  scoring.shards.run([&](int shard) {
    const auto [begin, end] = range_of(scoring, shard);
    std::vector<Image> drawn = draw(scoring, prompts, begin, end);
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
  prompts.resize(images.size());
  const std::string file = stream == "single" ? "drawn" : stream;
  Shown shown = write_grid(dir, file + "-" + name + ".png", images, kColumns);
  shown.name = file;
  shown.prompts = std::move(prompts);
  all.figures.merge(means.figures());
  all.shown.push_back(std::move(shown));
}

void score_reading(Scoring& scoring, const std::string& stream, Evaluation& all) {
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
    std::ranges::move(replies_to(scoring, requests), replies.begin() + begin);
  });
  Means means(stream == "short" ? "ask" : stream);
  Shown shown;
  shown.name = stream;
  for (size_t i = 0; i < total; ++i) {
    const Turn& turn = lessons[i].turns.front();
    const double grade = reading_grade(stream, turn, replies[i]);
    means.add("right", grade);
    means.add(turn.category, grade);
    if (i < kShownReplies) shown.said.push_back({turn.question, replies[i], turn.answer});
  }
  all.figures.merge(means.figures());
  all.shown.push_back(std::move(shown));
}

void show_own(Scoring& scoring, const std::filesystem::path& dir, const std::string& name,
              Evaluation& all) {
  const auto& eval = scoring.recipe.eval;
  if (!eval.prompts.empty()) {
    const std::vector<Image> images = draw(scoring, eval.prompts, 0, std::ssize(eval.prompts));
    const int columns = std::min(kColumns, static_cast<int>(images.size()));
    all.shown.push_back(write_grid(dir, "prompts-" + name + ".png", images, columns));
    all.shown.back().name = "prompts";
    all.shown.back().prompts = eval.prompts;
  }
  if (eval.ask.empty()) return;
  std::vector<AskRequest> requests;
  for (const auto& [question, picture] : eval.ask) {
    requests.push_back(question_for(scoring, question, !picture.empty()));
    if (!picture.empty()) {
      append_picture({picture}, scoring.recipe.model.config, requests.back().pixels);
    }
  }
  const std::vector<std::string> replies = replies_to(scoring, requests);
  Shown shown;
  shown.name = "questions";
  for (size_t i = 0; i < replies.size(); ++i) {
    shown.said.push_back({eval.ask[i].question, replies[i], ""});
  }
  all.shown.push_back(std::move(shown));
}

}  // namespace janus::train
