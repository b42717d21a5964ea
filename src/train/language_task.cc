// Training of the language model with its vision tower, on two tasks: drawing (cross-entropy on the
// codes of the picture) and reading (on the tokens of the reply). The codec is frozen. A helper
// loss makes the patches of the vision tower tell what covers them; its heads stay out of the
// checkpoint. The report is in train/language_scores.h.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "generate/prompt.h"
#include "train/checkpoint.h"
#include "train/data.h"
#include "train/inputs.h"
#include "train/language_scores.h"
#include "train/net.h"
#include "train/task.h"
#include "train/vocabulary.h"

namespace janus::train {
namespace {

namespace nn = torch::nn;

constexpr double kEmbeddingSpread = 0.05;  // standard deviation of fresh embeddings
constexpr int kOutlineRows = 2;            // of cells, told ahead

class LanguageTask final : public Task {
 public:
  explicit LanguageTask(const Recipe& recipe);

  nn::Module& network() override { return *net_; }
  void start(int64_t first_step) override {
    loader_ = std::make_unique<Ahead<LanguageBatch>>(
        [this](int64_t pass) { return language_batch(recipe_, prompts_, pass); },
        first_step * recipe_.batch.accumulate);
  }
  void next(int64_t) override { batch_ = loader_->next(); }
  torch::Tensor loss(int64_t step, int shard, int shards, Figures& figures) override;
  void after(int64_t, Optimizer&, Figures&) override {}
  NamedTensors helpers() override {
    NamedTensors all;
    for (const auto& [name, weight] : named_parameters(*probe_)) all["probe." + name] = weight;
    for (const auto& [name, weight] : named_parameters(*subject_)) all["subject." + name] = weight;
    for (const auto& [name, weight] : named_parameters(*outline_)) all["outline." + name] = weight;
    return all;
  }
  NamedTensors state() const override { return {}; }
  Figures evaluate(Split split, const std::filesystem::path& dir, const std::string& name,
                   Shards& shards) override;

 private:
  void initialise();
  torch::Tensor draw_loss(int shard, int shards, Figures& figures);
  torch::Tensor subject_loss(const torch::Tensor& logits, std::span<const DrawRow> rows) const;
  torch::Tensor outline_loss(const torch::Tensor& logits, std::span<const DrawRow> rows) const;
  torch::Tensor ask_loss(bool probing, int shard, int shards, Figures& figures);

  Recipe recipe_;
  PromptBuilder prompts_;
  Janus net_;
  nn::Linear probe_;    // class and colour, or none, of what covers a patch
  nn::Linear subject_;  // class and colour of what is being drawn
  nn::Linear outline_;  // which of the next two rows' cells it touches
  std::unique_ptr<Ahead<LanguageBatch>> loader_;
  LanguageBatch batch_;
};

LanguageTask::LanguageTask(const Recipe& recipe)
    : recipe_(recipe),
      prompts_(recipe_tokenizer(recipe), recipe.model.config.vision.tokens(), std::string()),
      net_(recipe.model.config),
      probe_(recipe.model.config.vision.width, kShapeCount + kColourCount + 2),
      subject_(recipe.model.config.llama.width, kShapeCount + kColourCount),
      outline_(recipe.model.config.llama.width, kOutlineRows * recipe.model.config.grid()) {
  check(prompts_.tokenizer().vocabulary() <= recipe.model.config.llama.vocabulary, Code::bad_input,
        "the tokenizer has ", prompts_.tokenizer().vocabulary(),
        " entries, model.language.vocabulary gives rows for ",
        recipe.model.config.llama.vocabulary);
  initialise();
  NamedTensors weights = named_parameters(*net_);
  if (!recipe.model.init.empty()) {
    load_tensors(std::filesystem::path(recipe.model.init) / "model.safetensors", weights);
  } else if (!recipe.model.codec.empty()) {
    load_tensors(std::filesystem::path(recipe.model.codec) / "model.safetensors", weights,
                 "model.vqmodel.");
    torch::NoGradGuard off;  // the codes keep their geometry on the way into the decoder
    net_->model->generation_embeddings->weight.copy_(
        net_->model->vqmodel->look_up(torch::arange(recipe.model.config.vq.codes).unsqueeze(1))
            .flatten(1));
  }
  for (auto& parameter : net_->model->vqmodel->parameters()) parameter.set_requires_grad(false);
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

torch::Tensor LanguageTask::loss(int64_t step, int shard, int shards, Figures& figures) {
  torch::Tensor sum = torch::zeros({}, torch::requires_grad());
  const bool probing = recipe_.loss.probe > 0 &&
                       static_cast<double>(step) <
                           recipe_.loss.probe_until * static_cast<double>(recipe_.schedule.steps);
  if (!batch_.draw.empty()) sum = sum + draw_loss(shard, shards, figures);
  if (!batch_.ask.empty()) sum = sum + ask_loss(probing, shard, shards, figures);
  figures["loss"] = sum.item<double>();
  return sum;
}

// The rows of one shard.
template <class Row>
std::span<const Row> part(const std::vector<Row>& rows, int shard, int shards) {
  const size_t begin = rows.size() * static_cast<size_t>(shard) / static_cast<size_t>(shards);
  const size_t end = rows.size() * static_cast<size_t>(shard + 1) / static_cast<size_t>(shards);
  return std::span(rows).subspan(begin, end - begin);
}

// Of the rows that have a picture.
template <class Row>
torch::Tensor stack_pixels(std::span<const Row> rows, int side) {
  const int64_t shown =
      std::count_if(rows.begin(), rows.end(), [](const Row& row) { return !row.pixels.empty(); });
  torch::Tensor pixels = torch::empty({shown, 3, side, side});
  float* out = pixels.data_ptr<float>();
  for (const Row& row : rows) out = std::copy(row.pixels.begin(), row.pixels.end(), out);
  return pixels;
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

// Most of a picture is backdrop, which has little to do with prompt or question: places that an
// object covers count for more. The weights of all rows of a batch, of which `rows` are a part, add
// up to 1.   -> [rows * places]
template <class Row>
torch::Tensor place_weights(std::span<const Row> rows, const std::vector<Row>& all, double more) {
  const auto weight = [more](bool covered) { return covered ? 1 + more : 1.0; };
  double sum = 0;
  for (const Row& row : all) {
    for (const bool covered : row.covered) sum += weight(covered);
  }
  std::vector<float> weights;
  for (const Row& row : rows) {
    for (const bool covered : row.covered) {
      weights.push_back(static_cast<float>(weight(covered) / sum));
    }
  }
  return torch::tensor(weights);
}

torch::Tensor LanguageTask::draw_loss(int shard, int shards, Figures& figures) {
  const std::span<const DrawRow> rows = part(batch_.draw, shard, shards);
  if (rows.empty()) return torch::zeros({});
  const torch::Tensor codes =
      net_->model->vqmodel->encode(stack_pixels(rows, recipe_.model.config.image));  // [B, N]
  const Inputs inputs = draw_inputs(rows, recipe_.model.config, prompts_.ids());
  torch::Tensor logits, subject, outline;
  {
    const Precision precision(recipe_);
    const torch::Tensor hidden = net_->decode_at(inputs, net_->embed_codes(codes.flatten()));
    logits = net_->code_logits(hidden);
    if (recipe_.loss.subject > 0) subject = subject_(hidden);
    if (recipe_.loss.outline > 0) outline = outline_(hidden);
  }
  const double share = static_cast<double>(rows.size()) / static_cast<double>(batch_.draw.size());
  const torch::Tensor each =
      torch::cross_entropy_loss(logits.to(torch::kFloat), codes.flatten(), {}, at::Reduction::None);
  figures["code_loss"] = share * each.mean().item<double>();
  torch::Tensor loss =
      recipe_.loss.generate * (each * place_weights(rows, batch_.draw, recipe_.loss.object)).sum();
  if (subject.defined()) {
    const torch::Tensor told = subject_loss(subject, rows);
    figures["subject_loss"] = told.item<double>();
    loss = loss + recipe_.loss.subject * told;
  }
  if (outline.defined()) {
    const torch::Tensor told = share * outline_loss(outline.to(torch::kFloat), rows);
    figures["outline_loss"] = told.item<double>();
    loss = loss + recipe_.loss.outline * told;
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
                               place_weights(rows, batch_.draw, 0));
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

torch::Tensor LanguageTask::ask_loss(bool probing, int shard, int shards, Figures& figures) {
  const std::span<const AskRow> rows = part(batch_.ask, shard, shards);
  if (rows.empty()) return torch::zeros({});
  const Inputs inputs = ask_inputs(rows, recipe_.model.config, prompts_.ids());
  const torch::Tensor pixels = stack_pixels(rows, recipe_.model.config.image);
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
  size_t all = 0;
  for (const AskRow& row : batch_.ask) {
    const std::vector<bool>& taught = row.dialogue.taught;
    all += static_cast<size_t>(std::count(taught.begin(), taught.end(), true));
  }
  const double share = static_cast<double>(inputs.labels.size()) / static_cast<double>(all);
  const torch::Tensor wanted = torch::tensor(inputs.labels);
  logits = logits.to(torch::kFloat);
  const torch::Tensor loss = share * torch::cross_entropy_loss(logits, wanted);
  figures["answer_loss"] = loss.item<double>();
  figures["answer_tokens"] =
      share * (logits.argmax(1) == wanted).to(torch::kFloat).mean().item<double>();
  torch::Tensor sum = recipe_.loss.understand * loss;
  if (!probing) return sum;
  std::vector<int64_t> shapes, colours;
  for (const AskRow& row : rows) {
    shapes.insert(shapes.end(), row.shapes.begin(), row.shapes.end());
    colours.insert(colours.end(), row.colours.begin(), row.colours.end());
  }
  const torch::Tensor patches =
      class_and_colour_loss(probe, kShapeCount + 1, kColourCount + 1, shapes, colours,
                            place_weights(rows, batch_.ask, recipe_.loss.object));
  figures["probe_loss"] = patches.item<double>();
  return sum + recipe_.loss.probe * patches;
}

Figures LanguageTask::evaluate(Split split, const std::filesystem::path& dir,
                               const std::string& name, Shards& shards) {
  Figures figures;
  Scoring scoring{net_, prompts_, recipe_, split, shards};
  for (const Source& source : recipe_.data) {
    figures.merge(source.task == Teaches::generate
                      ? score_drawing(scoring, source.stream, dir, name)
                      : score_reading(scoring, source.stream));
  }
  return figures;
}

}  // namespace

std::unique_ptr<Task> make_language_task(const Recipe& recipe) {
  return std::make_unique<LanguageTask>(recipe);
}

}  // namespace janus::train
