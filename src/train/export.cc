// See export.h.
// SPDX-License-Identifier: MIT
#include "train/export.h"

#include <map>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "io/bpe_train.h"
#include "io/file.h"
#include "io/tokenizer.h"
#include "model/config_files.h"
#include "train/checkpoint.h"

namespace janus::train {

namespace fs = std::filesystem;

void write_checkpoint(const fs::path& dir, const Config& config, const ProcessorConfig& processor,
                      const std::string& tokenizer_json, const NamedTensors& weights, bool bf16) {
  constexpr const char* kSizes = "config.json";
  std::error_code error;
  fs::create_directories(dir, error);
  check(!error, Code::device_failure, dir.string(), ": ", error.message());
  const auto write = [&](const std::string& name, const std::string& text) {
    write_atomically(dir / name, std::as_bytes(std::span(text)));
  };
  std::optional<Tokenizer> tokenizer;
  if (!tokenizer_json.empty()) {
    tokenizer = Tokenizer::parse(tokenizer_json, "the run's tokenizer");
    save_tokenizer_files(dir, tokenizer_json, config.llama.context);
  }
  const std::map<std::string, std::string> files =
      config_files(config, Layout::transformers, processor, tokenizer ? &*tokenizer : nullptr,
                   bf16 ? Dtype::bf16 : Dtype::f32);
  for (const auto& [name, text] : files) {
    if (tokenizer && name != kSizes) write(name, text);
  }
  save_tensors(dir / "model.safetensors", weights, bf16);
  write(kSizes, files.at(kSizes));
}

}  // namespace janus::train
