// See file_row.h.
// SPDX-License-Identifier: MIT
#include "train/file_row.h"

#include <optional>
#include <utility>

#include "base/error.h"
#include "io/file.h"
#include "io/preprocess.h"
#include "io/resize.h"
#include "train/picture_folders.h"
#include "train/row_file.h"
#include "train/tar_rows.h"

namespace janus::train {
namespace {

void append_picture(const StoredPicture& picture, const Config& config, std::vector<float>& out) {
  const int side = config.vision.image;
  std::vector<float> pixels(static_cast<size_t>(side) * side * 3);  // [S, S, 3]
  prepare_for_reading(load_upright(picture), side, config.preprocessing, pixels);
  for (size_t channel = 0; channel < 3; ++channel) {
    for (size_t i = channel; i < pixels.size(); i += 3) out.push_back(pixels[i]);
  }
}

}  // namespace

Image load_upright(const StoredPicture& picture) {
  return picture.bytes.empty() ? janus::load_upright(picture.path)
                               : decode_upright(picture.bytes, picture.path.string());
}

std::unique_ptr<StoredRows> open_rows(const Source& source) {
  if (source.format == "jsonl") return std::make_unique<RowFile>(source.path);
  if (source.format == "folder") return std::make_unique<PictureFolder>(source);
  if (source.format == "classes") return std::make_unique<ClassFolders>(source);
  if (source.format == "webdataset") return std::make_unique<TarRows>(source);
  check(source.format == "llava", Code::bug, "open_rows: format ", source.format);
  return std::make_unique<RowFile>(source.path, parse_llava_row, source.images);
}

FileRow captioned_row(Teaches task, const StoredPicture& picture, const std::string& caption,
                      const std::string& pattern) {
  check(!caption.empty(), Code::bad_input, "the caption is empty");
  std::string text = pattern;
  const size_t at = text.find(kCaptionMark);
  if (at != std::string::npos) text.replace(at, kCaptionMark.size(), caption);
  FileRow row;
  if (task == Teaches::generate) {
    row.task = "generate";
    row.prompt = text;
    row.target = picture;
  } else {
    row.task = "understand";
    row.messages = {{Role::user, text, 1}, {Role::assistant, caption, 0}};
    row.images = {picture};
  }
  return row;
}

DrawRow draw_row(const FileRow& row, const PromptBuilder& prompts, const Config& config,
                 const CodeCache* kept) {
  DrawRow out;
  out.prompt = prompts.draw(row.prompt);
  out.covered.assign(static_cast<size_t>(config.image_tokens()), false);  // nobody knows
  if (row.target.path.empty()) {
    check(std::ssize(row.codes) == config.image_tokens(), Code::bad_input, row.codes.size(),
          " target_codes, the model draws ", config.image_tokens());
    for (const int64_t code : row.codes) {
      check(code >= 0 && code < config.vq.codes, Code::bad_input, "target code ", code,
            " is outside 0..", config.vq.codes - 1);
    }
    out.codes = row.codes;
    return out;
  }
  StoredPicture picture = row.target;
  std::optional<MappedFile> file;
  if (kept) {
    if (picture.bytes.empty()) picture.bytes = file.emplace(picture.path).bytes();
    out.picture = digest_of(picture.bytes);
    if (auto codes = kept->find(*out.picture)) {
      out.codes = std::move(*codes);
      return out;
    }
  }
  append_pixels(cover_and_crop(load_upright(picture), config.image), 0, 0, config.image,
                out.pixels);
  return out;
}

AskRow ask_row(const FileRow& row, const PromptBuilder& prompts, const Config& config) {
  AskRow out;
  out.dialogue = teach(prompts, row.messages, row.system);
  for (const StoredPicture& picture : row.images) append_picture(picture, config, out.pixels);
  return out;
}

}  // namespace janus::train
