// Any bytes as the pickle of a torch weight file; without the container around it, so that
// mutations reach the machine.
// SPDX-License-Identifier: MIT
#include "io/pickle.h"

#include <span>

#include "fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  janus::only_refuses([&] {
    for (const auto& tensor :
         janus::read_pickled_tensors(std::as_bytes(std::span(data, size)), "input")) {
      if (tensor.shape.size() != tensor.strides.size() || tensor.offset < 0) std::abort();
    }
  });
  return 0;
}
