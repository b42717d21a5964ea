// Any bytes as a torch weight file, container and pickle.
// SPDX-License-Identifier: MIT
#include "io/torch_zip.h"

#include "read_all.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const janus::FuzzFile file(data, size);
  janus::only_refuses([&] { janus::read_all(janus::read_torch_zip(file.path())); });
  return 0;
}
