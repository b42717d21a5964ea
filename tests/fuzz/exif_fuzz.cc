// Any bytes as an EXIF block, and as a JPEG or PNG that may hold one: nothing is refused, nothing
// outside of the input is read. What is read can be written.
// SPDX-License-Identifier: MIT
#include "io/exif.h"

#include "fuzz_file.h"
#include "io/jpeg.h"
#include "io/png.h"
#include "io/utf8.h"

namespace {

void look(std::span<const std::byte> block) {
  const janus::Exif exif = janus::read_exif(block);
  if (exif.orientation < 1 || exif.orientation > 8) std::abort();
  if (!exif.comment) return;
  if (janus::valid_utf8_prefix(*exif.comment) != exif.comment->size()) std::abort();
  if (!janus::read_exif(janus::write_exif(*exif.comment)).comment) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  look(bytes);
  look(janus::jpeg_exif(bytes));
  look(janus::png_exif(bytes));
  return 0;
}
