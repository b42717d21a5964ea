// Files are told apart by content; names only say where to look.
// SPDX-License-Identifier: MIT
#include "io/checkpoint_files.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "base/error.h"
#include "io/json.h"
#include "io/mishap.h"
#include "io/safetensors.h"
#include "io/torch_zip.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kNames = {
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
    "pytorch_model.bin.index.json"};

// Whether something lies at the path; links that cannot be followed count, so that opening them
// gives the reason.
bool present(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

void require_shards(const fs::path& dir, const std::set<std::string>& shards) {
  std::string missing;
  for (const std::string& shard : shards) {
    if (!present(dir / shard)) missing += (missing.empty() ? "" : ", ") + shard;
  }
  check(missing.empty(), Code::bad_checkpoint, dir, " lacks ", missing,
        ": the checkpoint is incomplete, download or copy these files",
        missing.empty() ? "" : unfinished_downloads(dir));
}

// Shards whose index was not downloaded with them.
void refuse_shards_without_index(const fs::path& dir) {
  std::error_code ignored;
  for (fs::directory_iterator entry(dir, ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    for (const std::string_view ending : {".safetensors", ".bin"}) {
      const size_t number = name.find("-0");  // model-00001-of-00002.safetensors
      if (!name.ends_with(ending) || name.find("-of-") == name.npos || number == name.npos)
        continue;
      const std::string index = name.substr(0, number) + std::string(ending) + ".index.json";
      fail(Code::bad_checkpoint, dir, " holds ", name, " but not ", index,
           ", which says what each shard holds; download it from the same place");
    }
  }
}

StoredTensors open_sharded(const fs::path& dir, const fs::path& index) {
  const auto shard_of = read_shard_index(index);
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : shard_of) shards.insert(shard);
  require_shards(dir, shards);
  StoredTensors all;
  std::map<std::string, std::string> found_in;
  for (const std::string& shard : shards) {
    for (auto& [name, tensor] : open_weight_file(dir / shard)) {
      const auto [place, fresh] = found_in.emplace(name, shard);
      check(fresh, Code::bad_checkpoint, dir, ": tensor '", name, "' is in ", place->second,
            " and again in ", shard, "; the shards are not of one checkpoint");
      all.emplace(name, std::move(tensor));
    }
  }
  for (const auto& [tensor, shard] : shard_of) {
    const auto place = found_in.find(tensor);
    check(place != found_in.end() && place->second == shard, Code::bad_checkpoint, dir / shard,
          " lacks tensor '", tensor, "', which ", index.filename(),
          " promises; the files are not of one checkpoint");
  }
  return all;
}

}  // namespace

std::map<std::string, std::string> read_shard_index(const fs::path& path) {
  const auto index = read_json(path);
  const auto refuse_unless = [&](bool ok, const std::string& what) {
    check(ok, Code::bad_checkpoint, path, " is not a usable index of shards: ", what);
  };
  refuse_unless(index.is_object() && index.contains("weight_map") &&
                    index["weight_map"].is_object() && !index["weight_map"].empty(),
                "it has no 'weight_map'");
  std::map<std::string, std::string> shards;
  for (const auto& [tensor, shard] : index["weight_map"].items()) {
    refuse_unless(shard.is_string(), "the shard of '" + tensor + "' is not a file name");
    const auto name = shard.get<std::string>();
    const bool plain = !name.empty() && name != "." && name != ".." &&
                       name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
    refuse_unless(plain, "it names the file '" + name + "', which is not in this folder");
    refuse_unless(name != path.filename(), "it names itself as a shard");
    shards[tensor] = name;
  }
  return shards;
}

StoredTensors open_weight_file(const fs::path& path) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min(bytes.size(), kMishapBytes));
  refuse_weight_mishap(path, head);
  if (head.starts_with("PK")) return read_torch_zip(path);
  check(!head.starts_with("\x80\x02") && head.substr(0, 64).find("ustar") == std::string_view::npos,
        Code::not_supported, path,
        " is a torch file from before version 1.6; load it with torch and save it again, or "
        "convert it to safetensors");
  return read_safetensors(path);
}

StoredTensors open_checkpoint_dir(const fs::path& dir) {
  std::error_code error;
  const auto status = fs::status(dir, error);
  check(fs::exists(status), Code::bad_input, "no checkpoint at ", dir,
        error ? ": " + error.message() : ": there is no such directory");
  check(fs::is_directory(status), Code::bad_input, dir,
        " is not a directory; pass the folder that holds config.json and the weights");
  for (const std::string_view name : kNames) {
    const fs::path path = dir / name;
    if (!present(path)) continue;
    return name.ends_with(".json") ? open_sharded(dir, path) : open_weight_file(path);
  }
  refuse_shards_without_index(dir);
  fail(Code::bad_checkpoint, dir,
       " holds no weights: looked for model.safetensors, "
       "pytorch_model.bin and their .index.json; download them",
       unfinished_downloads(dir));
}

}  // namespace janus
