// Any bytes as config.json: accepted or refused, never more. What is accepted is walked to the list
// of its tensors, whose sizes must be countable without overflow.
// SPDX-License-Identifier: MIT
#include "model/config.h"

#include <cstdlib>

#include "base/error.h"
#include "model/weight_names.h"

namespace {

// The bytes of all tensors, counted without overflow.
void count_tensors(const janus::Config& config) {
  for (const janus::Layout layout : {janus::Layout::official, janus::Layout::transformers}) {
    int64_t total = 0;
    for (const janus::TensorSpec& tensor : janus::list_tensors(config, layout)) {
      int64_t count = 4;
      for (const int64_t each : tensor.shape) {
        if (each < 1 || __builtin_mul_overflow(count, each, &count)) std::abort();
      }
      if (__builtin_add_overflow(total, count, &total)) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const janus::Config config = janus::parse_config(text, "config.json");
    if (config.image < 1 || config.grid() < 1 || config.llama.heads % config.llama.kv_heads != 0) {
      std::abort();
    }
    count_tensors(config);
  } catch (const janus::Error& error) {
    if (error.code() == janus::Code::bug || error.code() == janus::Code::device_failure) {
      std::abort();
    }
  }
  return 0;
}
