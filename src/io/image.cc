// Which reader a file belongs to is told by its first bytes, and other kinds of picture are
// refused by name. SPDX-License-Identifier: MIT
#include "io/image.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>

#include "base/error.h"
#include "io/bmp.h"
#include "io/exif.h"
#include "io/file.h"
#include "io/gif.h"
#include "io/jpeg.h"
#include "io/orientation.h"
#include "io/png.h"
#include "io/webp.h"

namespace janus {
namespace {

constexpr int kJpegQuality = 95;

std::string_view head_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), std::min<size_t>(bytes.size(), 64)};
}

bool has(std::string_view head, size_t at, std::string_view mark) {
  return head.size() >= at && head.substr(at).starts_with(mark);
}

enum class Kind { png, jpeg, webp, gif, bmp, other };

Kind kind_of(std::span<const std::byte> bytes) {
  const std::string_view head = head_of(bytes);
  if (has(head, 0, {"\x89PNG\r\n\x1a\n", 8})) return Kind::png;
  if (has(head, 0, "\xff\xd8\xff")) return Kind::jpeg;
  if (has(head, 0, "RIFF") && has(head, 8, "WEBP")) return Kind::webp;
  if (has(head, 0, "GIF87a") || has(head, 0, "GIF89a")) return Kind::gif;
  if (has(head, 0, "BM")) return Kind::bmp;
  return Kind::other;
}

// What else the bytes may be, for the message.
std::string_view name_of(std::string_view head) {
  struct Other {
    size_t at;
    std::string_view mark;
    std::string_view name;
  };
  static constexpr std::array<Other, 13> kOthers = {
      {{0, {"II*\0", 4}, "a TIFF picture"},
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
  for (const Other& other : kOthers) {
    if (has(head, other.at, other.mark)) return other.name;
  }
  return head.empty() ? "empty" : "of an unknown kind";
}

std::span<const std::byte> bytes_within(const MappedFile& file, const ImageLimits& limits) {
  check(static_cast<int64_t>(file.bytes().size()) <= limits.file_bytes, Code::bad_input,
        file.path(), " has ", file.bytes().size(), " bytes, more than the ", limits.file_bytes,
        " allowed for a picture");
  return file.bytes();
}

Exif exif_of(std::span<const std::byte> bytes) {
  switch (kind_of(bytes)) {
    case Kind::png:
      return read_exif(png_exif(bytes));
    case Kind::jpeg:
      return read_exif(jpeg_exif(bytes));
    case Kind::webp:
      return read_exif(webp_exif(bytes));
    default:
      return {};
  }
}

// The block for the one text that EXIF takes; empty without a text.
std::vector<std::byte> exif_for(const std::map<std::string, std::string>& text) {
  if (text.empty()) return {};
  check(text.size() == 1 && text.begin()->first == kCommentKey, Code::bad_input,
        "a JPEG or WebP holds one text, under '", kCommentKey, "', not '", text.begin()->first,
        "'; write PNG");
  return write_exif(text.begin()->second);
}

}  // namespace

void check_pixels(int64_t width, int64_t height, const std::string& name,
                  const ImageLimits& limits) {
  if (width <= limits.pixels / std::max<int64_t>(height, 1)) return;
  std::ostringstream text;
  text << name << " has " << width << " x " << height << " pixels, more than the " << limits.pixels
       << " allowed; make it smaller";
  throw TooManyPixels(Code::bad_input, text.str());
}

Image decode_image(std::span<const std::byte> bytes, const std::string& name,
                   const ImageLimits& limits) {
  switch (kind_of(bytes)) {
    case Kind::png:
      return decode_png(bytes, name, limits);
    case Kind::jpeg:
      return decode_jpeg(bytes, name, limits);
    case Kind::webp:
      return decode_webp(bytes, name, limits);
    case Kind::gif:
      return decode_gif(bytes, name, limits);
    case Kind::bmp:
      return decode_bmp(bytes, name, limits);
    case Kind::other:
      break;
  }
  fail(Code::bad_input, name, " is ", name_of(head_of(bytes)),
       "; only PNG, JPEG, WebP, GIF and BMP pictures are read, so convert it to one of them");
}

Image load_image(const std::filesystem::path& path, const ImageLimits& limits) {
  const MappedFile file(path);
  return decode_image(bytes_within(file, limits), path.string(), limits);
}

Image decode_upright(std::span<const std::byte> bytes, const std::string& name,
                     const ImageLimits& limits) {
  return turned_upright(decode_image(bytes, name, limits), exif_of(bytes).orientation);
}

Image load_upright(const std::filesystem::path& path, const ImageLimits& limits) {
  const MappedFile file(path);
  return decode_upright(bytes_within(file, limits), path.string(), limits);
}

namespace {

// Pixels whose channels' mean satisfies the condition are redrawn.
template <class Redrawn>
EditMask mask_where(const Image& image, const Redrawn& redrawn) {
  EditMask mask{.width = image.width, .height = image.height, .redraw = {}};
  mask.redraw.resize(image.rgb.size() / 3);
  for (size_t i = 0; i < mask.redraw.size(); ++i) {
    const int sum = image.rgb[3 * i] + image.rgb[3 * i + 1] + image.rgb[3 * i + 2];
    mask.redraw[i] = redrawn(sum) ? 1 : 0;
  }
  return mask;
}

}  // namespace

EditMask white_mask(const Image& image) {
  return mask_where(image, [](int sum) { return sum >= 3 * 128; });
}

EditMask decode_mask_upright(std::span<const std::byte> bytes, const std::string& name,
                             const ImageLimits& limits) {
  Image shown = decode_image(bytes, name, limits);
  std::vector<uint8_t> alpha;
  if (kind_of(bytes) == Kind::png) {
    alpha = decode_png_alpha(bytes, name, limits);
    for (size_t i = 0; i < alpha.size(); ++i) std::fill_n(&shown.rgb[3 * i], 3, alpha[i]);
  }
  shown = turned_upright(std::move(shown), exif_of(bytes).orientation);
  if (alpha.empty()) return white_mask(shown);
  return mask_where(shown, [](int sum) { return sum == 0; });
}

EditMask load_mask_upright(const std::filesystem::path& path, const ImageLimits& limits) {
  const MappedFile file(path);
  return decode_mask_upright(bytes_within(file, limits), path.string(), limits);
}

std::map<std::string, std::string> load_picture_text(const std::filesystem::path& path) {
  const MappedFile file(path);
  const auto bytes = bytes_within(file, ImageLimits{});
  std::map<std::string, std::string> text;
  if (kind_of(bytes) == Kind::png) text = read_png_text(bytes, path.string());
  if (const Exif exif = exif_of(bytes); exif.comment) text.emplace(kCommentKey, *exif.comment);
  return text;
}

void check_fits(int width, int height, PictureFormat format) {
  if (format == PictureFormat::png) return;
  const bool jpeg = format == PictureFormat::jpeg;
  const int most = jpeg ? kMaxJpegSide : kMaxWebpSide;
  check(std::max(width, height) <= most, Code::bad_input, "a picture of ", width, " x ", height,
        " pixels does not fit in a ", jpeg ? "JPEG" : "WebP", ", whose sides have at most ", most,
        "; write PNG");
}

std::vector<std::byte> encode_image(const Image& image,
                                    const std::map<std::string, std::string>& text,
                                    const PictureOptions& options) {
  check(image.width > 0 && image.height > 0 &&
            image.rgb.size() ==
                size_t{3} * static_cast<size_t>(image.width) * static_cast<size_t>(image.height),
        Code::bad_input, "a picture of ", image.width, " x ", image.height, " pixels with ",
        image.rgb.size(), " bytes cannot be written");
  check(options.quality >= 0 && options.quality <= 100, Code::bad_input, "a quality of ",
        options.quality, " is not from 1 to 100");
  check_fits(image.width, image.height, options.format);
  switch (options.format) {
    case PictureFormat::png:
      check(options.quality == 0, Code::bad_input,
            "PNG loses nothing and so has no quality; leave it out, or write JPEG or WebP");
      return encode_png(image, text);
    case PictureFormat::jpeg:
      return encode_jpeg(image, options.quality > 0 ? options.quality : kJpegQuality,
                         exif_for(text));
    case PictureFormat::webp:
      return encode_webp(image, options.quality, exif_for(text));
  }
  fail(Code::bug, "a picture format without a writer");
}

}  // namespace janus
