// SPDX-License-Identifier: MIT
#include "model/save.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/quant.h"
#include "io/file.h"
#include "io/gguf.h"
#include "io/gguf_tokenizer.h"
#include "io/safetensors.h"
#include "io/tokenizer.h"
#include "model/checkpoint.h"
#include "model/config_files.h"
#include "model/config_gguf.h"
#include "model/gguf_names.h"
#include "model/relaid.h"
#include "model/save_packed.h"
#include "model/storage.h"
#include "model/value_check.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kPiece = 1 << 18;  // numbers read at a time; whole blocks of every type

// Tensors of one source as entries of a file, with progress over all of them.
class Streams {
 public:
  Streams(const TensorSource& source, const SaveOptions& options)
      : source_(source), options_(options) {}

  TensorEntry entry(const TensorSpec& tensor, Dtype type) {
    total_ += tensor.count();
    return {tensor.name, type, tensor.shape,
            [this, tensor, type](const auto& sink) { stream(tensor, type, sink); }};
  }

 private:
  template <class Sink>
  void stream(const TensorSpec& tensor, Dtype type, const Sink& sink) {
    const int64_t count = tensor.count();
    // Codes of blocks found again from their values may be others.
    const bool as_it_is = traits(type).block > 1 && source_.stored(tensor.name) == type;
    for (int64_t begin = 0; begin < count; begin += kPiece) {
      const int64_t piece = std::min(kPiece, count - begin);
      values_.resize(static_cast<size_t>(piece));
      source_.read(tensor.name, begin, values_);
      if (!all_below(values_, limit_of(type))) refuse_values(source_, tensor.name, count, type);
      bytes_.resize(static_cast<size_t>(bytes_of(type, piece)));
      if (as_it_is) {
        source_.read_blocks(tensor.name, begin, bytes_);
      } else {
        encode(type, values_, bytes_);
      }
      sink(bytes_);
      source_.done(tensor.name, begin + piece);
      done_ += piece;
      if (options_.on_progress) options_.on_progress(done_, total_);
    }
  }

  const TensorSource& source_;
  const SaveOptions& options_;
  int64_t done_ = 0, total_ = 0;
  std::vector<float> values_;
  std::vector<std::byte> bytes_;
};

// What most bytes are stored in.
Dtype main_type(const ModelToSave& model) {
  std::map<Dtype, int64_t> bytes;
  for (const TensorSpec& tensor : list_tensors(model.config, model.config.layout)) {
    const Dtype type = model.stored(tensor.name);
    bytes[type] += bytes_of(type, tensor.count());
  }
  const auto less = [](const auto& a, const auto& b) { return a.second < b.second; };
  return std::max_element(bytes.begin(), bytes.end(), less)->first;
}

// `general.file_type`, by llama.cpp's numbers.
int file_type(Dtype type) {
  switch (type) {
    case Dtype::f32:
      return 0;
    case Dtype::f16:
      return 1;
    case Dtype::q4_0:
      return 2;
    case Dtype::q8_0:
      return 7;
    case Dtype::q4_k:
      return 14;
    case Dtype::q4_k_m:
      return 15;
    case Dtype::q6_k:
      return 18;
    default:
      return 32;
  }
}

// Tensor after tensor into shards of at most `most` bytes; a larger one has a shard of its own.
std::vector<std::vector<TensorEntry>> into_shards(std::vector<TensorEntry> entries, int64_t most) {
  std::vector<std::vector<TensorEntry>> shards(1);
  int64_t bytes = 0;
  for (TensorEntry& entry : entries) {
    if (bytes > 0 && bytes + entry.bytes() > most) {
      shards.emplace_back();
      bytes = 0;
    }
    bytes += entry.bytes();
    shards.back().push_back(std::move(entry));
  }
  return shards;
}

std::string shard_name(size_t number, size_t count) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "model-%05zu-of-%05zu.safetensors", number, count);
  return text.data();
}

void save_weights(const fs::path& directory, std::vector<TensorEntry> entries, int64_t most) {
  auto shards = into_shards(std::move(entries), most);
  if (shards.size() == 1) {
    return write_safetensors(directory / "model.safetensors", shards[0], {{"format", "pt"}});
  }
  nlohmann::ordered_json map = nlohmann::ordered_json::object();
  int64_t bytes = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(i + 1, shards.size());
    for (const TensorEntry& entry : shards[i]) {
      map[entry.name] = name;
      bytes += entry.bytes();
    }
    write_safetensors(directory / name, shards[i], {{"format", "pt"}});
  }
  const nlohmann::ordered_json index{{"metadata", {{"total_size", bytes}}}, {"weight_map", map}};
  const std::string text = index.dump(2) + "\n";
  write_atomically(directory / "model.safetensors.index.json", std::as_bytes(std::span(text)));
}

}  // namespace

Dtype gguf_type(const TensorSpec& tensor, std::optional<Dtype> wanted, Dtype stored) {
  const std::string& name = tensor.name;
  if (tensor.shape.size() == 1 || name.ends_with("position_embedding.weight") ||
      name.ends_with("quantize.embedding.weight")) {
    return Dtype::f32;
  }
  const Dtype type = wanted.value_or(stored);
  if (traits(type).block == 1) return type;
  const Dtype otherwise = stored == Dtype::f16 ? Dtype::f16 : Dtype::bf16;
  if (tensor.shape.size() != 2) return otherwise;
  const Dtype by_rule = matrix_type(name, tensor.shape[1], type, otherwise);
  return by_rule != otherwise && !wanted && multiplied_as_stored(stored) ? stored : by_rule;
}

namespace {

GgufMetadata metadata_of(const ModelToSave& model, Dtype main) {
  GgufMetadata metadata;
  metadata.text("general.architecture", kJanusArchitecture);
  metadata.text("general.type", "model");
  metadata.text("general.name", model.name);
  metadata.whole("general.file_type", file_type(main));
  metadata.whole("general.quantization_version", 2);
  add_config(metadata, model.config, model.processor);
  add_tokenizer(metadata, model.tokenizer_json, model.name + ": its tokenizer",
                model.config.llama.vocabulary);
  if (!model.quality.empty()) metadata.text(kQualityKey, model.quality);
  return metadata;
}

void add_preview(std::vector<TensorEntry>& entries, const ModelToSave& model) {
  if (model.preview.empty()) return;
  entries.push_back({kPreviewTensor, Dtype::f32, model.preview_shape,
                     [&](const auto& sink) { sink(std::as_bytes(std::span(model.preview))); }});
}

void save_packed(const fs::path& path, const ModelToSave& model, const TensorSource& source,
                 const SaveOptions& options) {
  check(options.type && is_weight_type(*options.type), Code::not_supported,
        "packed weights are one of ", weight_type_names(),
        options.type ? ", not " + std::string(traits(*options.type).name) : std::string());
  const PackedEntries packed(model.config, source, *options.packing, *options.type,
                             options.on_progress);
  GgufMetadata metadata = metadata_of(model, *options.type);
  packed.add_metadata(metadata);
  std::vector<TensorEntry> entries = packed.entries();
  add_preview(entries, model);
  constexpr uint32_t kLine = 64;  // of a cache: no vector of a panel lies in two
  write_gguf(path, metadata, entries, kLine);
}

}  // namespace

void save_gguf(const fs::path& path, const ModelToSave& model, const SaveOptions& options) {
  const RelaidSource source(model.config, model.source, model.config.layout, Layout::gguf);
  if (options.packing) return save_packed(path, model, source, options);
  Streams streams(source, options);
  std::vector<TensorEntry> entries;
  std::map<Dtype, int64_t> bytes;
  for (const FieldTensors& field : list_fields(model.config)) {
    for (size_t i = 0; i < field.of(Layout::gguf).size(); ++i) {
      const TensorSpec& tensor = field.of(Layout::gguf)[i];
      const Dtype stored = model.stored(source.origin(tensor.name));
      const Dtype type = gguf_type(field.of(Layout::transformers)[i], options.type, stored);
      entries.push_back(streams.entry(tensor, type));
      bytes[type] += entries.back().bytes();
    }
  }
  add_preview(entries, model);
  const auto less = [](const auto& a, const auto& b) { return a.second < b.second; };
  Dtype main = std::max_element(bytes.begin(), bytes.end(), less)->first;
  if (main == Dtype::q4_k && bytes.contains(Dtype::q6_k)) main = Dtype::q4_k_m;
  if (options.type == Dtype::q4_k_m) main = Dtype::q4_k_m;  // whatever embeddings and codec take
  write_gguf(path, metadata_of(model, main), entries);
}

void save_directory(const fs::path& directory, Layout layout, const ModelToSave& model,
                    const SaveOptions& options) {
  Dtype main = options.type.value_or(main_type(model));
  if (!options.type && traits(main).safetensors_name.empty()) main = Dtype::bf16;
  check(!traits(main).safetensors_name.empty(), Code::not_supported, "a directory cannot hold ",
        traits(main).name, ", which safetensors lacks; write a .gguf, or choose f32, bf16 or f16");
  const bool uniform = options.type || model.config.layout == Layout::gguf;
  const RelaidSource source(model.config, model.source, model.config.layout, layout);
  Streams streams(source, options);
  std::vector<TensorEntry> entries;
  for (const TensorSpec& tensor : list_tensors(model.config, layout)) {
    entries.push_back(
        streams.entry(tensor, uniform ? main : model.stored(source.origin(tensor.name))));
  }
  const Tokenizer tokenizer =
      Tokenizer::parse(model.tokenizer_json, model.name + ": its tokenizer");
  for (const auto& [name, text] :
       config_files(model.config, layout, model.processor, &tokenizer, main)) {
    write_atomically(directory / name, std::as_bytes(std::span(text)));
  }
  write_atomically(directory / "tokenizer.json", std::as_bytes(std::span(model.tokenizer_json)));
  save_weights(directory, std::move(entries), options.shard_bytes);
}

}  // namespace janus
