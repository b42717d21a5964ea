// What a run keeps of the model it starts from: sizes, how it is talked to, its tokenizer. They are
// small, so a run goes on by them when that model is gone. No libtorch here.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>

#include "io/processor_config.h"
#include "model/config.h"

namespace janus::train {

struct Start {
  Config config;  // its layout is the transformers one, as the network's names are
  ProcessorConfig processor;
};

// Of a checkpoint in any form that januspro loads, or of a directory that keep_start() wrote.
Start start_of(const std::filesystem::path& model);
// Its tokenizer.json.
std::string tokenizer_of(const std::filesystem::path& model);

// Writes them into the directory `dir`, whole or not at all. A codec alone has no tokenizer, and
// leaves its sizes.
void keep_start(const std::filesystem::path& model, const std::filesystem::path& dir);

}  // namespace janus::train
