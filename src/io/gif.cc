// See gif.h. The canvas, and what a pixel outside of palette and frame looks like, follow Pillow
// (src/PIL/GifImagePlugin.py). SPDX-License-Identifier: MIT
#include "io/gif.h"

#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "io/palette.h"

namespace janus {
namespace {

// What LZW makes of one byte at most: codes of 12 bits that each stand for 4096 pixels or fewer.
constexpr int64_t kMaxExpansion = 4096 * 8 / 12 + 1;

// One giflib reader over bytes in memory.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {
    int error = 0;
    file_ = DGifOpen(this, &on_read, &error);
    if (file_ == nullptr) refuse(error);
  }
  ~Reader() { DGifCloseFile(file_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  GifFileType* file() { return file_; }
  // For what giflib returns of every step.
  void check_step(int result) const {
    if (result == GIF_ERROR) refuse(file_->Error);
  }
  [[noreturn]] void refuse(std::string_view why) const {
    fail(Code::bad_input, name_, " is a damaged GIF: ", why,
         "; save or download the picture again");
  }

 private:
  [[noreturn]] void refuse(int error) const {
    const char* text = GifErrorString(error);
    refuse(text == nullptr || at_ == bytes_.size() ? "it ends too early" : text);
  }
  static int on_read(GifFileType* file, GifByteType* to, int length) {
    auto& reader = *static_cast<Reader*>(file->UserData);
    const size_t count =
        std::min(static_cast<size_t>(std::max(length, 0)), reader.bytes_.size() - reader.at_);
    if (count > 0) std::memcpy(to, reader.bytes_.data() + reader.at_, count);
    reader.at_ += count;
    return static_cast<int>(count);
  }

  std::span<const std::byte> bytes_;
  const std::string& name_;
  size_t at_ = 0;
  GifFileType* file_ = nullptr;
};

// Goes to the first frame's pixels; the transparent index that was set on the way, else 0.
uint8_t find_frame(Reader& reader) {
  uint8_t transparent = 0;
  for (;;) {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    reader.check_step(DGifGetRecordType(reader.file(), &record));
    if (record == TERMINATE_RECORD_TYPE) reader.refuse("it holds no picture");
    if (record == IMAGE_DESC_RECORD_TYPE) {
      reader.check_step(DGifGetImageDesc(reader.file()));
      return transparent;
    }
    if (record != EXTENSION_RECORD_TYPE) continue;
    int kind = 0;
    GifByteType* block = nullptr;  // its length, then as many bytes; null behind the last
    reader.check_step(DGifGetExtension(reader.file(), &kind, &block));
    if (kind == GRAPHICS_EXT_FUNC_CODE && block != nullptr && block[0] >= 4 &&
        (block[1] & 1) != 0) {
      transparent = block[4];
    }
    while (block != nullptr) reader.check_step(DGifGetExtensionNext(reader.file(), &block));
  }
}

// The palette of the frame, else that of the file; without one, indices are greys.
Palette colours_of(const GifFileType& file) {
  const ColorMapObject* map = file.Image.ColorMap != nullptr ? file.Image.ColorMap : file.SColorMap;
  if (map == nullptr) return greys();
  std::vector<Colour> colours;
  for (int i = 0; i < std::clamp(map->ColorCount, 0, 256); ++i) {
    colours.push_back({map->Colors[i].Red, map->Colors[i].Green, map->Colors[i].Blue});
  }
  return is_ramp(colours) ? greys() : palette_of(colours);
}

void paint(const Palette& table, std::span<const GifByteType> indices, uint8_t* to) {
  for (const GifByteType index : indices) to = std::copy_n(table[index].data(), 3, to);
}

// Rows of an interlaced frame come in four passes.
struct Pass {
  int first;
  int step;
};

std::span<const Pass> passes_of(bool interlaced) {
  static constexpr std::array<Pass, 4> kInterlaced = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  static constexpr std::array<Pass, 1> kPlain = {{{0, 1}}};
  if (interlaced) return kInterlaced;
  return kPlain;
}

}  // namespace

Image decode_gif(std::span<const std::byte> bytes, const std::string& name,
                 const ImageLimits& limits) {
  Reader reader(bytes, name);
  const uint8_t free_index = find_frame(reader);
  const GifFileType& file = *reader.file();
  const GifImageDesc& frame = file.Image;
  if (frame.Width < 1 || frame.Height < 1) reader.refuse("its first frame has no pixels");
  const int64_t width = std::max<int64_t>(file.SWidth, int64_t{frame.Left} + frame.Width);
  const int64_t height = std::max<int64_t>(file.SHeight, int64_t{frame.Top} + frame.Height);
  check_pixels(width, height, name, limits);
  const int64_t pixels = int64_t{frame.Width} * frame.Height;
  check(pixels / kMaxExpansion <= static_cast<int64_t>(bytes.size()), Code::bad_input, name,
        " claims ", frame.Width, " x ", frame.Height, " pixels but has only ", bytes.size(),
        " bytes: it is cut short or made to fill memory");
  const auto table = colours_of(file);
  Image image{.width = static_cast<int>(width), .height = static_cast<int>(height), .rgb = {}};
  image.rgb.resize(static_cast<size_t>(width * height) * 3);
  if (pixels < width * height) {
    for (auto at = image.rgb.begin(); at != image.rgb.end(); at += 3) {
      paint(table, {&free_index, 1}, &*at);
    }
  }
  std::vector<GifByteType> row(static_cast<size_t>(frame.Width));
  for (const Pass& pass : passes_of(frame.Interlace)) {
    for (int y = pass.first; y < frame.Height; y += pass.step) {
      reader.check_step(DGifGetLine(reader.file(), row.data(), frame.Width));
      const int64_t first = (int64_t{frame.Top} + y) * width + frame.Left;
      paint(table, row, image.rgb.data() + first * 3);
    }
  }
  return image;
}

}  // namespace janus
