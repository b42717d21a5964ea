// WebP through libwebp, lossy and lossless; of an animation the first frame. Which file is a WebP
// is decided in io/image. SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <vector>

#include "io/image.h"

namespace janus {

// Alpha is dropped; where the first frame of an animation leaves its canvas free, that is black.
// Throws as decode_image does.
Image decode_webp(std::span<const std::byte> bytes, const std::string& name,
                  const ImageLimits& limits);

// The EXIF block of a WebP; empty when there is none. Never throws.
std::span<const std::byte> webp_exif(std::span<const std::byte> bytes);

inline constexpr int kMaxWebpSide = 16383;

// WebP bytes: lossless for quality 0, else lossy with a quality of 1 to 100. `exif` may be empty.
std::vector<std::byte> encode_webp(const Image& image, int quality,
                                   std::span<const std::byte> exif);

}  // namespace janus
