// SPDX-License-Identifier: MIT
#include "model/checkpoint.h"

#include <algorithm>

#include "base/error.h"
#include "io/checkpoint_files.h"
#include "io/file.h"
#include "io/gguf_tokenizer.h"
#include "io/mishap.h"
#include "io/special_tokens.h"
#include "model/config_gguf.h"
#include "model/llama_cpp.h"
#include "model/packed_source.h"
#include "model/stranger.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVisionArchitecture = "clip";
constexpr const char* kLanguageArchitecture = "llama";

// mmproj*.gguf in the folder of the language file.
std::vector<fs::path> vision_files_beside(const fs::path& language) {
  std::vector<fs::path> found;
  const fs::path folder = language.has_parent_path() ? language.parent_path() : fs::path(".");
  std::error_code ignored;
  for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with("mmproj") && name.ends_with(".gguf")) found.push_back(entry->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// The vision file that belongs to a language file; `named` where the user says so.
GgufFile open_vision(const GgufFile& language, const fs::path& named) {
  fs::path path = named;
  if (path.empty()) {
    if (!lists_token(language, kImageToken)) {
      refuse_stranger(
          language.name(), kLanguageArchitecture,
          "its architecture is \"llama\" and its tokens lack " + std::string(kImageToken));
    }
    const std::vector<fs::path> beside = vision_files_beside(language.path());
    check(!beside.empty(), Code::bad_input, language.name(),
          ": holds the language model of Janus alone, as llama.cpp keeps it; its vision file "
          "(mmproj*.gguf) is not beside it, name it with --mmproj");
    check(beside.size() == 1, Code::bad_input, language.name(), ": there are ", beside.size(),
          " mmproj*.gguf beside it, ", beside.front().filename().string(), " and ",
          beside.back().filename().string(), " among them; name one with --mmproj");
    path = beside.front();
  }
  GgufFile vision(path);
  const std::string kind(vision.text("general.architecture").value_or(""));
  check(kind == kVisionArchitecture, Code::bad_input, vision.name(), ": its architecture is \"",
        kind.substr(0, 60), "\", not \"clip\"; --mmproj wants the vision file of the pair");
  return vision;
}

// Files that are no .gguf, with what to do about them.
void check_file(const fs::path& path) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min(bytes.size(), kMishapBytes));
  if (is_gguf(head)) return;
  if (path.extension() == ".gguf") refuse_weight_mishap(path, head);
  refuse_mishap(path, head);
  fail(Code::bad_input, path.string(),
       ": is not a .gguf; name a directory with config.json and the weights, or a .gguf");
}

}  // namespace

Checkpoint::Checkpoint(const fs::path& path, const fs::path& mmproj) : path_(path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  check(fs::exists(status), Code::bad_input, "no checkpoint at ", path,
        error ? ": " + error.message() : ": there is no such file or directory");
  const bool directory = fs::is_directory(status);
  check(!directory || mmproj.empty(), Code::bad_input, path.string(),
        ": is a directory, which holds the vision tower itself; leave --mmproj out");
  if (!directory) open_gguf(mmproj);
}

void Checkpoint::open_gguf(const fs::path& mmproj) {
  check_file(path_);
  file_.emplace(path_);
  const std::string kind(file_->text("general.architecture").value_or(""));
  if (kind == kJanusArchitecture) {
    check(mmproj.empty(), Code::bad_input, path_.string(),
          ": holds the vision tower itself; leave --mmproj out");
  } else if (kind == kLanguageArchitecture) {
    vision_.emplace(open_vision(*file_, mmproj));
  } else {
    const std::string projector(file_->text("clip.projector_type").value_or(""));
    check(kind != kVisionArchitecture || projector != "janus_pro", Code::bad_input, path_.string(),
          ": is the vision file of llama.cpp's pair; name the language file with -m and this one "
          "with --mmproj");
    refuse_stranger(path_.string(), projector.empty() ? kind : projector,
                    projector.empty() ? "its architecture is \"" + kind.substr(0, 60) + "\""
                                      : "its projector is \"" + projector.substr(0, 60) + "\"");
  }
}

std::string Checkpoint::name() const {
  return vision_ ? path_.string() + " + " + vision_->path().filename().string() : path_.string();
}

std::string Checkpoint::title() const {
  if (file_) {
    const std::string_view stated = file_->text("general.name").value_or("");
    return stated.empty() ? path_.stem().string() : std::string(stated);
  }
  const fs::path whole = fs::weakly_canonical(path_);
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

Parts Checkpoint::parts() const { return vision_ ? kReadingParts : Parts{}; }

void Checkpoint::require(const Parts& parts) const {
  check(parts.within(this->parts()), Code::not_supported, name(),
        ": is llama.cpp's pair, which holds the half that reads; the one that draws (code vectors, "
        "image head, codec) is not in its files. Use it to ask, and for drawing convert the "
        "published checkpoint: januspro convert DIRECTORY FILE.gguf");
}

Config Checkpoint::config() const {
  if (vision_) return load_config(*file_, *vision_);
  return file_ ? load_config(*file_) : load_config(path_);
}

std::string Checkpoint::tokenizer_name() const {
  return file_ ? path_.string() + ": its tokenizer" : (path_ / "tokenizer.json").string();
}

std::string Checkpoint::tokenizer_json() const {
  if (file_) return janus::tokenizer_json(*file_);
  const fs::path path = path_ / "tokenizer.json";
  std::string text = read_text(path);
  refuse_mishap(path, text);
  return text;
}

ProcessorConfig Checkpoint::processor() const {
  if (!file_) return load_processor_config(path_);
  return vision_ ? ProcessorConfig{} : load_processor_config(*file_);
}

StoredTensors Checkpoint::tensors() const {
  if (!file_) return open_checkpoint_dir(path_);
  StoredTensors tensors = file_->tensors();
  if (vision_) tensors.merge(vision_->tensors());
  tensors.erase(kPreviewTensor);
  return tensors;
}

bool Checkpoint::packed() const { return file_ && !vision_ && PackedSource::is_packed(*file_); }

std::unique_ptr<const TensorSource> Checkpoint::source() const {
  if (packed()) return std::make_unique<const PackedSource>(*file_, config(), tensors());
  auto stored = std::make_unique<const StoredSource>(name(), tensors());
  if (!vision_) return stored;
  return std::make_unique<const UnpermutedSource>(config().llama, std::move(stored));
}

std::optional<std::vector<float>> Checkpoint::preview() const {
  if (!file_ || vision_) return std::nullopt;
  const auto entries = file_->entries();
  const bool there = std::any_of(entries.begin(), entries.end(),
                                 [](const auto& entry) { return entry.name == kPreviewTensor; });
  if (!there) return std::nullopt;
  const StoredTensors tensors = file_->tensors();
  const StoredTensor& stored = tensors.at(kPreviewTensor);
  if (!traits(stored.dtype).is_float) return std::nullopt;
  std::vector<float> values(static_cast<size_t>(stored.count()));
  stored.read_f32(0, values);
  return values;
}

std::optional<std::string> Checkpoint::quality() const {
  if (file_) {
    const auto text = file_->text(kQualityKey);
    return text ? std::optional<std::string>(*text) : std::nullopt;
  }
  constexpr int64_t kMostBytes = 1'000'000;
  std::error_code none;
  if (!fs::exists(path_ / kQualityFile, none)) return std::nullopt;
  return read_text(path_ / kQualityFile, kMostBytes);
}

}  // namespace janus
