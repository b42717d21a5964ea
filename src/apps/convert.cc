// `januspro convert`: a checkpoint in another form: directories in either published layout and
// .gguf, from any of them. Written tensor by tensor, so that little memory does for any size.
// SPDX-License-Identifier: MIT
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apps/command.h"
#include "apps/new_directory.h"
#include "apps/progress.h"
#include "apps/quality_record.h"
#include "base/error.h"
#include "base/free_memory.h"
#include "generate/load.h"
#include "generate/preview.h"
#include "hub/cache.h"
#include "io/bpe_train.h"
#include "io/file.h"
#include "kernels/open.h"
#include "model/adapter.h"
#include "model/checkpoint_check.h"
#include "model/relaid.h"
#include "model/save.h"

namespace janus {

namespace {

namespace fs = std::filesystem;

constexpr const char* kAsStored = "as-stored";
constexpr const char* kNative = "native";

// Files that other programs want beside the weights; copied as they are where there are some.
constexpr const char* kCompanions[] = {"tokenizer_config.json", "special_tokens_map.json"};

bool names_gguf(const fs::path& path) { return path.extension() == ".gguf"; }

// A checkpoint's tensors with adapters merged into them, one after another. With none they are as
// they were.
class Merging {
 public:
  Merging(const Config& config, const TensorSource& source, Layout layout)
      : config_(config), source_(&source), layout_(layout) {}

  void add(const fs::path& directory) {
    const Adapter adapter = read_adapter(directory);
    const Layout layout = adapter_layout(adapter, config_);
    if (layout != layout_) {
      auto relaid = std::make_unique<RelaidSource>(config_, *source_, layout_, layout);
      relaid_.push_back(relaid.get());
      take(std::move(relaid));
      layout_ = layout;
    }
    take(std::make_unique<MergedSource>(*source_, adapter));
  }
  const TensorSource& source() const { return *source_; }
  Layout layout() const { return layout_; }
  // The checkpoint's own tensor that holds the first number of one of source().
  std::string origin(std::string tensor) const {
    for (auto step = relaid_.rbegin(); step != relaid_.rend(); ++step) {
      tensor = (*step)->origin(tensor);
    }
    return tensor;
  }

 private:
  void take(std::unique_ptr<TensorSource> next) {
    source_ = next.get();
    kept_.push_back(std::move(next));
  }

  const Config& config_;
  const TensorSource* source_;
  Layout layout_;
  std::vector<std::unique_ptr<TensorSource>> kept_;
  std::vector<const RelaidSource*> relaid_;
};

class ConvertVerb {
 public:
  ConvertVerb(CLI::App& app, const Interrupt& interrupt);
  void run();

 private:
  void check_use() const;
  void open();
  void fit_preview(ModelToSave& model);
  std::string quality() const;
  void write_gguf(const ModelToSave& model);
  void write_directory(const ModelToSave& model);
  void report(const std::map<std::string, int64_t>& bytes) const;

  CLI::App& app_;
  const Interrupt& interrupt_;
  std::string source_, target_;
  std::string type_ = kAsStored;
  std::string layout_ = "transformers";
  std::shared_ptr<const Backend> packing_;  // for --layout native
  std::vector<std::string> adapters_;
  bool no_preview_ = false, force_ = false, json_ = false, quiet_ = false;

  std::optional<Checkpoint> checkpoint_;
  SaveOptions options_;
  std::unique_ptr<ProgressBar> bar_;
};

ConvertVerb::ConvertVerb(CLI::App& app, const Interrupt& interrupt)
    : app_(app), interrupt_(interrupt) {
  app.add_option("SRC", source_, "Checkpoint directory, .gguf, or org/name[@revision] once pulled")
      ->required();
  app.add_option("DST", target_, "What to write: a name ending in .gguf, or a directory")
      ->required();
  app.add_option("--type", type_, "How values are stored; those with q in a .gguf only")
      ->check(CLI::IsMember(type_names({kAsStored}, true)))
      ->capture_default_str();
  app.add_option("--layout", layout_,
                 "Names of tensors and files, for a directory; native, for a .gguf: as this "
                 "program keeps matrices in memory, so that it starts at once")
      ->check(CLI::IsMember({"transformers", "official", kNative}))
      ->capture_default_str();
  app.add_option("--merge", adapters_,
                 "Directory of a LoRA adapter (peft's form) to merge into the weights; again for "
                 "several")
      ->take_all();
  app.add_flag("--no-preview", no_preview_,
               "Leave out of a .gguf how unfinished pictures are shown");
  app.add_flag("--force", force_, "Replace what is there");
  app.add_flag("--json", json_, "One JSON object on stdout");
  app.add_flag("--quiet", quiet_, "No progress on stderr");
  app.footer("Example:\n  januspro convert Janus-Pro-1B janus-pro-1b-q8_0.gguf --type q8_0");
}

void ConvertVerb::check_use() const {
  const bool gguf = names_gguf(target_);
  std::error_code none;
  const bool taken = gguf && fs::exists(target_, none) && fs::is_regular_file(target_, none);
  check(force_ || !taken, Code::bad_input, target_, ": is there already; --force replaces it");
  if (gguf) check_output(target_);
  const bool native = layout_ == kNative;
  if (gguf && app_.count("--layout") > 0 && !native) {
    throw UsageError("convert: --layout " + layout_ +
                     " is for a directory; a .gguf has names of its own");
  }
  if (native && !gguf) throw UsageError("convert: --layout native is for a .gguf");
  if (native && type_ == "f16") {
    throw UsageError("convert: --layout native holds f32, bf16 and types with q, not f16");
  }
  if (!gguf && no_preview_) throw UsageError("convert: --no-preview is for a .gguf");
  if (!gguf && type_.starts_with('q')) {
    throw UsageError("convert: " + type_ +
                     " is for a .gguf; name the target so, or choose another type");
  }
}

void ConvertVerb::open() {
  checkpoint_.emplace(ModelFlags::find_model(source_));
  checkpoint_->require({});
  options_.type = dtype_named(type_);
  if (layout_ == kNative) {
    packing_ = open_backend("cpu", 1);
    options_.packing = packing_.get();
    if (!options_.type) options_.type = held_type(*checkpoint_->source());
  }
  options_.on_progress = [this](int64_t done, int64_t total) {
    interrupt_.check();
    if (bar_->due() || done == total)
      bar_->show("writing", done / 1'000'000, total / 1'000'000, "M values");
  };
}

// The map of the source, or one fitted on some decodes of its codec, for which the decoder alone is
// loaded.
void ConvertVerb::fit_preview(ModelToSave& model) {
  if (no_preview_) return;
  const auto keep = [&](const PreviewMap& map) {
    model.preview = map.values();
    model.preview_shape = map.shape();
  };
  if (auto kept = checkpoint_->preview()) {
    const auto map = PreviewMap::of(std::move(*kept), model.config);
    if (map) return keep(*map);
  }
  LoadOptions load;
  load.backend = open_backend("auto");
  load.weights = Dtype::bf16;
  load.parts = kDecoderParts;
  load.on_progress = [&](double) { interrupt_.check(); };
  bar_->show("preparing the preview", 0, 1, "fits");
  keep(PreviewMap::fit(Model::load(*checkpoint_, load), [&] { interrupt_.check(); }));
}

// With an adapter merged it is another model.
std::string ConvertVerb::quality() const {
  const std::string text = adapters_.empty() ? checkpoint_->quality().value_or("") : "";
  parse_quality(text, checkpoint_->name() + ": its quality");
  return text;
}

void ConvertVerb::write_gguf(const ModelToSave& model) {
  save_gguf(target_, model, options_);
  bar_->clear();
  report({{target_, static_cast<int64_t>(fs::file_size(target_))}});
}

void ConvertVerb::write_directory(const ModelToSave& model) {
  const Layout layout = layout_ == "official" ? Layout::official : Layout::transformers;
  NewDirectory directory(target_, force_, "--force replaces it");
  save_directory(directory.partial(), layout, model, options_);
  const bool copied = fs::is_directory(checkpoint_->path());
  if (!copied) {
    save_tokenizer_files(directory.partial(), model.tokenizer_json, model.config.llama.context);
  }
  for (const char* name : kCompanions) {
    const fs::path from = checkpoint_->path() / name;
    std::error_code none;
    if (!copied || !fs::exists(from, none)) continue;
    const std::string text = read_text(from);
    write_atomically(directory.partial() / name, std::as_bytes(std::span(text)));
  }
  std::map<std::string, int64_t> bytes;
  for (const auto& entry : fs::directory_iterator(directory.partial())) {
    if (entry.path().extension() != ".safetensors") continue;
    bytes[(fs::path(target_) / entry.path().filename()).string()] =
        static_cast<int64_t>(entry.file_size());
  }
  directory.commit();
  bar_->clear();
  report(bytes);
}

void ConvertVerb::report(const std::map<std::string, int64_t>& bytes) const {
  int64_t total = 0;
  for (const auto& [name, size] : bytes) total += size;
  if (json_) {
    const nlohmann::ordered_json line{{"path", target_}, {"bytes", total}, {"files", bytes}};
    return print(json_line(line));
  }
  for (const auto& [name, size] : bytes) print(name + "  " + size_text(size) + "\n");
  if (bytes.size() > 1) print(target_ + "  " + size_text(total) + "\n");
}

void ConvertVerb::run() {
  check_use();
  bar_ = std::make_unique<ProgressBar>(quiet_);
  open();
  const auto source = checkpoint_->source();
  const Config config = checkpoint_->config();
  Merging merging(config, *source, check_tensors(config, *source));
  for (const std::string& adapter : adapters_) merging.add(adapter);
  const auto stored = [&](const std::string& one) {
    return source->stored(merging.origin(one)).value_or(Dtype::f32);
  };
  ModelToSave model{.name = name_of_snapshot(checkpoint_->path()).value_or(checkpoint_->title()),
                    .config = config,
                    .source = merging.source(),
                    .stored = stored,
                    .tokenizer_json = checkpoint_->tokenizer_json(),
                    .processor = checkpoint_->processor(),
                    .preview = {},
                    .preview_shape = {},
                    .quality = quality()};
  model.config.layout = merging.layout();
  if (!names_gguf(target_)) return write_directory(model);
  fit_preview(model);
  write_gguf(model);
}

}  // namespace

Run add_convert(CLI::App& app, const Interrupt& interrupt) {
  const auto verb = std::make_shared<ConvertVerb>(app, interrupt);
  return [verb] { verb->run(); };
}

}  // namespace janus
