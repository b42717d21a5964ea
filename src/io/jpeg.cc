// libjpeg reports errors by a callback that must not return; ours jumps back, so every call into
// libjpeg happens in a `guarded` step whose frames hold nothing but references and numbers.
// SPDX-License-Identifier: MIT
#include "io/jpeg.h"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdio>  // jpeglib.h needs FILE
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <jpeglib.h>

#include <jerror.h>  // after jpeglib.h, which says what this library was built with

#include "base/error.h"

namespace janus {
namespace {

// Progressive files refine the whole picture scan by scan; encoders make about ten. Far more are
// only made to waste time.
constexpr int kMaxScans = 100;

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& name) : name_(name) {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = &on_error;
    errors_.emit_message = &on_message;
    info_.client_data = this;
    guarded([this] { jpeg_create_decompress(&info_); });
    source_.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
    source_.bytes_in_buffer = bytes.size();
    source_.init_source = [](j_decompress_ptr) {};
    source_.fill_input_buffer = [](j_decompress_ptr info) -> boolean { end_of_data(info); };
    source_.skip_input_data = &on_skip;
    source_.resync_to_restart = &jpeg_resync_to_restart;
    source_.term_source = [](j_decompress_ptr) {};
    info_.src = &source_;
    progress_.progress_monitor = &on_progress;
    info_.progress = &progress_;
  }
  ~Reader() { jpeg_destroy_decompress(&info_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  jpeg_decompress_struct& info() { return info_; }

  // Runs `step`; when libjpeg gives up inside it, throws. `step` may hold references and numbers
  // only.
  template <class Step>
  void guarded(const Step& step) {
    if (setjmp(back_) != 0) {
      fail(Code::bad_input, name_, " is a damaged JPEG: ", message_.data(),
           "; save or download the picture again");
    }
    step();
  }

 private:
  static Reader& self(j_common_ptr info) { return *static_cast<Reader*>(info->client_data); }
  [[noreturn]] void give_up(const char* text) {
    std::strncpy(message_.data(), text, message_.size() - 1);
    std::longjmp(back_, 1);
  }
  [[noreturn]] static void on_error(j_common_ptr info) {
    std::array<char, JMSG_LENGTH_MAX> text;
    info->err->format_message(info, text.data());
    self(info).give_up(text.data());
  }
  // Warnings that mean lost picture data, which libjpeg replaces by grey, are errors here; the
  // others (stray bytes, odd versions) change no pixel.
  static void on_message(j_common_ptr info, int level) {
    constexpr std::array<int, 4> kLost = {JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_ARITH_BAD_CODE,
                                          JWRN_MUST_RESYNC};
    const bool lost = std::find(kLost.begin(), kLost.end(), info->err->msg_code) != kLost.end();
    if (level < 0 && lost) on_error(info);
  }
  // libjpeg would invent an end and fill the rest with grey.
  [[noreturn]] static void end_of_data(j_decompress_ptr info) {
    self(reinterpret_cast<j_common_ptr>(info)).give_up("it ends too early");
  }
  static void on_skip(j_decompress_ptr info, long count) {
    if (count <= 0) return;
    if (static_cast<size_t>(count) > info->src->bytes_in_buffer) end_of_data(info);
    info->src->next_input_byte += count;
    info->src->bytes_in_buffer -= static_cast<size_t>(count);
  }
  static void on_progress(j_common_ptr info) {
    if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans) {
      self(info).give_up("it has more scans than any encoder makes");
    }
  }

  const std::string& name_;
  std::jmp_buf back_;
  std::array<char, JMSG_LENGTH_MAX> message_{};
  jpeg_error_mgr errors_{};
  jpeg_source_mgr source_{};
  jpeg_progress_mgr progress_{};
  jpeg_decompress_struct info_{};
};

// round(a * b / 255) as Pillow computes it (src/libImaging/ImagingUtils.h, MULDIV255).
int scaled(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

// Writes RGB for `width` pixels of 1, 3 or 4 channels. Four are CMYK stored inverted, which Pillow
// assumes of every such file; then R = (255 - C) scaled by (255 - K) (src/libImaging/Convert.c,
// cmyk2rgb).
void to_rgb(const uint8_t* from, size_t width, int channels, uint8_t* to) {
  for (size_t x = 0; x < width; ++x, from += channels, to += 3) {
    if (channels == 3) {
      std::copy_n(from, 3, to);
    } else if (channels == 1) {
      std::fill_n(to, 3, from[0]);
    } else {
      const int light = from[3];
      for (int c = 0; c < 3; ++c) {
        to[c] = static_cast<uint8_t>(std::clamp(light - scaled(255 - from[c], light), 0, 255));
      }
    }
  }
}

// One libjpeg compressor into memory that libjpeg takes with malloc.
class Writer {
 public:
  Writer() {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = &on_error;
    errors_.emit_message = [](j_common_ptr, int) {};
    info_.client_data = this;
    guarded([this] {
      jpeg_create_compress(&info_);
      jpeg_mem_dest(&info_, &bytes_, &size_);
    });
  }
  ~Writer() {
    jpeg_destroy_compress(&info_);
    std::free(bytes_);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  jpeg_compress_struct& info() { return info_; }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(bytes_, size_)); }

  // As in Reader.
  template <class Step>
  void guarded(const Step& step) {
    if (setjmp(back_) != 0) fail(Code::bad_input, "cannot write a JPEG: ", message_.data());
    step();
  }

 private:
  [[noreturn]] static void on_error(j_common_ptr info) {
    Writer& writer = *static_cast<Writer*>(info->client_data);
    info->err->format_message(info, writer.message_.data());
    std::longjmp(writer.back_, 1);
  }

  std::jmp_buf back_;
  std::array<char, JMSG_LENGTH_MAX> message_{};
  jpeg_error_mgr errors_{};
  unsigned char* bytes_ = nullptr;
  unsigned long size_ = 0;
  jpeg_compress_struct info_{};
};

constexpr std::string_view kExifMark("Exif\0\0", 6);

}  // namespace

std::span<const std::byte> jpeg_exif(std::span<const std::byte> bytes) {
  const auto byte = [&](size_t at) { return std::to_integer<size_t>(bytes[at]); };
  // Segments between the first marker and the first scan: 0xff, kind, length with itself, content.
  for (size_t at = 2; at + 4 <= bytes.size() && byte(at) == 0xff;) {
    const size_t kind = byte(at + 1);
    if (kind == 0xff) {  // a filling byte
      ++at;
      continue;
    }
    const size_t length = byte(at + 2) << 8 | byte(at + 3);
    const bool data_begins = kind == 0xda || kind == 0xd9;
    if (data_begins || length < 2 || length > bytes.size() - at - 2) return {};
    const auto content = bytes.subspan(at + 4, length - 2);
    if (kind == JPEG_APP0 + 1 && content.size() >= kExifMark.size() &&
        std::memcmp(content.data(), kExifMark.data(), kExifMark.size()) == 0) {
      return content.subspan(kExifMark.size());
    }
    at += 2 + length;
  }
  return {};
}

std::vector<std::byte> encode_jpeg(const Image& image, int quality,
                                   std::span<const std::byte> exif) {
  static_assert(kMaxJpegSide == JPEG_MAX_DIMENSION);
  constexpr size_t kMaxBlock = 65533;  // of one segment
  std::string block;
  if (!exif.empty()) {
    block = kExifMark;
    block.append(reinterpret_cast<const char*>(exif.data()), exif.size());
  }
  check(block.size() <= kMaxBlock, Code::bad_input, "a text of ", exif.size(),
        " bytes does not fit in a JPEG, which holds ", kMaxBlock - kExifMark.size(),
        "; write PNG or WebP");
  Writer writer;
  jpeg_compress_struct& info = writer.info();
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  writer.guarded([&] {
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    info.comp_info[0].h_samp_factor = 1;
    info.comp_info[0].v_samp_factor = 1;
    info.dct_method = JDCT_ISLOW;
    info.optimize_coding = TRUE;
    jpeg_start_compress(&info, TRUE);
    if (!block.empty()) {
      jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(block.data()),
                        static_cast<unsigned int>(block.size()));
    }
    while (info.next_scanline < info.image_height) {
      const size_t at = size_t{3} * info.image_width * info.next_scanline;
      // libjpeg's type; it only reads
      JSAMPROW row = const_cast<uint8_t*>(image.rgb.data()) + at;
      jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
  });
  const auto bytes = writer.bytes();
  return {bytes.begin(), bytes.end()};
}

Image decode_jpeg(std::span<const std::byte> bytes, const std::string& name,
                  const ImageLimits& limits) {
  Reader reader(bytes, name);
  jpeg_decompress_struct& info = reader.info();
  reader.guarded([&] { jpeg_read_header(&info, TRUE); });
  check_pixels(info.image_width, info.image_height, name, limits);
  const int channels = info.num_components;
  check(channels == 1 || channels == 3 || channels == 4, Code::bad_input, name, " is a JPEG of ",
        channels, " components; save it as RGB");
  info.out_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
  info.dct_method = JDCT_ISLOW;
  info.do_fancy_upsampling = TRUE;
  reader.guarded([&] { jpeg_start_decompress(&info); });
  const size_t width = info.output_width;
  Image image{.width = static_cast<int>(info.output_width),
              .height = static_cast<int>(info.output_height),
              .rgb = {}};
  std::vector<uint8_t> row(width * static_cast<size_t>(channels));
  JSAMPROW place = row.data();
  // Memory is only touched as rows arrive, so a short file that claims much is cheap to refuse.
  image.rgb.reserve(width * 3 * info.output_height);
  while (info.output_scanline < info.output_height) {
    reader.guarded([&] { jpeg_read_scanlines(&info, &place, 1); });
    image.rgb.resize(image.rgb.size() + width * 3);
    to_rgb(row.data(), width, channels, &image.rgb[image.rgb.size() - width * 3]);
  }
  return image;
}

}  // namespace janus
