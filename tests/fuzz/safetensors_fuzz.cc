// Any bytes as a safetensors file.
// SPDX-License-Identifier: MIT
#include "io/safetensors.h"

#include "read_all.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const janus::FuzzFile file(data, size);
  janus::only_refuses([&] { janus::read_all(janus::read_safetensors(file.path())); });
  return 0;
}
