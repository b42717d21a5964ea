// `januspro random-model`: a checkpoint of published shape with weights by rule, for tests and
// benches where no weights may be had. Written tensor by tensor, so that little memory does for any
// size. SPDX-License-Identifier: MIT
#include <filesystem>
#include <memory>

#include "apps/command.h"
#include "apps/new_directory.h"
#include "apps/progress.h"
#include "base/error.h"
#include "base/quant.h"
#include "io/bpe_train.h"
#include "model/save.h"
#include "model/synthetic.h"

namespace janus {

namespace {

// janus-pro 1B and 7B as published; tiny runs in milliseconds.
Config preset(const std::string& name) {
  Config config;
  LlamaConfig& llama = config.llama;
  llama.vocabulary = 102400;
  llama.context = 16384;
  if (name == "1b") {
    llama.width = 2048;
    llama.layers = 24;
    llama.heads = llama.kv_heads = 16;
    llama.mlp_width = 5632;
  } else if (name == "7b") {
    llama.width = 4096;
    llama.layers = 30;
    llama.heads = llama.kv_heads = 32;
    llama.mlp_width = 11008;
  } else {
    llama.width = 64;
    llama.layers = 2;
    llama.heads = llama.kv_heads = 4;
    llama.mlp_width = 160;
    llama.vocabulary = 640;
    config.vision = {
        .image = 64, .patch = 8, .width = 64, .layers = 2, .heads = 4, .mlp_width = 128};
    config.vq = {.codes = 256,
                 .latent = 32,
                 .base = 32,
                 .multipliers = {1, 2, 1, 1},
                 .decoder_multipliers = {1, 2, 1, 1},
                 .blocks = 1};
  }
  llama.head_width = llama.width / llama.heads;
  config.gen_head_width = llama.width;
  config.image = config.vision.grid() * config.vq.downsample();
  return config;
}

// A small table: what is written out does not matter, only that every text has ids.
std::string small_tokenizer() {
  BpeTrainer trainer;
  for (const char* line : {"a red ball on a green field", "What is shown in this image?",
                           "a blue cube on a red table", "Describe the picture in a few words.",
                           "There are two balls in the picture, one is red and one is blue."}) {
    trainer.add(line);
  }
  return trainer.train(512, janus_added_tokens());
}

// Values as a checkpoint of that type has them: a .gguf keeps vectors in f32, and a model is to be
// the same there and in a directory.
class RoundedSource : public TensorSource {
 public:
  RoundedSource(const TensorSource& base, Dtype type) : base_(base), type_(type) {}
  std::string name() const override { return base_.name(); }
  std::map<std::string, std::vector<int64_t>> shapes() const override { return base_.shapes(); }
  void read(const std::string& tensor, int64_t begin, std::span<float> out) const override {
    base_.read(tensor, begin, out);
    std::vector<std::byte> stored(static_cast<size_t>(bytes_of(type_, std::ssize(out))));
    encode(type_, out, stored);
    decode(type_, stored, 0, out);
  }
  void done(const std::string&, int64_t) const override {}

 private:
  const TensorSource& base_;
  Dtype type_;
};

class RandomModelVerb {
 public:
  RandomModelVerb(CLI::App& app, const Interrupt& interrupt);
  void run();

 private:
  Layout layout() const;
  Config config() const;

  const Interrupt& interrupt_;
  CLI::App& app_;
  std::string target_;
  std::string preset_;
  std::string type_ = "bf16";
  std::string layout_ = "transformers";
  uint32_t seed_ = 0;
  int layers_ = 0;
  bool quiet_ = false;
};

RandomModelVerb::RandomModelVerb(CLI::App& app, const Interrupt& interrupt)
    : interrupt_(interrupt), app_(app) {
  app.add_option("DIR", target_, "Directory to make, or a name ending in .gguf")->required();
  app.add_option("--preset", preset_, "Sizes")
      ->required()
      ->check(CLI::IsMember({"tiny", "1b", "7b"}));
  app.add_option("--seed", seed_, "Which values")->check(whole_number())->capture_default_str();
  app.add_option("--layers", layers_, "Language layers, instead of the preset's")
      ->check(CLI::Range(1, 1000));
  app.add_option("--type", type_, "How values are stored; those with q in a .gguf only")
      ->check(CLI::IsMember(type_names({}, true)))
      ->capture_default_str();
  app.add_option("--layout", layout_, "Names of tensors and files, for a directory")
      ->check(CLI::IsMember({"transformers", "official"}))
      ->capture_default_str();
  app.add_flag("--quiet", quiet_, "No progress on stderr");
  app.footer("Example:\n  januspro random-model tiny --preset tiny --seed 1");
}

Layout RandomModelVerb::layout() const {
  return layout_ == "official" ? Layout::official : Layout::transformers;
}

Config RandomModelVerb::config() const {
  Config config = preset(preset_);
  config.layout = layout();
  if (layers_ > 0) config.llama.layers = layers_;
  return config;
}

void RandomModelVerb::run() {
  const bool gguf = std::filesystem::path(target_).extension() == ".gguf";
  if (!gguf && type_.starts_with('q')) {
    throw UsageError("random-model: " + type_ + " is for a .gguf; name the target so");
  }
  if (gguf && app_.count("--layout") > 0) {
    throw UsageError("random-model: --layout is for a directory; a .gguf has names of its own");
  }
  SaveOptions options;
  options.type = dtype_named(type_);
  const SyntheticSource exact(config(), layout(), seed_);
  const Dtype stored = traits(*options.type).block > 1 ? Dtype::bf16 : *options.type;
  const RoundedSource source(exact, stored);
  const ModelToSave model{.name = "random-" + preset_,
                          .config = config(),
                          .source = source,
                          .stored = [&](const std::string&) { return stored; },
                          .tokenizer_json = small_tokenizer(),
                          .processor = {},
                          .preview = {},
                          .preview_shape = {}};
  ProgressBar bar(quiet_);
  options.on_progress = [&](int64_t done, int64_t total) {
    interrupt_.check();
    if (bar.due()) bar.show("writing", done / 1'000'000, total / 1'000'000, "M values");
  };
  std::error_code none;
  if (gguf) {
    check(!std::filesystem::exists(target_, none), Code::bad_input, target_,
          ": is there already; remove it or choose another name");
    save_gguf(target_, model, options);
  } else {
    NewDirectory directory(target_, false);
    save_tokenizer_files(directory.partial(), model.tokenizer_json, model.config.llama.context);
    save_directory(directory.partial(), layout(), model, options);
    directory.commit();
  }
  bar.clear();
  print(target_ + "\n");
}

}  // namespace

Run add_random_model(CLI::App& app, const Interrupt& interrupt) {
  const auto verb = std::make_shared<RandomModelVerb>(app, interrupt);
  return [verb] { verb->run(); };
}

}  // namespace janus
