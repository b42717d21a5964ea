// The training loop: recipe in, checkpoints, metrics and progress lines out. Not here: what is
// trained (task.h) and how weights move (optimizer.h).
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/log.h"
#include "train/recipe.h"
#include "world/scene.h"

namespace janus::train {

class Processes;

enum class Ended { finished, stopped };

// Trains in the directory `run` by its recipe.toml: from the newest checkpoint there, or from the
// start. `stop` is asked after each step; when true, a checkpoint is written and the loop ends.
// What it tells besides progress lines to `log`: journal.h.
// `threads`: cores to use, 0 for all; the same number gives the same bits. `memory`: the most bytes
// to take, 0 for what is free; throws Code::out_of_memory before anything is taken (memory.h).
Ended train(const std::filesystem::path& run, int threads, const Log& log,
            const std::function<bool()>& stop, int64_t memory = 0);

// The same by many processes, each of which calls it. Where another of them is gone, throws
// Deserted after the first has saved what it can: Processes::explain() says who.
Ended train(const std::filesystem::path& run, int threads, const Log& log,
            const std::function<bool()>& stop, int64_t memory, Processes& processes);

// Makes `run` with the recipe in it. Throws Code::bad_input when it holds a run already.
void begin_run(const std::filesystem::path& run, const std::string& recipe_toml);

// Scores of a checkpoint directory on `samples` samples of each of the `streams` (of
// world/streams.h) and of the codec's from `split`: what a model card states. Without `guidance`
// the checkpoint's own is used. Leaves contact sheets in `pictures`.
std::map<std::string, double> score(const std::filesystem::path& model, Split split,
                                    int64_t samples, std::optional<double> guidance,
                                    const std::filesystem::path& pictures, int threads,
                                    std::span<const std::string> streams);

// What train() would do, as text.
std::string plan(const Recipe& recipe, int threads);

// The weights (averaged where kept) of the newest checkpoint, or of the one that was best in the
// run's reports, as a checkpoint directory in the transformers layout; a codec run gives one whose
// language model is absent. Floats are rounded to bf16 where asked.
void export_run(const std::filesystem::path& run, const std::filesystem::path& dir, bool bf16,
                bool best, const Log& log);

}  // namespace janus::train
