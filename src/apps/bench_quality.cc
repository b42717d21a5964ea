// See bench_quality.h. SPDX-License-Identifier: MIT
#include "apps/bench_quality.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "apps/progress.h"
#include "apps/quality_record.h"
#include "base/error.h"
#include "base/free_memory.h"
#include "generate/load.h"
#include "generate/observe.h"
#include "generate/plan.h"
#include "generate/sampler.h"
#include "model/fingerprint.h"
#include "model/storage.h"
#include "world/detect.h"
#include "world/streams.h"

namespace janus {

namespace {

constexpr float kGuidance = 5;             // of laws, whatever a model is drawn with
constexpr const char* kStream = "single";  // of the world's test split
constexpr int64_t kAtOnce = 8;             // pictures drawn side by side
constexpr Dtype kCaches[] = {Dtype::f32, Dtype::bf16, Dtype::q8};
// Sides of pictures that the detector looks at.
constexpr int kLeastSide = 16, kMostSide = 512;

std::string name_of(Dtype type) { return std::string(traits(type).name); }

// KL(law ‖ other), at least 0 whatever was rounded.
double divergence(std::span<const float> law, std::span<const float> other) {
  const double own = log_sum(law), others = log_sum(other);
  double sum = 0;
  for (size_t i = 0; i < law.size(); ++i) {
    const double log_share = law[i] - own;
    sum += std::exp(log_share) * (log_share - (other[i] - others));
  }
  return std::max(0.0, sum);
}

}  // namespace

void LawsApart::add(std::span<const float> logits, std::span<const float> others, int64_t book) {
  const auto size = static_cast<size_t>(book);
  for (size_t begin = 0; begin < logits.size(); begin += size) {
    const auto law = logits.subspan(begin, size), other = others.subspan(begin, size);
    const double apart = divergence(law, other);
    ++laws;
    sum += apart;
    most = std::max(most, apart);
    flips += likeliest(law) != likeliest(other);
  }
}

namespace {

double square_apart(const Image& a, const Image& b) {
  double sum = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) {
    const double apart = int{a.rgb[i]} - int{b.rgb[i]};
    sum += apart * apart;
  }
  return sum / static_cast<double>(a.rgb.size());
}

class QualityBench {
 public:
  QualityBench(const ModelFlags& flags, std::shared_ptr<const Backend> backend,
               const QualityFlags& asked, bool json, const Interrupt& interrupt);
  void run();

 private:
  bool wanted(Dtype weights, Dtype cache) const;
  void check_memory() const;
  void load(Dtype weights);
  void measure(Dtype cache);
  std::vector<Picture> draw_all(Dtype cache);
  std::vector<float> logits_of(size_t picture, Dtype cache);
  int64_t count_right(const std::vector<Picture>& pictures) const;
  std::string doing(const char* what, Dtype cache) const {
    return name_of(weights_) + ", " + name_of(cache) + ": " + what;
  }
  void show(const std::string& doing, int64_t done, int64_t total, const char* unit);
  void print_row(const QualityRow& row) const;

  const ModelFlags& flags_;
  std::shared_ptr<const Backend> backend_;
  bool json_;
  const Interrupt& interrupt_;
  ProgressBar bar_;
  Checkpoint checkpoint_;
  Config config_;
  PromptBuilder prompts_;
  std::vector<DrawSample> samples_;
  std::vector<DrawRequest> requests_;
  std::optional<Model> model_;
  Dtype weights_ = Dtype::f32;
  // In f32: pictures and, of each, logits [I, C].
  std::vector<Picture> drawn_;
  std::vector<std::vector<float>> logits_;
  bool knows_world_ = false;
};

QualityBench::QualityBench(const ModelFlags& flags, std::shared_ptr<const Backend> backend,
                           const QualityFlags& asked, bool json, const Interrupt& interrupt)
    : flags_(flags),
      backend_(std::move(backend)),
      json_(json),
      interrupt_(interrupt),
      bar_(false),
      checkpoint_(flags.checkpoint()),
      config_(checkpoint_.config()),
      prompts_(load_prompts(checkpoint_)) {
  checkpoint_.require(kDrawingParts);
  const float guidance = checkpoint_.processor().guidance.value_or(kPublishedGuidance);
  for (int i = 0; i < asked.pictures; ++i) {
    samples_.push_back(drawing(kStream, Split::test, static_cast<uint64_t>(i)));
    DrawRequest& request = requests_.emplace_back();
    request.prompt = samples_.back().prompt;
    request.seed = asked.seed + static_cast<uint64_t>(i);
    request.guidance = guidance;
  }
}

// f32 beside f32 is what the others are held against, and is there always.
bool QualityBench::wanted(Dtype weights, Dtype cache) const {
  if (weights == Dtype::f32 && cache == Dtype::f32) return true;
  return dtype_named(flags_.type).value_or(weights) == weights &&
         dtype_named(flags_.cache).value_or(cache) == cache;
}

// Of f32, which takes most: drawing, and the logits of all pictures beside it.
void QualityBench::check_memory() const {
  constexpr int64_t kPrompt = 32;  // of usual length
  const int64_t pictures = std::ssize(requests_);
  const Setup setup = make_setup(config_, backend_, Dtype::f32, Dtype::f32, kDrawingParts, 0);
  const BatchShape shape = batch_shape(config_, std::min(kAtOnce, pictures), kPrompt);
  const MemoryPlan plan = plan_shape(setup, shape, pictures);
  const int64_t logits = pictures * config_.image_tokens() * config_.vq.codes * int64_t{4};
  check(plan.total() + logits <= plan.limit, Code::out_of_memory,
        "quality is measured against f32, which takes ", size_text(plan.total() + logits),
        " for this model, ", size_text(logits), " of it for the laws of ", pictures, " pictures; ",
        size_text(plan.limit),
        " are free: take fewer --pictures, a smaller model, or a machine with more memory");
}

void QualityBench::show(const std::string& doing, int64_t done, int64_t total, const char* unit) {
  interrupt_.check();
  if (bar_.due()) bar_.show(doing, done, total, unit);
}

void QualityBench::load(Dtype weights) {
  LoadOptions options;
  options.backend = backend_;
  options.weights = weights;
  options.parts = kDrawingParts;
  options.round_rope = flags_.round_rope;
  options.on_progress = [&](double share) {
    show("loading in " + name_of(weights), static_cast<int64_t>(share * 100), 100, "%");
  };
  model_.reset();
  model_ = Model::load(checkpoint_, options);
  weights_ = weights;
}

std::vector<float> QualityBench::logits_of(size_t picture, Dtype cache) {
  show(doing("laws", cache), static_cast<int64_t>(picture), std::ssize(requests_), "pictures");
  const PromptRows rows = prompt_rows(prompts_, requests_[picture]);
  return guided_logits(*model_, cache, rows, drawn_[picture].codes, kGuidance);
}

std::vector<Picture> QualityBench::draw_all(Dtype cache) {
  std::vector<Picture> pictures;
  const auto on_step = [&](const Progress& progress) {
    show(doing("pictures", cache), progress.done, progress.total, "codes");
    return true;
  };
  draw(
      {*model_, prompts_, cache, kAtOnce}, requests_,
      [&](Picture picture) { pictures.push_back(std::move(picture)); }, on_step);
  return pictures;
}

int64_t QualityBench::count_right(const std::vector<Picture>& pictures) const {
  if (config_.image < kLeastSide || config_.image > kMostSide) return 0;
  const Detector detector(config_.image);
  int64_t right = 0;
  for (size_t i = 0; i < pictures.size(); ++i) {
    right += draw_right(detector.detect(pictures[i].image), samples_[i]);
  }
  return right;
}

// The model as it is loaded, which is first in f32.
void QualityBench::measure(Dtype cache) {
  const bool first = drawn_.empty();
  if (first) {
    drawn_ = draw_all(cache);
    for (size_t i = 0; i < drawn_.size(); ++i) logits_.push_back(logits_of(i, cache));
  }
  QualityRow row{.weights = weights_, .cache = cache, .laws = {}, .right = {}};
  for (size_t i = 0; i < drawn_.size(); ++i) {
    row.laws.add(logits_[i], first ? logits_[i] : logits_of(i, cache), config_.vq.codes);
  }
  const std::vector<Picture> pictures = first ? drawn_ : draw_all(cache);
  for (size_t i = 0; i < drawn_.size(); ++i) {
    row.squares += square_apart(pictures[i].image, drawn_[i].image);
    row.same += pictures[i].image == drawn_[i].image;
  }
  row.squares /= static_cast<double>(drawn_.size());
  const int64_t right = count_right(pictures);
  if (first) knows_world_ = right > 0;
  if (knows_world_) row.right = right;
  bar_.clear();
  print_row(row);
}

void QualityBench::print_row(const QualityRow& row) const {
  const auto pictures = static_cast<int64_t>(drawn_.size());
  nlohmann::ordered_json line{
      {"work", kQuality},
      {"model", fingerprint_text(model_->weights().fingerprint)},
      {"type", name_of(row.weights)},
      {"kv", name_of(row.cache)},
      {"backend", backend_->name()},
      {"pictures", pictures},
      {"codes", config_.image_tokens()},
      {"seed", requests_.front().seed},
      {"drawn_guidance", guidance_of(requests_.front())},
      {"guidance", kGuidance},
      {"kl_mean", row.laws.sum / static_cast<double>(row.laws.laws)},
      {"kl_max", row.laws.most},
      {"flips", static_cast<double>(row.laws.flips) / static_cast<double>(pictures)},
      {"psnr", nullptr},
      {"same", row.same},
      {"right", nullptr}};
  if (row.squares > 0) line["psnr"] = 10 * std::log10(255 * 255 / row.squares);
  if (row.right) line["right"] = *row.right;
  if (json_) return print(json_line(line));
  if (row.weights == Dtype::f32 && row.cache == Dtype::f32) print(quality_heading(line));
  print(quality_row(line));
}

void QualityBench::run() {
  check_memory();
  for (const Dtype weights : kWeightTypes) {
    if (!has_whole_rows(config_, weights)) continue;
    const auto asked = [&](Dtype cache) { return wanted(weights, cache); };
    if (std::none_of(std::begin(kCaches), std::end(kCaches), asked)) continue;
    load(weights);
    for (const Dtype cache : kCaches) {
      if (asked(cache)) measure(cache);
    }
  }
}

}  // namespace

void QualityFlags::add_to(CLI::App& app) {
  app.add_option("--pictures", pictures, "Pictures that quality is measured on")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--seed", seed, "Seed of the first of them")
      ->check(whole_number())
      ->capture_default_str();
}

void bench_quality(const ModelFlags& model, const std::shared_ptr<const Backend>& backend,
                   const QualityFlags& flags, bool json, const Interrupt& interrupt) {
  QualityBench(model, backend, flags, json, interrupt).run();
}

}  // namespace janus
