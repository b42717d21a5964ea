// See bmp.h. Fields are those of BITMAPFILEHEADER, BITMAPCOREHEADER and BITMAPINFOHEADER and its
// successors in the Windows documentation. SPDX-License-Identifier: MIT
#include "io/bmp.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>

#include "base/error.h"
#include "io/palette.h"

namespace janus {
namespace {

constexpr size_t kFileHeader = 14;
constexpr size_t kCoreHeader = 12;  // of OS/2 1, with sizes of 16 bits
constexpr size_t kInfoHeader = 40;

enum Compression : uint32_t { kNone = 0, kRle8 = 1, kRle4 = 2, kMasks = 3 };

// What one byte of run lengths covers at most: 255 rows of 255 pixels, skipped by four bytes.
constexpr int64_t kMaxRunPerByte = 255 * 255 / 4 + 1;

struct Header {
  size_t size = 0;
  int64_t width = 0;
  int64_t height = 0;
  bool top_down = false;
  uint32_t bits = 0;  // a pixel
  uint32_t compression = kNone;
  uint32_t colours = 0;  // of the palette
  std::array<uint32_t, 3> masks{};
};

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  size_t size() const { return bytes_.size(); }
  uint8_t byte(size_t at) const {
    if (at >= bytes_.size()) refuse("it ends too early");
    return std::to_integer<uint8_t>(bytes_[at]);
  }
  uint32_t number(size_t at, size_t size) const {
    uint32_t value = 0;
    for (size_t i = size; i-- > 0;) value = value << 8 | byte(at + i);
    return value;
  }
  std::span<const std::byte> range(size_t at, size_t count) const {
    if (at > bytes_.size() || bytes_.size() - at < count) refuse("it ends too early");
    return bytes_.subspan(at, count);
  }
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... why) const {
    fail(Code::bad_input, name_, " is a damaged BMP: ", why...,
         "; save or download the picture again");
  }
  template <class... Parts>
  [[noreturn]] void decline(const Parts&... what) const {
    fail(Code::bad_input, name_, " is a BMP ", what..., ", which is not read; save it as PNG");
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& name_;
};

// Masks of 16 and 32 bits where none are stated: five bits a colour, or a byte each, blue lowest.
void read_masks(const Reader& reader, Header& header) {
  for (size_t i = 0; i < 3 && header.compression == kMasks; ++i) {
    // Behind the oldest Windows header; in all later ones at the same place.
    header.masks[i] = reader.number(kFileHeader + kInfoHeader + i * 4, 4);
  }
  const bool none = std::all_of(header.masks.begin(), header.masks.end(),
                                [](uint32_t mask) { return mask == 0; });
  if (!none) return;
  header.masks = header.bits == 16 ? std::array<uint32_t, 3>{0x7c00, 0x3e0, 0x1f}
                                   : std::array<uint32_t, 3>{0xff0000, 0xff00, 0xff};
}

void check_header(const Reader& reader, const Header& header) {
  constexpr std::array<uint32_t, 6> kBits = {1, 4, 8, 16, 24, 32};
  const uint32_t bits = header.bits;
  if (std::find(kBits.begin(), kBits.end(), bits) == kBits.end()) {
    reader.decline("of ", bits, " bits a pixel");
  }
  if (header.width < 1 || header.height < 1) reader.refuse("it has no pixels");
  const uint32_t kind = header.compression;
  const bool fits = kind == kNone || (kind == kRle8 && bits == 8) || (kind == kRle4 && bits == 4) ||
                    (kind == kMasks && bits >= 16);
  if (!fits) reader.decline("of ", bits, " bits a pixel with compression ", kind);
  for (const uint32_t mask : header.masks) {
    const uint32_t run = mask == 0 ? 0 : mask >> std::countr_zero(mask);
    const bool outside = bits < 32 && (mask >> bits) != 0;
    if (bits >= 16 && (outside || (run & (run + 1)) != 0)) {
      reader.refuse("its colour masks make no sense");
    }
  }
}

Header read_header(const Reader& reader) {
  constexpr std::array<size_t, 7> kSizes = {12, 40, 52, 56, 64, 108, 124};
  Header header;
  header.size = reader.number(kFileHeader, 4);
  if (std::find(kSizes.begin(), kSizes.end(), header.size) == kSizes.end()) {
    reader.decline("with a header of ", header.size, " bytes");
  }
  reader.range(kFileHeader, header.size);
  const size_t at = kFileHeader + 4;
  if (header.size == kCoreHeader) {
    header.width = reader.number(at, 2);
    header.height = reader.number(at + 2, 2);
    header.bits = reader.number(at + 6, 2);
  } else {
    header.width = static_cast<int32_t>(reader.number(at, 4));
    header.height = static_cast<int32_t>(reader.number(at + 4, 4));
    header.bits = reader.number(at + 10, 2);
    header.compression = reader.number(at + 12, 4);
    header.colours = reader.number(at + 28, 4);
    header.top_down = header.height < 0;
    header.height = std::abs(header.height);
  }
  read_masks(reader, header);
  check_header(reader, header);
  if (header.bits <= 8 && header.colours == 0) header.colours = 1u << header.bits;
  return header;
}

size_t colour_bytes(const Header& header) { return header.size == kCoreHeader ? 3 : 4; }

Palette read_palette(const Reader& reader, const Header& header) {
  if (header.bits > 8) return greys();  // which nobody looks at
  if (header.colours > 256) reader.refuse("it claims ", header.colours, " colours");
  std::vector<Colour> colours;
  for (size_t i = 0; i < header.colours; ++i) {
    const size_t at = kFileHeader + header.size + i * colour_bytes(header);
    colours.push_back({reader.byte(at + 2), reader.byte(at + 1), reader.byte(at)});
  }
  return is_ramp(colours) ? greys() : palette_of(colours);
}

// Where the pixels stand. Some writers state the end of the header though a palette follows it; 0
// means right behind the palette.
size_t find_pixels(const Reader& reader, const Header& header) {
  const size_t after_header = kFileHeader + header.size;
  const size_t palette = header.bits <= 8 ? header.colours * colour_bytes(header) : 0;
  const size_t masks = header.compression == kMasks && header.size == kInfoHeader ? 12 : 0;
  const size_t stated = reader.number(10, 4);
  if (stated == 0) return after_header + palette + masks;
  return stated == after_header ? stated + palette : stated;
}

uint8_t scaled(uint32_t pixel, uint32_t mask) {
  if (mask == 0) return 0;
  const int shift = std::countr_zero(mask);
  return static_cast<uint8_t>(uint64_t{(pixel & mask) >> shift} * 255 / (mask >> shift));
}

// Where row `y` of the file goes.
uint8_t* row_of(Image& image, const Header& header, int64_t y) {
  const int64_t row = header.top_down ? y : header.height - 1 - y;
  return image.rgb.data() + row * header.width * 3;
}

// Indices of 1, 4 or 8 bits, the highest first.
void unpack_indices(const uint8_t* from, const Header& header, const Palette& palette,
                    uint8_t* to) {
  const uint32_t bits = header.bits;
  for (int64_t x = 0; x < header.width; ++x, to += 3) {
    const int64_t first = x * bits;
    const uint32_t index = from[first / 8] >> (8 - bits - first % 8) & ((1u << bits) - 1);
    std::copy_n(palette[index].data(), 3, to);
  }
}

void unpack_colours(const uint8_t* from, const Header& header, uint8_t* to) {
  const size_t each = header.bits / 8;
  for (int64_t x = 0; x < header.width; ++x, from += each) {
    uint32_t pixel = 0;
    for (size_t i = each; i-- > 0;) pixel = pixel << 8 | from[i];
    for (const uint32_t mask : header.masks) *to++ = scaled(pixel, mask);
  }
}

// Bytes of a row without the padding to four that follows it.
int64_t row_bytes(const Header& header) { return (header.width * header.bits + 7) / 8; }
int64_t padded(int64_t bytes) { return (bytes + 3) / 4 * 4; }

void read_rows(const Reader& reader, const Header& header, const Palette& palette, size_t at,
               Image& image) {
  const auto length = static_cast<size_t>(row_bytes(header));
  const auto stride = static_cast<size_t>(padded(row_bytes(header)));
  for (int64_t y = 0; y < header.height; ++y, at += stride) {
    const auto* from = reinterpret_cast<const uint8_t*>(reader.range(at, length).data());
    uint8_t* to = row_of(image, header, y);
    if (header.bits <= 8) {
      unpack_indices(from, header, palette, to);
    } else {
      unpack_colours(from, header, to);
    }
  }
}

// Run lengths: (count, index) repeats; (0, 0) ends a row, (0, 1) the picture; (0, 2) skips right
// and up; (0, count) is followed by that many indices, padded to two bytes. What is never reached
// is colour 0. Runs are cut at the end of the row: writers round odd widths up.
class RunReader {
 public:
  RunReader(const Reader& reader, const Header& header, const Palette& palette, size_t at,
            Image& image)
      : reader_(reader), header_(header), palette_(palette), at_(at), image_(image) {}

  void read() {
    while (y_ * header_.width + x_ < header_.height * header_.width) {
      const uint8_t count = reader_.byte(at_);
      const uint8_t value = reader_.byte(at_ + 1);
      at_ += 2;
      if (count > 0) {
        for (int i = 0; i < count; ++i) put(half(value, i));
      } else if (value == 0) {
        x_ = 0;
        ++y_;
      } else if (value == 1) {
        return;
      } else if (value == 2) {
        x_ += reader_.byte(at_);
        y_ += reader_.byte(at_ + 1);
        at_ += 2;
        if (x_ > header_.width || y_ > header_.height) reader_.refuse("it skips past its end");
      } else {
        read_indices(value);
      }
    }
  }

 private:
  bool four() const { return header_.compression == kRle4; }
  // Index `i` of a byte that holds one, or two of four bits, the higher first.
  uint8_t half(uint8_t value, int i) const {
    if (!four()) return value;
    return i % 2 == 0 ? static_cast<uint8_t>(value >> 4) : value & 0x0f;
  }
  void read_indices(int count) {
    const int bytes = four() ? (count + 1) / 2 : count;
    for (int i = 0; i < count; ++i) {
      put(half(reader_.byte(at_ + static_cast<size_t>(four() ? i / 2 : i)), i));
    }
    at_ += static_cast<size_t>(bytes + bytes % 2);
  }
  void put(uint8_t index) {
    if (x_ >= header_.width) return;
    std::copy_n(palette_[index].data(), 3, row_of(image_, header_, y_) + x_ * 3);
    ++x_;
  }

  const Reader& reader_;
  const Header& header_;
  const Palette& palette_;
  size_t at_;
  Image& image_;
  int64_t x_ = 0;
  int64_t y_ = 0;
};

// A picture larger than allowed, or than its file can possibly hold, is refused before any memory
// for it is taken.
void check_size(const Reader& reader, const Header& header, size_t at, const std::string& name,
                const ImageLimits& limits) {
  check_pixels(header.width, header.height, name, limits);
  const bool runs = header.compression == kRle4 || header.compression == kRle8;
  const auto left = static_cast<int64_t>(reader.size() - std::min(at, reader.size()));
  const bool possible =
      runs ? header.width * header.height / kMaxRunPerByte <= left
           : padded(row_bytes(header)) * (header.height - 1) + row_bytes(header) <= left;
  check(possible, Code::bad_input, name, " claims ", header.width, " x ", header.height,
        " pixels but has only ", reader.size(), " bytes: it is cut short or made to fill memory");
}

}  // namespace

Image decode_bmp(std::span<const std::byte> bytes, const std::string& name,
                 const ImageLimits& limits) {
  const Reader reader(bytes, name);
  const Header header = read_header(reader);
  const Palette palette = read_palette(reader, header);
  const size_t at = find_pixels(reader, header);
  check_size(reader, header, at, name, limits);
  Image image{.width = static_cast<int>(header.width),
              .height = static_cast<int>(header.height),
              .rgb = {}};
  image.rgb.resize(static_cast<size_t>(header.width * header.height) * 3);
  if (header.compression != kRle4 && header.compression != kRle8) {
    read_rows(reader, header, palette, at, image);
    return image;
  }
  for (size_t i = 0; i < image.rgb.size(); i += 3) {
    std::copy_n(palette[0].data(), 3, &image.rgb[i]);
  }
  RunReader(reader, header, palette, at, image).read();
  return image;
}

}  // namespace janus
