// See webp.h. The container is read by libwebpdemux and written by libwebpmux; a demuxer that was
// made has checked that every chunk and frame lies inside the file and every frame inside its
// canvas. SPDX-License-Identifier: MIT
#include "io/webp.h"

#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>

#include <memory>
#include <string_view>

#include "base/error.h"

namespace janus {
namespace {

[[noreturn]] void refuse(const std::string& name, std::string_view why) {
  fail(Code::bad_input, name, " is a damaged WebP: ", why, "; save or download the picture again");
}

WebPData data_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

using Demuxer = std::unique_ptr<WebPDemuxer, void (*)(WebPDemuxer*)>;

Demuxer open(std::span<const std::byte> bytes) {
  const WebPData data = data_of(bytes);
  return {WebPDemux(&data), &WebPDemuxDelete};
}

std::string_view reason(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
      return "it takes more memory than there is";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "it uses a feature that libwebp does not know";
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return "it ends too early";
    default:
      return "its data make no sense";
  }
}

// Decodes the frame into its place on the canvas.
void decode_frame(const WebPIterator& frame, const std::string& name, Image& canvas) {
  WebPDecoderConfig config;
  check(WebPInitDecoderConfig(&config) != 0, Code::bug, "libwebp is of another version");
  const auto width = static_cast<size_t>(canvas.width);
  const size_t first =
      (static_cast<size_t>(frame.y_offset) * width + static_cast<size_t>(frame.x_offset)) * 3;
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = canvas.rgb.data() + first;
  config.output.u.RGBA.stride = canvas.width * 3;
  config.output.u.RGBA.size = canvas.rgb.size() - first;
  const VP8StatusCode status = WebPDecode(frame.fragment.bytes, frame.fragment.size, &config);
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) refuse(name, reason(status));
}

// The picture alone, without EXIF. libwebp takes the memory.
using Encoded = std::unique_ptr<uint8_t, void (*)(void*)>;

size_t encode_pixels(const Image& image, int quality, Encoded& out) {
  uint8_t* bytes = nullptr;
  const int stride = image.width * 3;
  const size_t size = quality == 0 ? WebPEncodeLosslessRGB(image.rgb.data(), image.width,
                                                           image.height, stride, &bytes)
                                   : WebPEncodeRGB(image.rgb.data(), image.width, image.height,
                                                   stride, static_cast<float>(quality), &bytes);
  out.reset(bytes);
  check(size > 0, Code::out_of_memory, "cannot write a WebP of ", image.width, " x ", image.height,
        " pixels: no memory");
  return size;
}

std::vector<std::byte> copy_of(const uint8_t* bytes, size_t size) {
  const auto* begin = reinterpret_cast<const std::byte*>(bytes);
  return {begin, begin + size};
}

}  // namespace

Image decode_webp(std::span<const std::byte> bytes, const std::string& name,
                  const ImageLimits& limits) {
  const Demuxer demuxer = open(bytes);
  if (!demuxer) refuse(name, "it ends too early, or its parts do not fit together");
  const int64_t width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  const int64_t height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  check_pixels(width, height, name, limits);
  WebPIterator frame{};
  const bool found = WebPDemuxGetFrame(demuxer.get(), 1, &frame) != 0;
  const std::unique_ptr<WebPIterator, void (*)(WebPIterator*)> releasing(&frame,
                                                                         &WebPDemuxReleaseIterator);
  if (!found || frame.complete == 0) refuse(name, "it holds no whole picture");
  const bool inside = frame.x_offset >= 0 && frame.y_offset >= 0 && frame.width > 0 &&
                      frame.height > 0 && frame.x_offset + frame.width <= width &&
                      frame.y_offset + frame.height <= height;
  if (!inside) refuse(name, "its first frame lies outside of the picture");
  // The decoder goes by the size that the frame's own data state, so that must be the same.
  int own_width = 0, own_height = 0;
  if (WebPGetInfo(frame.fragment.bytes, frame.fragment.size, &own_width, &own_height) == 0 ||
      own_width != frame.width || own_height != frame.height) {
    refuse(name, "its first frame has another size than it states");
  }
  Image image{.width = static_cast<int>(width), .height = static_cast<int>(height), .rgb = {}};
  image.rgb.resize(static_cast<size_t>(width * height) * 3);
  decode_frame(frame, name, image);
  return image;
}

std::span<const std::byte> webp_exif(std::span<const std::byte> bytes) {
  const Demuxer demuxer = open(bytes);
  WebPChunkIterator chunk{};
  if (!demuxer || WebPDemuxGetChunk(demuxer.get(), "EXIF", 1, &chunk) == 0) return {};
  // Points into `bytes`, as demuxers do; the iterator owns nothing of it.
  const std::span found(reinterpret_cast<const std::byte*>(chunk.chunk.bytes), chunk.chunk.size);
  WebPDemuxReleaseChunkIterator(&chunk);
  return found;
}

std::vector<std::byte> encode_webp(const Image& image, int quality,
                                   std::span<const std::byte> exif) {
  static_assert(kMaxWebpSide == WEBP_MAX_DIMENSION);
  Encoded encoded(nullptr, &WebPFree);
  const size_t size = encode_pixels(image, quality, encoded);
  if (exif.empty()) return copy_of(encoded.get(), size);
  const std::unique_ptr<WebPMux, void (*)(WebPMux*)> mux(WebPMuxNew(), &WebPMuxDelete);
  const WebPData pixels{encoded.get(), size};
  const WebPData block = data_of(exif);
  WebPData whole;
  WebPDataInit(&whole);
  const bool written = mux && WebPMuxSetImage(mux.get(), &pixels, 0) == WEBP_MUX_OK &&
                       WebPMuxSetChunk(mux.get(), "EXIF", &block, 0) == WEBP_MUX_OK &&
                       WebPMuxAssemble(mux.get(), &whole) == WEBP_MUX_OK;
  const std::unique_ptr<WebPData, void (*)(WebPData*)> clearing(&whole, &WebPDataClear);
  check(written, Code::out_of_memory, "cannot write a WebP with its text: no memory");
  return copy_of(whole.bytes, whole.size);
}

}  // namespace janus
