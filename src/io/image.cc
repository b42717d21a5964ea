// Which decoder a file belongs to is told by its first bytes, and other kinds of picture are
// refused by name. SPDX-License-Identifier: MIT
#include "io/image.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.h"
#include "io/file.h"
#include "io/jpeg.h"
#include "io/png.h"

namespace janus {
namespace {

constexpr std::string_view kPng("\x89PNG\r\n\x1a\n", 8);
constexpr std::string_view kJpeg("\xff\xd8\xff", 3);

std::string_view head_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), std::min<size_t>(bytes.size(), 64)};
}

// What else the bytes may be, for the message.
std::string_view kind_of(std::string_view head) {
  struct Kind {
    size_t at;
    std::string_view mark;
    std::string_view name;
  };
  static constexpr std::array<Kind, 16> kKinds = {
      {{8, "WEBP", "a WebP picture"},
       {0, "GIF8", "a GIF picture"},
       {0, "BM", "a BMP picture"},
       {0, {"II*\0", 4}, "a TIFF picture"},
       {0, {"MM\0*", 4}, "a TIFF picture"},
       {4, "ftypavif", "an AVIF picture"},
       {4, "ftypheic", "an HEIC picture"},
       {4, "ftypmif1", "an HEIF picture"},
       {0, "\xff\x0a", "a JPEG XL picture"},
       {4, "JXL ", "a JPEG XL picture"},
       {4, "jP  ", "a JPEG 2000 picture"},
       {0, "8BPS", "a Photoshop file"},
       {0, "%PDF", "a PDF document"},
       {0, "<svg", "an SVG drawing"},
       {0, "<", "a web page or drawing"},
       {0, "version https://git-lfs", "a Git LFS pointer (run `git lfs pull`)"}}};
  for (const Kind& kind : kKinds) {
    if (head.size() >= kind.at && head.substr(kind.at).starts_with(kind.mark)) return kind.name;
  }
  return head.empty() ? "empty" : "of an unknown kind";
}

std::span<const std::byte> bytes_within(const MappedFile& file, const ImageLimits& limits) {
  check(static_cast<int64_t>(file.bytes().size()) <= limits.file_bytes, Code::bad_input,
        file.path(), " has ", file.bytes().size(), " bytes, more than the ", limits.file_bytes,
        " allowed for a picture");
  return file.bytes();
}

}  // namespace

Image decode_image(std::span<const std::byte> bytes, const std::string& name,
                   const ImageLimits& limits) {
  const auto head = head_of(bytes);
  if (head.starts_with(kPng)) return decode_png(bytes, name, limits);
  if (head.starts_with(kJpeg)) return decode_jpeg(bytes, name, limits);
  fail(Code::bad_input, name, " is ", kind_of(head),
       "; only PNG and JPEG pictures are read, so convert it to one of them");
}

Image load_image(const std::filesystem::path& path, const ImageLimits& limits) {
  const MappedFile file(path);
  return decode_image(bytes_within(file, limits), path.string(), limits);
}

std::map<std::string, std::string> load_png_text(const std::filesystem::path& path) {
  const MappedFile file(path);
  const auto bytes = bytes_within(file, ImageLimits{});
  if (!head_of(bytes).starts_with(kPng)) return {};
  return read_png_text(bytes, path.string());
}

}  // namespace janus
