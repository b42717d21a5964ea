// Any bytes as a .gguf: its header, its tensors, and what is made of its metadata: config, prompts,
// tokenizer.
// SPDX-License-Identifier: MIT
#include "io/gguf.h"

#include <nlohmann/json.hpp>

#include "io/gguf_tokenizer.h"
#include "io/tokenizer.h"
#include "model/config_gguf.h"
#include "read_all.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const janus::FuzzFile path(data, size);
  janus::only_refuses([&] {
    const janus::GgufFile file(path.path());
    janus::only_refuses([&] { janus::read_all(file.tensors()); });
    janus::only_refuses([&] { janus::load_config(file); });
    janus::only_refuses([&] { janus::load_processor_config(file); });
    janus::only_refuses([&] { janus::load_config(file, file); });
    janus::only_refuses([&] { janus::Tokenizer::parse(janus::tokenizer_json(file), "fuzz"); });
  });
  return 0;
}
