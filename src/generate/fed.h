// What stands at one position of a sequence: a text token, a vector of a picture that is read, or a
// code of a picture that is drawn. Two prompts that agree in this up to some position have the same
// keys and values there, since the bits of a row do not depend on where a prompt was cut or on what
// runs beside it (kernels/backend.h). SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>

#include "io/image.h"

namespace janus {

// SHA-256 of size and pixels.
using PictureKey = std::array<uint8_t, 32>;
PictureKey picture_key(const Image& image);

struct Fed {
  enum class Kind : uint8_t { text, vision, code };

  Kind kind = Kind::text;
  int32_t id = 0;           // token or code; of vision: which of the picture's vectors
  PictureKey picture = {};  // of vision

  bool operator==(const Fed&) const = default;
};

inline Fed fed_text(int32_t id) { return {Fed::Kind::text, id, {}}; }
inline Fed fed_code(int32_t code) { return {Fed::Kind::code, code, {}}; }
inline Fed fed_vision(int32_t row, const PictureKey& picture) {
  return {Fed::Kind::vision, row, picture};
}

}  // namespace janus
