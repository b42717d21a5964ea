// Any bytes as a tar: what is listed lies within them. SPDX-License-Identifier: MIT
#include "io/tar.h"

#include "fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  janus::only_refuses([&] {
    for (const janus::TarFile& file : janus::list_tar(bytes, "input").files) {
      if (file.bytes.data() < bytes.data() ||
          file.bytes.data() + file.bytes.size() > bytes.data() + bytes.size()) {
        std::abort();
      }
    }
  });
  return 0;
}
