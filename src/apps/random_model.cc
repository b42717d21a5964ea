// `januspro random-model`: a checkpoint of published shape with weights by rule, for tests and
// benches where no weights may be had. Written tensor by tensor, so that little memory does for any
// size. SPDX-License-Identifier: MIT
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "apps/command.h"
#include "apps/model_files.h"
#include "apps/progress.h"
#include "base/error.h"
#include "base/half.h"
#include "io/bpe_train.h"
#include "io/file.h"
#include "io/safetensors.h"
#include "model/config.h"
#include "model/synthetic.h"
#include "model/weight_names.h"

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
void save_tokenizer(const std::filesystem::path& directory, int64_t context) {
  BpeTrainer trainer;
  for (const char* line : {"a red ball on a green field", "What is shown in this image?",
                           "a blue cube on a red table", "Describe the picture in a few words.",
                           "There are two balls in the picture, one is red and one is blue."}) {
    trainer.add(line);
  }
  save_tokenizer_files(directory, trainer.train(512, janus_added_tokens()), context);
}

void convert(std::span<const float> values, Dtype type, std::vector<std::byte>& out) {
  const auto size = static_cast<size_t>(traits(type).bytes);
  out.resize(values.size() * size);
  if (type == Dtype::f32) {
    std::copy_n(std::as_bytes(values).data(), out.size(), out.data());
    return;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t bits = type == Dtype::f16 ? f32_to_f16(values[i]) : f32_to_bf16(values[i]);
    std::copy_n(std::as_bytes(std::span(&bits, 1)).data(), size, out.data() + i * size);
  }
}

// A directory that is there whole or not at all.
class NewDirectory {
 public:
  explicit NewDirectory(std::filesystem::path path) : path_(std::move(path)) {
    if (!path_.has_filename()) path_ = path_.parent_path();  // "name/"
    std::error_code none;
    check(!std::filesystem::exists(path_, none) || std::filesystem::is_empty(path_, none),
          Code::bad_input, path_.string(), ": is there already; remove it or choose another name");
    partial_ = path_;
    partial_ += ".partial-" + std::to_string(getpid());
    std::error_code error;
    std::filesystem::create_directory(partial_, error);
    check(!error, Code::device_failure, partial_.string(), ": cannot be made: ", error.message());
  }
  ~NewDirectory() {
    std::error_code none;
    if (!partial_.empty()) std::filesystem::remove_all(partial_, none);
  }
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;

  const std::filesystem::path& partial() const { return partial_; }
  void commit() {
    std::error_code error;
    std::filesystem::rename(partial_, path_, error);
    check(!error, Code::device_failure, path_.string(), ": cannot be made: ", error.message());
    partial_.clear();
  }

 private:
  std::filesystem::path path_;
  std::filesystem::path partial_;
};

class RandomModelVerb {
 public:
  RandomModelVerb(CLI::App& app, const Interrupt& interrupt);
  void run();

 private:
  void write_weights(const Config& config, Dtype type, const std::filesystem::path& path) const;

  const Interrupt& interrupt_;
  std::string directory_;
  std::string preset_;
  std::string type_ = "bf16";
  std::string layout_ = "transformers";
  uint32_t seed_ = 0;
  int layers_ = 0;
  bool quiet_ = false;
};

RandomModelVerb::RandomModelVerb(CLI::App& app, const Interrupt& interrupt)
    : interrupt_(interrupt) {
  app.add_option("DIR", directory_, "Directory to make")->required();
  app.add_option("--preset", preset_, "Sizes")
      ->required()
      ->check(CLI::IsMember({"tiny", "1b", "7b"}));
  app.add_option("--seed", seed_, "Which values")->check(whole_number())->capture_default_str();
  app.add_option("--layers", layers_, "Language layers, instead of the preset's")
      ->check(CLI::Range(1, 1000));
  app.add_option("--type", type_, "How values are stored")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}))
      ->capture_default_str();
  app.add_option("--layout", layout_, "Names of tensors and files")
      ->check(CLI::IsMember({"transformers", "official"}))
      ->capture_default_str();
  app.add_flag("--quiet", quiet_, "No progress on stderr");
  app.footer("Example:\n  januspro random-model tiny --preset tiny --seed 1");
}

void RandomModelVerb::write_weights(const Config& config, Dtype type,
                                    const std::filesystem::path& path) const {
  const SyntheticSource source(config, config.layout, seed_);
  const auto shapes = source.shapes();
  int64_t total = 0, done = 0;
  std::vector<TensorEntry> entries;
  ProgressBar bar(quiet_);
  std::vector<float> values;
  std::vector<std::byte> bytes;
  for (const TensorSpec& tensor : list_tensors(config, config.layout)) {
    int64_t count = 1;
    for (const int64_t size : tensor.shape) count *= size;
    total += count;
    const auto produce = [&, name = tensor.name, count](const auto& sink) {
      constexpr int64_t kPiece = 1 << 18;  // values at a time
      for (int64_t begin = 0; begin < count; begin += kPiece) {
        interrupt_.check();
        values.resize(static_cast<size_t>(std::min(kPiece, count - begin)));
        source.read(name, begin, values);
        convert(values, type, bytes);
        sink(bytes);
        done += static_cast<int64_t>(values.size());
        if (bar.due()) bar.show("writing", done / 1'000'000, total / 1'000'000, "M values");
      }
    };
    entries.push_back({tensor.name, type, tensor.shape, produce});
  }
  write_safetensors(path, entries, {{"format", "pt"}});
}

void RandomModelVerb::run() {
  Config config = preset(preset_);
  config.layout = layout_ == "official" ? Layout::official : Layout::transformers;
  if (layers_ > 0) config.llama.layers = layers_;
  const Dtype type = type_ == "f32" ? Dtype::f32 : type_ == "f16" ? Dtype::f16 : Dtype::bf16;
  NewDirectory directory(directory_);
  for (const auto& [name, text] : model_files(config, type)) {
    write_atomically(directory.partial() / name, std::as_bytes(std::span(text)));
  }
  save_tokenizer(directory.partial(), config.llama.context);
  write_weights(config, type, directory.partial() / "model.safetensors");
  directory.commit();
  print(directory_ + "\n");
}

}  // namespace

Run add_random_model(CLI::App& app, const Interrupt& interrupt) {
  const auto verb = std::make_shared<RandomModelVerb>(app, interrupt);
  return [verb] { verb->run(); };
}

}  // namespace janus
