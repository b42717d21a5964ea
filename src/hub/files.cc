// Files that this program reads, and the small ones that other programs want of the same folder.
// SPDX-License-Identifier: MIT
#include "hub/files.h"

#include <array>
#include <string_view>

#include "base/error.h"
#include "io/checkpoint_files.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 2> kRequired = {"config.json", "tokenizer.json"};
// The first two are read here; the others are small, and without them Python's libraries would find
// half a model.
constexpr std::array<std::string_view, 7> kOptional = {
    "preprocessor_config.json", "processor_config.json",  "tokenizer_config.json",
    "special_tokens_map.json",  "generation_config.json", "chat_template.jinja",
    "chat_template.json"};

struct WeightForm {
  std::string_view single;           // one file
  std::string_view index;            // or this, with shards
  std::string_view stem, extension;  // of a shard: STEM-00001-of-00002EXTENSION
};

constexpr std::array<WeightForm, 2> kWeights = {
    WeightForm{"model.safetensors", "model.safetensors.index.json", "model", ".safetensors"},
    WeightForm{"pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model", ".bin"}};

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_shard(std::string_view name, const WeightForm& form) {
  if (!name.starts_with(form.stem) || !name.ends_with(form.extension)) return false;
  name.remove_prefix(form.stem.size());
  name.remove_suffix(form.extension.size());
  const size_t of = name.find("-of-");
  return name.starts_with('-') && of != std::string_view::npos && of > 0 &&
         is_number(name.substr(1, of - 1)) && is_number(name.substr(of + 4));
}

std::vector<std::string> weight_files(const std::set<std::string>& names) {
  for (const WeightForm& form : kWeights) {
    if (names.contains(std::string(form.single))) return {std::string(form.single)};
    if (!names.contains(std::string(form.index))) continue;
    std::vector<std::string> found{std::string(form.index)};
    for (const std::string& name : names) {
      if (is_shard(name, form)) found.push_back(name);
    }
    if (found.size() > 1) return found;
  }
  return {};
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// A link that leads nowhere counts: the reader would stumble over it too.
bool is_named(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

void add_missing_weights(const fs::path& dir, std::vector<std::string>& missing) {
  for (const WeightForm& form : kWeights) {
    if (is_named(dir / form.single)) {
      if (!is_there(dir / form.single)) missing.emplace_back(form.single);
      return;
    }
    if (!is_named(dir / form.index)) continue;
    try {
      std::set<std::string> shards;
      for (const auto& [tensor, shard] : read_shard_index(dir / form.index)) shards.insert(shard);
      for (const std::string& shard : shards) {
        if (!is_there(dir / shard)) missing.push_back(shard);
      }
    } catch (const Error&) {
      missing.push_back(std::string(form.index) + " in a readable state");
    }
    return;
  }
  missing.push_back("weights (model.safetensors)");
}

}  // namespace

std::vector<std::string> needed_files(const std::set<std::string>& names, const std::string& repo) {
  std::set<std::string> needed;
  for (const std::string_view name : kRequired) {
    check(names.contains(std::string(name)), Code::not_supported, repo, " holds no ", name,
          ": it is not a checkpoint in one of the two published layouts of Janus-Pro");
    needed.emplace(name);
  }
  for (const std::string_view name : kOptional) {
    if (names.contains(std::string(name))) needed.emplace(name);
  }
  const std::vector<std::string> weights = weight_files(names);
  check(!weights.empty(), Code::not_supported, repo,
        " holds no weights that can be read here: looked for model.safetensors, "
        "pytorch_model.bin, and their .index.json with shards");
  needed.insert(weights.begin(), weights.end());
  return {needed.begin(), needed.end()};
}

std::vector<std::string> missing_files(const fs::path& dir) {
  std::vector<std::string> missing;
  for (const std::string_view name : kRequired) {
    if (!is_there(dir / name)) missing.emplace_back(name);
  }
  add_missing_weights(dir, missing);
  return missing;
}

}  // namespace janus
