// libpng reports errors by longjmp, which must not skip destructors: every call into it happens in
// a `guarded` step whose frames hold nothing but references and numbers.
// SPDX-License-Identifier: MIT
#include "io/png.h"

#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "io/palette.h"

namespace janus {
namespace {

constexpr png_uint_32 kMaxSide = 1'000'000;
constexpr png_alloc_size_t kMaxChunk = 1'000'000;  // of one text, inflated
constexpr png_uint_32 kMaxTexts = 1000;
constexpr size_t kSignature = 8;
constexpr int64_t kMaxInflation = 1032;  // what deflate can make of one byte at most

constexpr size_t kAround = 12;  // length, name and sum of a chunk

// The content of the chunk at `at`; none when it does not end within the file.
std::optional<std::span<const std::byte>> chunk_at(std::span<const std::byte> bytes, size_t at) {
  if (at > bytes.size() || bytes.size() - at < kAround) return std::nullopt;
  size_t length = 0;
  for (size_t i = 0; i < 4; ++i) length = length << 8 | std::to_integer<size_t>(bytes[at + i]);
  if (length > bytes.size() - at - kAround) return std::nullopt;
  return bytes.subspan(at + 8, length);
}

bool is_kind(std::span<const std::byte> bytes, size_t at, const char* kind) {
  return std::memcmp(&bytes[at + 4], kind, 4) == 0;
}

// libpng takes memory for a chunk by the length it states, so lengths are held against the file
// first.
void check_chunks(std::span<const std::byte> bytes, const std::string& name) {
  for (size_t at = kSignature; bytes.size() > at;) {
    const auto content = chunk_at(bytes, at);
    check(content.has_value(), Code::bad_input, name,
          " is a damaged PNG: it ends too early; save or download the picture again");
    if (is_kind(bytes, at, "IEND")) return;  // what follows is not the picture's
    at += kAround + content->size();
  }
}

// One libpng reader over bytes in memory.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {
    check_chunks(bytes, name);
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &on_error, &on_warning);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      fail(Code::out_of_memory, "no memory to read ", name_);
    }
    png_set_read_fn(png_, this, &on_read);
    png_set_user_limits(png_, kMaxSide, kMaxSide);
    png_set_chunk_malloc_max(png_, kMaxChunk);
    png_set_chunk_cache_max(png_, kMaxTexts);
  }
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // Runs `step`; when libpng gives up inside it, throws. `step` may hold references and numbers
  // only.
  template <class Step>
  void guarded(const Step& step) {
    if (setjmp(png_jmpbuf(png_)) != 0) refuse();
    step();
  }
  [[noreturn]] void refuse() const {
    fail(Code::bad_input, name_, " is a damaged PNG: ", message_.data(),
         "; save or download the picture again");
  }

  png_structp png() const { return png_; }
  png_infop info() const { return info_; }

 private:
  static Reader& self(png_structp png) { return *static_cast<Reader*>(png_get_error_ptr(png)); }
  [[noreturn]] static void on_error(png_structp png, png_const_charp text) {
    auto& message = self(png).message_;
    std::strncpy(message.data(), text, message.size() - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}  // what still decodes is accepted
  static void on_read(png_structp png, png_bytep to, png_size_t length) {
    auto& reader = *static_cast<Reader*>(png_get_io_ptr(png));
    if (length > reader.bytes_.size() - reader.at_) png_error(png, "data is missing");
    std::memcpy(to, reader.bytes_.data() + reader.at_, length);
    reader.at_ += length;
  }

  std::span<const std::byte> bytes_;
  const std::string& name_;
  size_t at_ = 0;
  std::array<char, 200> message_{};
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

struct Header {
  png_uint_32 width = 0;
  png_uint_32 height = 0;
  int depth = 0;
  int colour = 0;
  size_t row_bytes = 0;  // as stored
};

Header read_header(Reader& reader) {
  Header header;
  reader.guarded([&] {
    png_read_info(reader.png(), reader.info());
    png_get_IHDR(reader.png(), reader.info(), &header.width, &header.height, &header.depth,
                 &header.colour, nullptr, nullptr, nullptr);
    header.row_bytes = png_get_rowbytes(reader.png(), reader.info());
  });
  return header;
}

// A picture larger than allowed, or than its file can possibly hold, is refused before any memory
// for it is taken.
void check_size(const Header& header, size_t file_bytes, const std::string& name,
                const ImageLimits& limits) {
  check_pixels(header.width, header.height, name, limits);
  const int64_t stored = static_cast<int64_t>(header.row_bytes) * header.height;
  check(stored / kMaxInflation <= static_cast<int64_t>(file_bytes), Code::bad_input, name,
        " claims ", header.width, " x ", header.height, " pixels but has only ", file_bytes,
        " bytes: it is cut short or made to fill memory");
}

// What a one-channel pixel means: a grey, or a colour of the palette.
Palette colours_of(Reader& reader, const Header& header) {
  if (header.colour != PNG_COLOR_TYPE_PALETTE) return greys();
  png_colorp stored = nullptr;
  int count = 0;
  reader.guarded([&] { png_get_PLTE(reader.png(), reader.info(), &stored, &count); });
  std::vector<Colour> colours;
  for (const png_color& colour :
       std::span(stored, static_cast<size_t>(std::clamp(count, 0, 256)))) {
    colours.push_back({colour.red, colour.green, colour.blue});
  }
  return palette_of(colours);
}

// Asks libpng for 8-bit channels: indices for a palette, else grey or RGB; alpha is left out.
void set_transforms(Reader& reader, const Header& header) {
  reader.guarded([&] {
    png_structp png = reader.png();
    if (header.depth == 16) png_set_strip_16(png);
    if (header.depth < 8) png_set_packing(png);
    if (header.colour == PNG_COLOR_TYPE_GRAY && header.depth < 8)
      png_set_expand_gray_1_2_4_to_8(png);
    if ((header.colour & PNG_COLOR_MASK_ALPHA) != 0) png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, reader.info());
  });
}

std::string latin1_to_utf8(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xc0 | (byte >> 6));
      out += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return out;
}

// One libpng writer into memory. Exceptions must not cross libpng, so a failed allocation is noted
// and raised afterwards.
class Writer {
 public:
  Writer() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, &on_error, &on_warning);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_write_struct(&png_, nullptr);
      fail(Code::out_of_memory, "no memory to write a PNG");
    }
    png_set_write_fn(png_, this, &on_write, nullptr);
  }
  ~Writer() { png_destroy_write_struct(&png_, &info_); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void write(const Image& image, std::vector<png_text>& chunks,
             std::vector<png_const_bytep>& rows) {
    if (setjmp(png_jmpbuf(png_)) != 0)
      fail(Code::bad_input, "cannot write a PNG: ", message_.data());
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(png_, info_, static_cast<png_uint_32>(image.width),
                 static_cast<png_uint_32>(image.height), 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_text(png_, info_, chunks.data(), static_cast<int>(chunks.size()));
    png_write_info(png_, info_);
    png_write_image(png_, const_cast<png_bytepp>(rows.data()));  // libpng's type; it only reads
    png_write_end(png_, nullptr);
  }
  std::vector<std::byte> take() { return std::move(out_); }

 private:
  static Writer& self(png_structp png) { return *static_cast<Writer*>(png_get_error_ptr(png)); }
  [[noreturn]] static void on_error(png_structp png, png_const_charp text) {
    auto& message = self(png).message_;
    std::strncpy(message.data(), text, message.size() - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_write(png_structp png, png_bytep from, png_size_t length) {
    auto& out = static_cast<Writer*>(png_get_io_ptr(png))->out_;
    const auto* bytes = reinterpret_cast<const std::byte*>(from);
    bool written = true;
    try {
      out.insert(out.end(), bytes, bytes + length);
    } catch (const std::bad_alloc&) {
      written = false;
    }
    if (!written) png_error(png, "no memory");
  }

  std::vector<std::byte> out_;
  std::array<char, 200> message_{};
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

Image decode_png(std::span<const std::byte> bytes, const std::string& name,
                 const ImageLimits& limits) {
  Reader reader(bytes, name);
  // Skips every chunk that does not change pixels: texts and profiles may be made to waste memory.
  png_set_keep_unknown_chunks(reader.png(), PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  const Header header = read_header(reader);
  check_size(header, bytes.size(), name, limits);
  set_transforms(reader, header);
  const size_t channels = png_get_channels(reader.png(), reader.info());
  const size_t width = header.width;
  check(channels == 1 || channels == 3, Code::bug, name, " decodes to ", channels, " channels");
  Image image{.width = static_cast<int>(header.width),
              .height = static_cast<int>(header.height),
              .rgb = std::vector<uint8_t>(width * header.height * 3)};
  // Rows are read where they end up, narrow ones at the back of their place and then widened.
  std::vector<png_bytep> rows(header.height);
  for (size_t y = 0; y < rows.size(); ++y) {
    rows[y] = &image.rgb[y * width * 3 + (3 - channels) * width];
  }
  reader.guarded([&] {
    png_read_image(reader.png(), rows.data());
    png_read_end(reader.png(), nullptr);
  });
  if (channels == 3) return image;
  const auto table = colours_of(reader, header);
  for (size_t y = 0; y < rows.size(); ++y) {
    uint8_t* to = &image.rgb[y * width * 3];
    for (size_t x = 0; x < width; ++x, to += 3) {
      std::copy_n(table[rows[y][x]].data(), 3, to);
    }
  }
  return image;
}

std::vector<uint8_t> decode_png_alpha(std::span<const std::byte> bytes, const std::string& name,
                                      const ImageLimits& limits) {
  Reader reader(bytes, name);
  png_set_keep_unknown_chunks(reader.png(), PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  const Header header = read_header(reader);
  check_size(header, bytes.size(), name, limits);
  bool has_any = false;
  reader.guarded([&] {
    has_any = (header.colour & PNG_COLOR_MASK_ALPHA) != 0 ||
              png_get_valid(reader.png(), reader.info(), PNG_INFO_tRNS) != 0;
    if (!has_any) return;
    if (header.depth == 16) png_set_strip_16(reader.png());
    png_set_expand(reader.png());  // indices to colours, transparency to alpha
    png_set_interlace_handling(reader.png());
    png_read_update_info(reader.png(), reader.info());
  });
  if (!has_any) return {};
  const size_t channels = png_get_channels(reader.png(), reader.info()), width = header.width;
  check(channels == 2 || channels == 4, Code::bug, name, " decodes to ", channels, " channels");
  std::vector<uint8_t> pixels(width * header.height * channels);
  std::vector<png_bytep> rows(header.height);
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = &pixels[y * width * channels];
  reader.guarded([&] {
    png_read_image(reader.png(), rows.data());
    png_read_end(reader.png(), nullptr);
  });
  std::vector<uint8_t> alpha(width * header.height);
  for (size_t i = 0; i < alpha.size(); ++i) alpha[i] = pixels[i * channels + channels - 1];
  return alpha;
}

std::map<std::string, std::string> read_png_text(std::span<const std::byte> bytes,
                                                 const std::string& name) {
  Reader reader(bytes, name);
  const Header header = read_header(reader);
  check_size(header, bytes.size(), name, ImageLimits{});
  std::vector<png_byte> row(header.row_bytes);  // text may stand behind the pixels, too
  png_textp chunks = nullptr;
  int count = 0;
  reader.guarded([&] {
    const int passes = png_set_interlace_handling(reader.png());
    png_read_update_info(reader.png(), reader.info());
    for (int64_t i = 0; i < int64_t{passes} * header.height; ++i) {
      png_read_row(reader.png(), row.data(), nullptr);
    }
    png_read_end(reader.png(), reader.info());
    png_get_text(reader.png(), reader.info(), &chunks, &count);
  });
  std::map<std::string, std::string> text;
  for (const png_text& chunk : std::span(chunks, static_cast<size_t>(std::max(count, 0)))) {
    const bool utf8 = chunk.compression >= PNG_ITXT_COMPRESSION_NONE;
    const std::string_view value(chunk.text, utf8 ? chunk.itxt_length : chunk.text_length);
    text[chunk.key] = utf8 ? std::string(value) : latin1_to_utf8(value);
  }
  return text;
}

std::span<const std::byte> png_exif(std::span<const std::byte> bytes) {
  for (size_t at = kSignature; bytes.size() > at;) {
    const auto content = chunk_at(bytes, at);
    if (!content || is_kind(bytes, at, "IEND")) break;
    if (is_kind(bytes, at, "eXIf")) return *content;
    at += kAround + content->size();
  }
  return {};
}

std::vector<std::byte> encode_png(const Image& image,
                                  const std::map<std::string, std::string>& text) {
  std::vector<png_text> chunks;
  for (const auto& [keyword, value] : text) {
    const bool usable =
        !keyword.empty() && keyword.size() < 80 &&
        std::all_of(keyword.begin(), keyword.end(), [](char c) { return c > ' ' && c < 0x7f; }) &&
        value.find('\0') == std::string::npos;
    check(usable, Code::bad_input, "a PNG cannot hold the text '", keyword, "'");
    png_text chunk{};
    chunk.compression = PNG_ITXT_COMPRESSION_NONE;
    chunk.key = const_cast<char*>(keyword.c_str());  // libpng's type; it only reads
    chunk.text = const_cast<char*>(value.c_str());
    chunk.itxt_length = value.size();
    chunks.push_back(chunk);
  }
  std::vector<png_const_bytep> rows(static_cast<size_t>(image.height));
  for (size_t y = 0; y < rows.size(); ++y) {
    rows[y] = &image.rgb[y * static_cast<size_t>(image.width) * 3];
  }
  Writer writer;
  writer.write(image, chunks, rows);
  return writer.take();
}

}  // namespace janus
