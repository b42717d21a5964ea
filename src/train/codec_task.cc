// Training of the VQ codec on pictures of the world. Loss: object-weighted reconstruction (a
// pyramid of L1 on values and differences, and squares) plus the two codebook terms on unit
// vectors; codes that fall out of use are replaced by encoder outputs. The detector reads the
// reconstructions back: that is the score which counts, blurred outlines hardly show in a mean.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "io/file.h"
#include "io/image.h"
#include "train/checkpoint.h"
#include "train/codec.h"
#include "train/data.h"
#include "train/model_files.h"
#include "train/pictures.h"
#include "train/precision.h"
#include "train/task.h"
#include "world/detect.h"
#include "world/streams.h"

namespace janus::train {
namespace {

constexpr int kPyramid = 4;           // levels of the reconstruction loss
constexpr double kObjectWeight = 4;   // added where an object is, before normalising
constexpr double kDilate = 3;         // canvas units around an object that count as object
constexpr double kUsageDecay = 0.99;  // of the average that tells dead codes
constexpr double kDeadShare = 1e-4;   // of all picks; a code below it is dead
constexpr int64_t kReviveEvery = 50;  // steps
constexpr double kReviveNoise = 0.02;
constexpr int64_t kEvaluateBatch = 20;
constexpr size_t kGridPictures = 12;
constexpr int kMaxShards = 256;

// Weight of each pixel.   coverage [B, S, S] -> [B, 1, S, S]
torch::Tensor pixel_weights(const torch::Tensor& coverage, int image) {
  const auto reach = static_cast<int64_t>(std::lround(kDilate * image / kCanvas));
  const torch::Tensor near = torch::max_pool2d(coverage.unsqueeze(1), 2 * reach + 1, 1, reach);
  return 1 + kObjectWeight * near;
}

torch::Tensor coverage_of(PictureBatch& batch, int64_t first, int64_t count) {
  return torch::from_blob(batch.coverage.data() + first * batch.side * batch.side,
                          {count, batch.side, batch.side});
}

// Four scales of |d| + |dx d| + |dy d|, and 2 d²: averages and differences are linear, so the
// difference of the pictures is taken once.   made, wanted [B, 3, S, S], weights [B, 1, S, S]
torch::Tensor reconstruction_loss(const torch::Tensor& made, const torch::Tensor& wanted,
                                  torch::Tensor weights) {
  torch::Tensor d = made - wanted;
  torch::Tensor loss = 2 * (weights * d.square()).mean();
  for (int level = 0; level < kPyramid; ++level) {
    if (level > 0) {
      d = torch::avg_pool2d(d, 2);
      weights = torch::avg_pool2d(weights, 2);
    }
    const int64_t side = d.size(3);
    const auto across = d.narrow(3, 1, side - 1) - d.narrow(3, 0, side - 1);
    const auto down = d.narrow(2, 1, side - 1) - d.narrow(2, 0, side - 1);
    loss = loss + (weights * d.abs()).mean() +
           (weights.narrow(3, 1, side - 1) * across.abs()).mean() +
           (weights.narrow(2, 1, side - 1) * down.abs()).mean();
  }
  return loss;
}

class CodecTask final : public Task {
 public:
  CodecTask(const Recipe& recipe, Processes& processes)
      : recipe_(recipe),
        processes_(processes),
        operations_(recipe),
        codec_(recipe.model.config.vq) {
    auto model = std::make_shared<torch::nn::Module>("model");
    model->register_module("vqmodel", codec_);
    root_.register_module("model", model);
    if (!recipe.model.init.empty()) {
      load_model(recipe.model.init, recipe.model.config, named_parameters(root_), kCodecParts);
    }
    usage_ = torch::full({recipe.model.config.vq.codes}, 1.0 / recipe.model.config.vq.codes);
  }

  torch::nn::Module& network() override { return root_; }

  void open_data(const std::filesystem::path&) override {}
  int64_t broken_rows() const override { return 0; }
  void start(int64_t first_step) override {
    const int64_t passes = recipe_.batch.accumulate;
    loader_ = std::make_unique<Ahead<PictureBatch>>(
        [this, passes](int64_t pass) {
          return codec_batch(recipe_, pass / passes, pass, {processes_.rank(), processes_.size()});
        },
        first_step * passes, recipe_.batch.workers);
  }

  void next() override {
    passes_.clear();
    seen_.assign(kMaxShards, {});  // of a step that was skipped nothing counts
    for (int64_t i = 0; i < recipe_.batch.accumulate; ++i) passes_.push_back(loader_->next());
    if (!processes_.alone()) weigh();
  }
  StepWork work() const override {
    StepWork work;
    for (const PictureBatch& batch : passes_) {
      work += operations_.of_pictures(batch.count, batch.side);
    }
    return work;
  }
  torch::Tensor loss(int64_t step, int64_t pass, int shard, int shards, Figures& figures) override;
  void meet(int64_t step) override;
  void after(int64_t step, Optimizer& optimizer, Figures& figures) override;
  NamedTensors state() const override { return {{"codec.usage", usage_}}; }
  std::string samples(int64_t pass, int shard, int shards) const override;
  Evaluation evaluate(Split split, const std::filesystem::path& dir, const std::string& name,
                      Shards& shards) override;

 private:
  void weigh();
  bool revives(int64_t step) const;
  struct Score {
    int64_t scenes = 0, exact = 0, classes = 0, colours = 0, objects = 0;
    double squares = 0;
    torch::Tensor used;        // 1 for each code that was picked  [K]
    std::vector<Image> shown;  // truth, reconstruction, truth, ...
  };
  void evaluate_batch(Split split, int64_t first, int64_t count, const Detector& detector,
                      Score& score);
  // `units`: encoder outputs to choose from [N, E].
  void revive(int64_t step, const torch::Tensor& units, Optimizer& optimizer);

  Recipe recipe_;
  Processes& processes_;
  Operations operations_;
  torch::nn::Module root_;
  Codec codec_;
  std::unique_ptr<Ahead<PictureBatch>> loader_;
  std::vector<PictureBatch> passes_;
  torch::Tensor usage_;  // average share of the picks per code   [K]
  struct Seen {
    torch::Tensor unit;   // encoder outputs of the last pass  [b*G*G, E]
    torch::Tensor codes;  // [b*G*G]
  };
  std::vector<Seen> seen_ = std::vector<Seen>(kMaxShards);
  std::vector<double> means_;     // of pixel_weights() before they are brought to 1, of each pass
  torch::Tensor counts_, units_;  // of the last pass: picks per code [K], encoder outputs [N, E]
};

std::string CodecTask::samples(int64_t pass, int shard, int shards) const {
  const int64_t count = passes_[static_cast<size_t>(pass)].count;
  std::string all;
  for (int64_t i = count * shard / shards; i < count * (shard + 1) / shards; ++i) {
    all += (all.empty() ? "picture " : " or picture ") + std::to_string(i);
  }
  return all.empty() ? all : all + " of pass " + std::to_string(pass);
}

torch::Tensor CodecTask::loss(int64_t, int64_t pass, int shard, int shards, Figures& figures) {
  PictureBatch& batch = passes_[static_cast<size_t>(pass)];
  const int64_t first = batch.count * shard / shards;
  const int64_t count = batch.count * (shard + 1) / shards - first;
  const double share = static_cast<double>(count) /
                       static_cast<double>(recipe_.batch.micro * recipe_.batch.accumulate);
  Seen& seen = seen_[static_cast<size_t>(shard)];
  seen = {};
  if (count == 0) return torch::zeros({}, torch::requires_grad());
  const int64_t area = batch.side * batch.side;
  const auto pixels =
      torch::from_blob(batch.pixels.data() + first * area * 3, {count, 3, batch.side, batch.side});
  const torch::Tensor coverage = coverage_of(batch, first, count);
  torch::Tensor latent, made;
  {
    const Precision precision(recipe_);
    latent = codec_->latent(pixels).to(torch::kFloat);
  }
  const Quantized q = codec_->nearest(latent);
  {
    const Precision precision(recipe_);
    // Straight through: the decoder sees codebook rows, the encoder gets their gradient.
    const torch::Tensor through = (q.unit + (q.rows - q.unit).detach())
                                      .view({count, latent.size(2), latent.size(3), -1})
                                      .permute({0, 3, 1, 2});
    made = codec_->decode(through).to(torch::kFloat);
  }
  torch::Tensor weights = pixel_weights(coverage, recipe_.model.config.image);
  weights = means_.empty() ? weights / weights.mean() : weights / means_[static_cast<size_t>(pass)];
  const torch::Tensor picture = reconstruction_loss(made, pixels, weights);
  const torch::Tensor book = torch::mse_loss(q.rows, q.unit.detach());
  const torch::Tensor commit = torch::mse_loss(q.unit, q.rows.detach());
  const torch::Tensor loss = share * (picture + book + recipe_.codec.beta * commit);
  seen = {q.unit.detach(), q.codes};
  figures["loss"] = loss.item<double>();
  figures["picture"] = share * picture.item<double>();
  figures["codebook"] = share * book.item<double>();
  return loss;
}

// What the weights of a pass's pixels are in the mean, of the pictures of all processes: so a step
// does not depend on how they are shared out.
void CodecTask::weigh() {
  means_.clear();
  for (PictureBatch& batch : passes_) {
    const auto weights =
        pixel_weights(coverage_of(batch, 0, batch.count), recipe_.model.config.image);
    means_.push_back(weights.to(torch::kDouble).sum().item<double>() /
                     static_cast<double>(recipe_.batch.micro * batch.side * batch.side));
  }
  processes_.sum(means_);
}

bool CodecTask::revives(int64_t step) const {
  const bool early = static_cast<double>(step) <
                     recipe_.codec.revive_until * static_cast<double>(recipe_.schedule.steps);
  return early && step % kReviveEvery == kReviveEvery - 1;
}

void CodecTask::meet(int64_t step) {
  torch::NoGradGuard off;
  std::vector<torch::Tensor> units, codes;
  for (const Seen& seen : seen_) {
    if (!seen.codes.defined()) continue;
    units.push_back(seen.unit);
    codes.push_back(seen.codes);
  }
  counts_ = torch::bincount(torch::cat(codes), {}, usage_.size(0)).to(torch::kFloat);
  processes_.sum(counts_);
  if (!revives(step)) return;
  const torch::Tensor mine = torch::cat(units);
  units_ = torch::empty({processes_.size() * mine.size(0), mine.size(1)});
  processes_.gather(mine, units_);
}

void CodecTask::after(int64_t step, Optimizer& optimizer, Figures& figures) {
  torch::NoGradGuard off;
  usage_.lerp_(counts_ / counts_.sum(), 1 - kUsageDecay);
  const auto shares = usage_ / usage_.sum();
  if (processes_.leads()) {  // which all have, and tell once
    figures["perplexity"] = std::exp(-(shares * (shares + 1e-12).log()).sum().item<double>());
  }
  if (revives(step)) revive(step, units_, optimizer);
}

void CodecTask::revive(int64_t step, const torch::Tensor& units, Optimizer& optimizer) {
  torch::NoGradGuard off;
  const torch::Tensor dead = (usage_ < kDeadShare).nonzero().flatten();
  if (dead.numel() == 0) return;
  // A generator of its own, so that nothing random has to be kept between steps.
  auto random =
      torch::make_generator<at::CPUGeneratorImpl>(recipe_.seed + static_cast<uint64_t>(step));
  const torch::Tensor picks = torch::randint(units.size(0), {dead.numel()}, random, torch::kLong);
  torch::Tensor rows = units.index_select(0, picks);
  rows = rows + kReviveNoise * torch::randn(rows.sizes(), random, torch::kFloat);
  torch::Tensor weight = codec_->quantize->embedding->weight;
  weight.index_copy_(0, dead, rows / rows.norm(2, 1, true));
  usage_.index_fill_(0, dead, 1.0 / static_cast<double>(usage_.size(0)));
  optimizer.forget_rows("model.vqmodel.quantize.embedding.weight", dead);
}

void CodecTask::evaluate_batch(Split split, int64_t first, int64_t count, const Detector& detector,
                               Score& score) {
  torch::NoGradGuard off;
  const int side = recipe_.model.config.image;
  std::vector<Lesson> truth;
  std::vector<Image> truths;
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) {
    truth.push_back(
        codec_picture(recipe_.data.front().stream, split, static_cast<uint64_t>(first + i)));
    truths.push_back(draw_lesson(truth.back(), side).image);
    append_pixels(truths.back(), 0, 0, side, values);
  }
  const auto pixels = torch::from_blob(values.data(), {count, 3, side, side});
  const torch::Tensor codes = codec_->encode(pixels);
  score.used.index_fill_(0, codes.flatten(), 1);
  const torch::Tensor made = codec_->decode(codec_->look_up(codes)).clamp(-1, 1);
  score.squares += torch::mse_loss(made, pixels).item<double>() * static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) {
    const Image image = to_image(made[i]);
    if (const auto* scene = std::get_if<Scene>(&truth[static_cast<size_t>(i)].picture)) {
      const Detection found = detector.detect(image);
      const Agreement agreement = agree(found, *scene);
      ++score.scenes;
      score.exact += scene_exact(found, *scene);
      score.objects += static_cast<int64_t>(scene->objects.size());
      score.classes += agreement.classes;
      score.colours += agreement.colours;
    }
    if (score.shown.size() < 2 * kGridPictures) {
      score.shown.push_back(truths[static_cast<size_t>(i)]);
      score.shown.push_back(image);
    }
  }
}

Evaluation CodecTask::evaluate(Split split, const std::filesystem::path& dir,
                               const std::string& name, Shards& shards) {
  const Detector detector(recipe_.model.config.image);
  std::vector<Score> parts(static_cast<size_t>(shards.count()));
  shards.run([&](int shard) {
    Score& score = parts[static_cast<size_t>(shard)];
    score.used = torch::zeros({usage_.size(0)}, torch::kLong);
    const int64_t end = recipe_.eval.samples * (shard + 1) / shards.count();
    for (int64_t i = recipe_.eval.samples * shard / shards.count(); i < end; i += kEvaluateBatch) {
      evaluate_batch(split, i, std::min(kEvaluateBatch, end - i), detector, score);
    }
  });
  Score all = parts.front();
  for (size_t i = 1; i < parts.size(); ++i) {
    all.scenes += parts[i].scenes;
    all.exact += parts[i].exact;
    all.objects += parts[i].objects;
    all.classes += parts[i].classes;
    all.colours += parts[i].colours;
    all.squares += parts[i].squares;
    all.used = torch::maximum(all.used, parts[i].used);
  }
  const auto total = static_cast<double>(recipe_.eval.samples);
  const auto objects = static_cast<double>(std::max<int64_t>(all.objects, 1));
  Shown shown = write_grid(dir, "codec-" + name + ".png", all.shown, 6);
  shown.name = "codec";
  const auto scenes = static_cast<double>(std::max<int64_t>(all.scenes, 1));
  return {{{"scene_exact", static_cast<double>(all.exact) / scenes},
           {"class_right", static_cast<double>(all.classes) / objects},
           {"colour_right", static_cast<double>(all.colours) / objects},
           {"psnr", 10 * std::log10(4 / (all.squares / total))},
           {"codes_used", all.used.sum().item<double>()}},
          {shown}};
}

}  // namespace

std::unique_ptr<Task> make_codec_task(const Recipe& recipe, Processes& processes) {
  return std::make_unique<CodecTask>(recipe, processes);
}

}  // namespace janus::train
