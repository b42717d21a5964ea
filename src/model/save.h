// Whole checkpoints on their way out, tensor by tensor: a .gguf, or a directory in either published
// layout. What is read is at most a few hundred thousand numbers at a time, whatever the size.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/processor_config.h"
#include "kernels/backend.h"
#include "model/config.h"
#include "model/tensor_source.h"
#include "model/weight_names.h"

namespace janus {

// A model to be written, wherever its parts are from.
struct ModelToSave {
  std::string name;
  Config config;               // its layout is that of the source's names
  const TensorSource& source;  // must outlive the writing
  std::function<Dtype(const std::string& tensor)> stored;  // type of a tensor of the source
  std::string tokenizer_json;
  ProcessorConfig processor;
  std::vector<float> preview;  // generate/preview's map; empty for none
  std::vector<int64_t> preview_shape;
  std::string quality = {};  // Checkpoint::quality(); a directory is written without it
};

struct SaveOptions {
  std::optional<Dtype> type;  // none: as stored
  // Of a .gguf: matrices as this backend packs them, so that mapping the file is loading it; `type`
  // is then how they are held. Null: ggml's plain order.
  const Backend* packing = nullptr;
  int64_t shard_bytes = 5'000'000'000;
  std::function<void(int64_t done, int64_t total)> on_progress;  // numbers written
};

// What a tensor of a .gguf is stored as: vectors, position embeddings and the book of codes f32;
// matrices of a type of blocks by matrix_type() of storage.h; what that leaves a 2-byte type, f16
// if it is stored so and bf16 otherwise. The tensor goes by its transformers name. `wanted`: none
// as stored.
Dtype gguf_type(const TensorSpec& tensor, std::optional<Dtype> wanted, Dtype stored);

void save_gguf(const std::filesystem::path& path, const ModelToSave& model,
               const SaveOptions& options);

// Into the existing `directory`: config and its companions, tokenizer.json, and the weights as
// model.safetensors, or as shards with their index where they are larger than a shard. Without a
// type, all tensors of a .gguf are written as most of its bytes are stored (bf16 where that is a
// type of blocks); others each as stored. Throws Code::not_supported for a type that safetensors
// lacks and for sizes that the layout cannot state.
void save_directory(const std::filesystem::path& directory, Layout layout, const ModelToSave& model,
                    const SaveOptions& options);

}  // namespace janus
