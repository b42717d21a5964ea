// The weight files of a checkpoint directory, whatever they are called and however they are split.
// What the tensors mean is decided in model/weights.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "io/stored.h"

namespace janus {

// One weight file, safetensors or torch, told apart by its first bytes. Throws as the two readers
// do, and names the cure for a Git LFS pointer, a saved web page and torch files from before 1.6.
StoredTensors open_weight_file(const std::filesystem::path& path);

// Tensor -> shard, a file in the same folder, of a `….index.json`. Throws Code::bad_checkpoint when
// it is none or names a file elsewhere.
std::map<std::string, std::string> read_shard_index(const std::filesystem::path& path);

// The first that exists of `model.safetensors`, `model.safetensors.index.json` with its shards,
// `pytorch_model.bin`, `pytorch_model.bin.index.json` with its shards.
// Throws Code::bad_checkpoint: none of them there, an index that names a file outside the
// directory, missing shards (all are named), a shard without a tensor that the index promises, a
// tensor in two shards; Code::bad_input: a path that cannot be read.
StoredTensors open_checkpoint_dir(const std::filesystem::path& dir);

}  // namespace janus
