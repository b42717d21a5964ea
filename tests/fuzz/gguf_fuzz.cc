// Any bytes as a .gguf: its header, its tensors, and what is made of its metadata: config, prompts,
// tokenizer, packed weights.
// SPDX-License-Identifier: MIT
#include "io/gguf.h"

#include <nlohmann/json.hpp>

#include "io/gguf_tokenizer.h"
#include "io/tokenizer.h"
#include "kernels/panels.h"
#include "model/config_gguf.h"
#include "model/packed_source.h"
#include "read_all.h"

namespace {

// The first and the last numbers of every tensor, and all bytes that a backend would be lent.
void read_packed(const janus::GgufFile& file) {
  const janus::PackedSource source(file, janus::load_config(file), file.tensors());
  for (const auto& [name, shape] : source.shapes()) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    std::vector<float> values(static_cast<size_t>(std::min<int64_t>(count, 5000)));
    source.read(name, 0, values);
    source.read(name, count - std::ssize(values), values);
    for (const janus::Dtype type : janus::kDtypes) {
      for (const std::string_view packing : {janus::kPanelPacking, std::string_view()}) {
        const auto lent = source.mapped(name, packing, type);
        if (!lent) continue;
        const auto zeros = std::count(lent->bytes.begin(), lent->bytes.end(), std::byte{0});
        if (zeros > std::ssize(lent->bytes)) std::abort();
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const janus::FuzzFile path(data, size);
  janus::only_refuses([&] {
    const janus::GgufFile file(path.path());
    janus::only_refuses([&] { janus::read_all(file.tensors()); });
    janus::only_refuses([&] { janus::load_config(file); });
    janus::only_refuses([&] { janus::load_processor_config(file); });
    janus::only_refuses([&] { janus::load_config(file, file); });
    if (file.text(janus::kPackingKey)) janus::only_refuses([&] { read_packed(file); });
    janus::only_refuses([&] { janus::Tokenizer::parse(janus::tokenizer_json(file), "fuzz"); });
  });
  return 0;
}
