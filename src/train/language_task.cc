// Training of the language model with its vision tower: drawing (cross-entropy on the codes of the
// picture) and replying about pictures or none (on the tokens of the reply). What a target counts
// is in train/shares.h. The codec is frozen. Helper losses make outputs that draw, and patches of
// the vision tower, tell what is there; their heads stay out of the checkpoint. The report is in
// train/language_scores.h.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "generate/prompt.h"
#include "train/broken.h"
#include "train/checkpoint.h"
#include "train/data.h"
#include "train/dense.h"
#include "train/drawing.h"
#include "train/inputs.h"
#include "train/language_scores.h"
#include "train/lora.h"
#include "train/model_files.h"
#include "train/net.h"
#include "train/precision.h"
#include "train/preference.h"
#include "train/row_source.h"
#include "train/shares.h"
#include "train/task.h"
#include "train/together.h"
#include "train/vocabulary.h"

namespace janus::train {
namespace {

namespace nn = torch::nn;

constexpr double kEmbeddingSpread = 0.05;  // standard deviation of fresh embeddings
constexpr int kOutlineRows = 2;            // of cells, told ahead

class LanguageTask final : public Task {
 public:
  LanguageTask(const Recipe& recipe, Processes& processes);

  nn::Module& network() override { return *net_; }
  void open_data(const std::filesystem::path& run) override;
  int64_t broken_rows() const override { return broken_->count(); }
  void start(int64_t first_step) override {
    loader_ = std::make_unique<Ahead<LanguageBatch>>(
        [this](int64_t pass) {
          return language_batch(recipe_, prompts_, sources_, pass, portion_);
        },
        first_step * recipe_.batch.accumulate, recipe_.batch.workers);
  }
  void next() override;
  StepWork work() const override {
    StepWork work;
    for (const LanguageBatch& batch : passes_) work += operations_.of(batch);
    return work;
  }
  torch::Tensor loss(int64_t step, int64_t pass, int shard, int shards, Figures& figures) override;
  void after(int64_t, Optimizer&, Figures&) override {}
  NamedTensors helpers() override {
    NamedTensors all;
    for (const auto& [name, weight] : named_parameters(*probe_)) all["probe." + name] = weight;
    for (const auto& [name, weight] : named_parameters(*subject_)) all["subject." + name] = weight;
    for (const auto& [name, weight] : named_parameters(*outline_)) all["outline." + name] = weight;
    return all;
  }
  NamedTensors adapter() override { return adapter_; }
  NamedTensors state() const override { return {}; }
  std::string samples(int64_t pass, int shard, int shards) const override;
  Evaluation evaluate(Split split, const std::filesystem::path& dir, const std::string& name,
                      Shards& shards) override;

 private:
  void initialise();
  torch::Tensor draw_loss(std::span<const DrawRow> rows, Figures& figures);
  torch::Tensor subject_loss(const torch::Tensor& logits, std::span<const DrawRow> rows) const;
  torch::Tensor outline_loss(const torch::Tensor& logits, std::span<const DrawRow> rows) const;
  torch::Tensor ask_loss(std::span<const AskRow> rows, bool probing, Figures& figures);
  torch::Tensor probe_loss(const torch::Tensor& logits, std::span<const AskRow> rows) const;

  Recipe recipe_;
  Processes& processes_;
  Portion portion_;
  Operations operations_;
  PromptBuilder prompts_;
  std::optional<CodeCache> kept_;  // codes of pictures in files
  RowSources sources_;
  std::optional<BrokenRows> broken_;
  Janus net_;
  NamedTensors adapter_;
  nn::Linear probe_;    // class and colour, or none, of what covers a patch
  nn::Linear subject_;  // class and colour of what is being drawn
  nn::Linear outline_;  // which of the next two rows' cells it touches
  std::optional<Preference> preference_;
  std::unique_ptr<Ahead<LanguageBatch>> loader_;
  // Of the step.
  std::vector<LanguageBatch> passes_;
  std::optional<Shares> shares_;
  double drawn_ = 0, probed_ = 0;  // sums of place_weight() with loss.object
  int64_t codes_ = 0;              // places that are drawn
};

LanguageTask::LanguageTask(const Recipe& recipe, Processes& processes)
    : recipe_(recipe),
      processes_(processes),
      portion_{processes.rank(), processes.size()},
      operations_(recipe),
      prompts_(recipe_prompts(recipe)),
      net_(recipe.model.config),
      probe_(recipe.model.config.vision.width, kShapeCount + kColourCount + 2),
      subject_(recipe.model.config.llama.width, kShapeCount + kColourCount),
      outline_(recipe.model.config.llama.width, kOutlineRows * recipe.model.config.grid()) {
  check(prompts_.tokenizer().vocabulary() <= recipe.model.config.llama.vocabulary, Code::bad_input,
        "the tokenizer has ", prompts_.tokenizer().vocabulary(),
        " entries, model.language.vocabulary gives rows for ",
        recipe.model.config.llama.vocabulary);
  net_->model->language_model->recompute = recipe.batch.checkpoint;
  net_->model->vision_model->recompute = recipe.batch.checkpoint;
  initialise();
  NamedTensors weights = named_parameters(*net_);
  if (!recipe.model.init.empty()) {
    load_model(recipe.model.init, recipe.model.config, weights);
  } else if (!recipe.model.codec.empty()) {
    load_model(recipe.model.codec, recipe.model.config, weights, kCodecParts);
    torch::NoGradGuard off;  // the codes keep their geometry on the way into the decoder
    net_->model->generation_embeddings->weight.copy_(
        net_->model->vqmodel->look_up(torch::arange(recipe.model.config.vq.codes).unsqueeze(1))
            .flatten(1));
  }
  for (auto& parameter : net_->model->vqmodel->parameters()) parameter.set_requires_grad(false);
  if (recipe.lora.rank > 0) adapter_ = add_lora(*net_, recipe);
  if (recipe.preference.beta > 0) preference_.emplace(recipe_, net_, prompts_.ids());
}

// Small embeddings, and less of each block's output in the residual stream the more blocks add to
// it.
void LanguageTask::initialise() {
  torch::NoGradGuard off;
  const double depth = 1 / std::sqrt(2.0 * recipe_.model.config.llama.layers);
  for (auto& [name, weight] : named_parameters(*net_)) {
    if (name.starts_with("model.vqmodel.")) continue;
    if (name.find("embed_tokens") != std::string::npos ||
        name.find("position_embedding") != std::string::npos) {
      weight.normal_(0, kEmbeddingSpread);
    }
    if (name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight")) weight.mul_(depth);
  }
}

// Most of a picture is backdrop, which has little to do with prompt or question: places that an
// object covers count for more.
double place_weight(bool covered, double more) { return covered ? 1 + more : 1; }

template <class Row>
double sum_of_weights(const std::vector<Row>& rows, double more) {
  double sum = 0;
  for (const Row& row : rows) {
    for (const bool covered : row.covered) sum += place_weight(covered, more);
  }
  return sum;
}

// Of each place of the rows, over `sum`.   -> [places]
template <class Row>
torch::Tensor place_weights(std::span<const Row> rows, double more, double sum) {
  std::vector<float> weights;
  for (const Row& row : rows) {
    for (const bool covered : row.covered) {
      weights.push_back(static_cast<float>(place_weight(covered, more) / sum));
    }
  }
  return torch::tensor(weights);
}

// Of everything that the codes of a picture depend on but the picture.
Digest codec_digest(const torch::nn::Module& codec, int side) {
  Hash hash;
  hash.add(std::as_bytes(std::span(&side, 1)));
  for (const auto& [name, weight] : named_parameters(codec)) {
    if (name.starts_with("decoder.") || name.starts_with("post_quant_conv.")) continue;
    const torch::Tensor values = weight.detach().to(torch::kFloat).contiguous();
    hash.add(std::as_bytes(std::span(name)));
    hash.add(
        std::as_bytes(std::span(values.data_ptr<float>(), static_cast<size_t>(values.numel()))));
  }
  return hash.digest();
}

void LanguageTask::open_data(const std::filesystem::path& run) {
  for (const auto& [question, image] : recipe_.eval.ask) {
    check(image.empty() || std::filesystem::is_regular_file(image), Code::bad_input,
          "eval.ask.image = \"", image, "\" is no file");
  }
  const Config& config = recipe_.model.config;
  const bool files = std::any_of(recipe_.data.begin(), recipe_.data.end(),
                                 [](const Source& source) { return source.from_file(); });
  constexpr int kKeepable = 1 << 16;  // by code_cache.h
  if (files && !run.empty() && recipe_.cache.codes != "none" && config.vq.codes <= kKeepable) {
    kept_.emplace(
        recipe_.cache.codes.empty() ? run / "codes" : std::filesystem::path(recipe_.cache.codes),
        codec_digest(*net_->model->vqmodel, config.image), config.image_tokens(), config.vq.codes);
  }
  sources_ = open_sources(recipe_, prompts_, kept_ ? &*kept_ : nullptr);
  try_rows(recipe_, sources_);
  broken_.emplace(recipe_, sources_, run / "broken.jsonl", processes_.leads());
}

void LanguageTask::next() {
  passes_.clear();
  std::vector<RowTargets> rows;
  std::vector<BrokenRow> broken;
  double drawn = 0, probed = 0;
  for (int64_t i = 0; i < recipe_.batch.accumulate; ++i) {
    passes_.push_back(loader_->next());
    const std::vector<BrokenRow>& met = passes_.back().broken;
    broken.insert(broken.end(), met.begin(), met.end());
    for (const DrawRow& row : passes_.back().draw) rows.push_back(targets_of(row));
    for (const AskRow& row : passes_.back().ask) rows.push_back(targets_of(row));
    drawn += sum_of_weights(passes_.back().draw, recipe_.loss.object);
    probed += sum_of_weights(passes_.back().ask, recipe_.loss.object);
  }
  TargetCounts counts = count_targets(rows);
  std::vector<double> weights = {drawn, probed};
  add_up(processes_, counts, weights);
  note_all(processes_, *broken_, broken);
  drawn_ = weights[0];
  probed_ = weights[1];
  shares_.emplace(recipe_, counts);
  codes_ = shares_->targets(Kind::generate);
}

// The rows of one shard.
template <class Row>
std::span<const Row> part(const std::vector<Row>& rows, int shard, int shards) {
  const size_t begin = rows.size() * static_cast<size_t>(shard) / static_cast<size_t>(shards);
  const size_t end = rows.size() * static_cast<size_t>(shard + 1) / static_cast<size_t>(shards);
  return std::span(rows).subspan(begin, end - begin);
}

// Of the random numbers of one shard of one pass.
uint64_t dropout_key(uint64_t seed, int64_t step, int64_t pass, int shard) {
  const auto words = philox({static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
                            {static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32),
                             static_cast<uint32_t>(pass), static_cast<uint32_t>(shard)});
  return uint64_t{words[1]} << 32 | words[0];
}

torch::Tensor LanguageTask::loss(int64_t step, int64_t pass, int shard, int shards,
                                 Figures& figures) {
  torch::Tensor sum = torch::zeros({}, torch::requires_grad());
  const bool probing = recipe_.loss.probe > 0 &&
                       static_cast<double>(step) <
                           recipe_.loss.probe_until * static_cast<double>(recipe_.schedule.steps);
  const LanguageBatch& batch = passes_[static_cast<size_t>(pass)];
  constexpr int kShards = 4096;  // of a process, at most
  const int stream = static_cast<int>(portion_.number) * kShards + shard;
  const Dropout dropout(dropout_key(recipe_.seed, step, pass, stream));
  const auto draw = part(batch.draw, shard, shards);
  const auto ask = part(batch.ask, shard, shards);
  if (preference_) {
    CodeCache* kept = kept_ ? &*kept_ : nullptr;
    if (!draw.empty()) sum = sum + preference_->of(draw, *shares_, kept, figures);
    if (!ask.empty()) sum = sum + preference_->of(ask, *shares_, figures);
  } else {
    if (!draw.empty()) sum = sum + draw_loss(draw, figures);
    if (!ask.empty()) sum = sum + ask_loss(ask, probing, figures);
  }
  figures["loss"] = sum.item<double>();
  return sum;
}

// A prompt's words, without pads and the places of a picture.
std::string words(const PromptBuilder& prompts, std::vector<int32_t> ids) {
  const SpecialIds& special = prompts.ids();
  std::erase_if(ids, [&](int32_t id) { return id == special.pad || id == special.image; });
  return prompts.tokenizer().decode(ids, false);
}

std::string LanguageTask::samples(int64_t pass, int shard, int shards) const {
  const LanguageBatch& batch = passes_[static_cast<size_t>(pass)];
  std::string all;
  const auto add = [&](const char* task, const std::vector<int32_t>& ids) {
    all.append(all.empty() ? "" : " or ").append(task) += " \"" + words(prompts_, ids) + "\"";
  };
  for (const DrawRow& row : part(batch.draw, shard, shards)) add("the drawing", row.prompt);
  for (const AskRow& row : part(batch.ask, shard, shards)) add("the answer", row.dialogue.ids);
  return all;
}

// Cross-entropy of both halves of logits [M, classes + colours], summed with `weights` [M].
torch::Tensor class_and_colour_loss(const torch::Tensor& logits, int classes, int colours,
                                    const std::vector<int64_t>& class_labels,
                                    const std::vector<int64_t>& colour_labels,
                                    const torch::Tensor& weights) {
  const torch::Tensor wide = logits.to(torch::kFloat);
  const auto each = [](const torch::Tensor& part, const std::vector<int64_t>& labels) {
    return torch::cross_entropy_loss(part, torch::tensor(labels), {}, at::Reduction::None);
  };
  return (weights * (each(wide.narrow(1, 0, classes), class_labels) +
                     each(wide.narrow(1, classes, colours), colour_labels)))
      .sum();
}

torch::Tensor LanguageTask::draw_loss(std::span<const DrawRow> rows, Figures& figures) {
  CodeCache* kept = kept_ ? &*kept_ : nullptr;
  const torch::Tensor codes = codes_of(net_, rows, kept);  // [B, N]
  const torch::Tensor sources = source_codes(net_, rows, kept);
  const Inputs inputs =
      draw_inputs(rows, recipe_.model.config, prompts_.ids(), recipe_.packed_length());
  torch::Tensor logits, subject, outline;
  {
    const Precision precision(recipe_);
    const torch::Tensor hidden = net_->decode_at(inputs, draw_vectors(net_, codes, sources, rows));
    logits = net_->code_logits(hidden);
    if (recipe_.loss.subject > 0) subject = subject_(hidden);
    if (recipe_.loss.outline > 0) outline = outline_(hidden);
  }
  const torch::Tensor each =
      torch::cross_entropy_loss(logits.to(torch::kFloat), codes.flatten(), {}, at::Reduction::None);
  const auto all = static_cast<double>(codes_);
  figures["code_loss"] = each.sum().item<double>() / all;
  // Of mean 1 over the step; every picture has as many codes.
  torch::Tensor weights = place_weights(rows, recipe_.loss.object, drawn_ / all);
  if (recipe_.edit.changed != 1) {
    weights = weights * changed_weights(codes, sources, rows, recipe_.edit.changed).flatten();
  }
  torch::Tensor loss = shares_->of(targets_of(rows.front())) * (each * weights).sum();
  const double share = shares_->of(Kind::generate);
  if (subject.defined()) {
    const torch::Tensor told = subject_loss(subject, rows);
    figures["subject_loss"] = told.item<double>();
    loss = loss + share * recipe_.loss.subject * told;
  }
  if (outline.defined()) {
    const torch::Tensor told =
        static_cast<double>(codes.numel()) / all * outline_loss(outline.to(torch::kFloat), rows);
    figures["outline_loss"] = told.item<double>();
    loss = loss + share * recipe_.loss.outline * told;
  }
  return loss;
}

// The words of a prompt decide a few codes of a picture; said at every code, they are found sooner.
torch::Tensor LanguageTask::subject_loss(const torch::Tensor& logits,
                                         std::span<const DrawRow> rows) const {
  std::vector<int64_t> shapes, colours;
  for (const DrawRow& row : rows) {
    shapes.insert(shapes.end(), row.shapes.begin(), row.shapes.end());
    colours.insert(colours.end(), row.colours.begin(), row.colours.end());
  }
  return class_and_colour_loss(logits, kShapeCount, kColourCount, shapes, colours,
                               place_weights(rows, 0, static_cast<double>(codes_)));
}

// A code that is drawn without a plan of what lies around it makes pieces instead of an object:
// the output that gives code k tells for cells k, k + 1, ... whether the object touches them.
// logits [rows * N, cells]; cells past the last row count nothing.
torch::Tensor LanguageTask::outline_loss(const torch::Tensor& logits,
                                         std::span<const DrawRow> rows) const {
  const auto cells = static_cast<size_t>(logits.size(1));
  std::vector<float> touched, counted;
  for (const DrawRow& row : rows) {
    for (size_t k = 0; k < row.covered.size(); ++k) {
      for (size_t ahead = 0; ahead < cells; ++ahead) {
        const bool inside = k + ahead < row.covered.size();
        touched.push_back(inside && row.covered[k + ahead] ? 1 : 0);
        counted.push_back(inside ? 1 : 0);
      }
    }
  }
  const torch::Tensor mask = torch::tensor(counted).view_as(logits);
  return torch::binary_cross_entropy_with_logits(logits, torch::tensor(touched).view_as(logits),
                                                 mask, {}, at::Reduction::Sum) /
         mask.sum();
}

// What each target of the rows counts.   -> [M]
torch::Tensor target_shares(std::span<const AskRow> rows, const Shares& shares) {
  std::vector<float> all;
  for (const AskRow& row : rows) {
    const RowTargets targets = targets_of(row);
    if (targets.count > 0) {
      all.insert(all.end(), static_cast<size_t>(targets.count),
                 static_cast<float>(shares.of(targets)));
    }
  }
  return torch::tensor(all);
}

torch::Tensor LanguageTask::ask_loss(std::span<const AskRow> rows, bool probing, Figures& figures) {
  const Inputs inputs =
      ask_inputs(rows, recipe_.model.config, prompts_.ids(), recipe_.packed_length());
  const torch::Tensor pixels = stack_pixels(rows, recipe_.model.config.vision.image);
  probing = probing && pixels.size(0) > 0;
  torch::Tensor logits, probe;
  {
    const Precision precision(recipe_);
    torch::Tensor vectors;  // stays undefined where no row has a picture
    if (pixels.size(0) > 0) {
      const torch::Tensor seen = net_->model->vision_model(pixels);
      vectors = net_->model->aligner(seen).flatten(0, 1);
      if (probing) probe = probe_(seen.flatten(0, 1));
    }
    logits = net_->text_logits(net_->decode_at(inputs, vectors));
  }
  const torch::Tensor wanted = torch::tensor(inputs.labels);
  logits = logits.to(torch::kFloat);
  const torch::Tensor each = torch::cross_entropy_loss(logits, wanted, {}, at::Reduction::None);
  int64_t first = 0;
  for (const AskRow& row : rows) {
    const auto [kind, count] = targets_of(row);
    const double sum = each.detach().narrow(0, first, count).sum().item<double>();
    first += count;
    if (count > 0) {
      figures[kind == Kind::text ? "text_loss" : "answer_loss"] +=
          sum / static_cast<double>(shares_->targets(kind));
    }
  }
  const int64_t replies = shares_->targets(Kind::understand) + shares_->targets(Kind::text);
  figures["answer_tokens"] =
      (logits.argmax(1) == wanted).sum().item<double>() / static_cast<double>(replies);
  const torch::Tensor loss = (each * target_shares(rows, *shares_)).sum();
  if (!probing) return loss;
  const torch::Tensor patches = probe_loss(probe, rows);
  figures["probe_loss"] = patches.item<double>();
  return loss + shares_->of(Kind::understand) * recipe_.loss.probe * patches;
}

torch::Tensor LanguageTask::probe_loss(const torch::Tensor& logits,
                                       std::span<const AskRow> rows) const {
  std::vector<int64_t> shapes, colours;
  for (const AskRow& row : rows) {
    shapes.insert(shapes.end(), row.shapes.begin(), row.shapes.end());
    colours.insert(colours.end(), row.colours.begin(), row.colours.end());
  }
  return class_and_colour_loss(logits, kShapeCount + 1, kColourCount + 1, shapes, colours,
                               place_weights(rows, recipe_.loss.object, probed_));
}

Evaluation LanguageTask::evaluate(Split split, const std::filesystem::path& dir,
                                  const std::string& name, Shards& shards) {
  Evaluation all;
  Scoring scoring{net_, prompts_, recipe_, split, shards};
  for (const Source& source : recipe_.data) {
    // Nobody judges what a file wants; `loss` tells how well it is known. Edits are judged by
    // `januspro eval`, which draws with the engine's three rows.
    if (source.from_file() || source.task == Teaches::edit) continue;
    source.task == Teaches::generate ? score_drawing(scoring, source.stream, dir, name, all)
                                     : score_reading(scoring, source.stream, all);
  }
  show_own(scoring, dir, name, all);
  return all;
}

}  // namespace

std::unique_ptr<Task> make_language_task(const Recipe& recipe, Processes& processes) {
  return std::make_unique<LanguageTask>(recipe, processes);
}

}  // namespace janus::train
