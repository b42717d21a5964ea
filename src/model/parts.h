// Which parts of a model a checkpoint holds, or are loaded. Reading needs the language tower and
// `reading`; drawing needs the language tower, `drawing` and `decoder`.
// SPDX-License-Identifier: MIT
#pragma once

namespace janus {

struct Parts {
  bool language = true;  // text embeddings, blocks, last norm
  bool reading = true;   // text head, vision tower, its adaptor
  bool drawing = true;   // code vectors, their adaptor, image head
  bool decoder = true;   // of the codec: codes -> pixels
  bool encoder = true;   // of the codec: pixels -> codes

  bool operator==(const Parts&) const = default;
  bool reads() const { return language && reading; }
  bool draws() const { return language && drawing && decoder; }
  bool edits() const { return draws() && encoder; }
  bool within(const Parts& other) const {
    return (other.language || !language) && (other.reading || !reading) &&
           (other.drawing || !drawing) && (other.decoder || !decoder) &&
           (other.encoder || !encoder);
  }
};

inline constexpr Parts kReadingParts{
    .language = true, .reading = true, .drawing = false, .decoder = false, .encoder = false};
inline constexpr Parts kDrawingParts{
    .language = true, .reading = false, .drawing = true, .decoder = true, .encoder = false};
// With the codec's encoder: begins with a picture that is there.
inline constexpr Parts kEditingParts{
    .language = true, .reading = false, .drawing = true, .decoder = true, .encoder = true};
// What codes need to become pixels: no tower.
inline constexpr Parts kDecoderParts{
    .language = false, .reading = false, .drawing = false, .decoder = true, .encoder = false};

// The codec alone.
inline constexpr Parts kCodecParts{
    .language = false, .reading = false, .drawing = false, .decoder = true, .encoder = true};

}  // namespace janus
