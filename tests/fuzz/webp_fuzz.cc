// Any bytes as a WebP; a small limit of pixels keeps every run short.
// SPDX-License-Identifier: MIT
#include "io/webp.h"

#include "fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  janus::only_refuses([&] {
    const janus::Image image = janus::decode_webp(bytes, "input", {.pixels = 100'000});
    const auto pixels = static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
    if (pixels == 0 || image.rgb.size() != pixels * 3) std::abort();
  });
  const auto exif = janus::webp_exif(bytes);
  if (!exif.empty() &&
      (exif.data() < bytes.data() || exif.data() + exif.size() > bytes.data() + bytes.size())) {
    std::abort();
  }
  return 0;
}
