// Tensors to safetensors and back, and the checkpoints of a run:
//
//   RUN/recipe.toml             the recipe as run
//   RUN/tokenizer.json          of a language model
//   RUN/step-00001200/          weights.safetensors, optimizer.safetensors, state.json
//
//   RUN/best.json               which of them was the best in the run's reports, and its worth
//
// A checkpoint is written under another name and renamed, so that every step-* directory is whole;
// the newest is the one with the largest number.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "train/optimizer.h"
#include "train/torch.h"

namespace janus::train {

// Parameters of a module, by their full names.
NamedTensors named_parameters(const torch::nn::Module& module);

// f32 and i64 tensors as they are; with `bf16` floats are rounded to it.
void save_tensors(const std::filesystem::path& path, const NamedTensors& tensors,
                  bool bf16 = false);
// Each put together when its turn comes, in the order of names.
void save_tensors(const std::filesystem::path& path, const KeptTensors& tensors, bool bf16 = false);

// Overwrites every tensor of `into` in place with the stored one of its name. Throws
// Code::bad_checkpoint naming a missing or mis-shaped tensor with both shapes.
void load_tensors(const std::filesystem::path& path, const NamedTensors& into);

// Some elements in a row of a stored f32 tensor.
struct FilePart {
  std::string name;
  std::vector<int64_t> shape;  // of the whole
  int64_t begin = 0;           // of it, flattened
  torch::Tensor into;
};
void load_parts(const std::filesystem::path& path, std::span<const FilePart> parts);

struct Checkpoint {
  int64_t step = 0;  // steps done
  uint64_t seed = 0;
};

// The checkpoint that did best so far.
struct Best {
  int64_t step = 0;
  double worth = 0;  // higher is better
};
void mark_best(const std::filesystem::path& run, const Best& best);
std::optional<Best> best_checkpoint(const std::filesystem::path& run);

// Writes RUN/step-N and removes all but the newest `keep` and the best.
void save_checkpoint(const std::filesystem::path& run, const Checkpoint& at,
                     const NamedTensors& weights, const KeptTensors& state, int64_t keep);

// The directory of that checkpoint, if it is there.
std::optional<std::filesystem::path> checkpoint_of(const std::filesystem::path& run,
                                                   const std::optional<Best>& best);
// Steps done in a checkpoint, by the name of its directory.
int64_t step_of(const std::filesystem::path& checkpoint);
// The directory of the newest checkpoint, if there is one.
std::optional<std::filesystem::path> newest_checkpoint(const std::filesystem::path& run);

// Restores weights in place, and with them `state`, what a checkpoint has besides of its optimizer.
Checkpoint load_checkpoint(const std::filesystem::path& dir, const NamedTensors& weights,
                           Optimizer& optimizer, const NamedTensors& state);

}  // namespace janus::train
