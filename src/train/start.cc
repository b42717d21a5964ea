// See start.h.
// SPDX-License-Identifier: MIT
#include "train/start.h"

#include <optional>
#include <system_error>

#include "base/error.h"
#include "io/bpe_train.h"
#include "io/file.h"
#include "io/tokenizer.h"
#include "model/checkpoint.h"
#include "model/config_files.h"

namespace janus::train {

namespace fs = std::filesystem;

Start start_of(const fs::path& model) {
  const Checkpoint checkpoint(model);
  Start start{checkpoint.config(), checkpoint.processor()};
  start.config.layout = Layout::transformers;
  return start;
}

std::string tokenizer_of(const fs::path& model) { return Checkpoint(model).tokenizer_json(); }

void keep_start(const fs::path& model, const fs::path& dir) {
  const Start start = start_of(model);
  const bool codec_alone = fs::is_directory(model) && !fs::exists(model / "tokenizer.json");
  const fs::path partial = dir.string() + ".partial";
  std::error_code error;
  fs::remove_all(partial, error);
  fs::create_directories(partial, error);
  check(!error, Code::device_failure, partial.string(), ": ", error.message());
  std::optional<Tokenizer> tokenizer;
  if (!codec_alone) {
    const std::string json = tokenizer_of(model);
    tokenizer = Tokenizer::parse(json, model.string() + ": its tokenizer");
    save_tokenizer_files(partial, json, start.config.llama.context);
  }
  for (const auto& [name, text] : config_files(start.config, Layout::transformers, start.processor,
                                               tokenizer ? &*tokenizer : nullptr, Dtype::f32)) {
    write_atomically(partial / name, std::as_bytes(std::span(text)));
  }
  fs::rename(partial, dir, error);
  check(!error, Code::device_failure, dir.string(), ": ", error.message());
}

}  // namespace janus::train
