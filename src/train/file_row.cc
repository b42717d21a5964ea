// See file_row.h.
// SPDX-License-Identifier: MIT
#include "train/file_row.h"

#include <optional>
#include <utility>

#include "base/error.h"
#include "io/edit_source.h"
#include "io/file.h"
#include "io/preprocess.h"
#include "io/resize.h"
#include "train/picture_folders.h"
#include "train/row_file.h"
#include "train/tar_rows.h"

namespace janus::train {
namespace {

// A picture with its bytes, be they in a file.
class Opened {
 public:
  explicit Opened(const StoredPicture& picture) : picture_(picture) {
    if (picture.bytes.empty()) picture_.bytes = file_.emplace(picture.path).bytes();
  }
  const StoredPicture& picture() const { return picture_; }

 private:
  StoredPicture picture_;
  std::optional<MappedFile> file_;
};

// A picture in front of an edit is fitted by a rule of its own where the model's layout has one.
Digest digest_of_source(const StoredPicture& picture, EditLayout layout,
                        const Preprocessing& rule) {
  Hash hash;
  hash.add(picture.bytes);
  if (layout == EditLayout::janus_4o) {
    hash.add(std::as_bytes(std::span(rule.fill)));
    hash.add(std::as_bytes(std::span(&rule.min_side, 1)));
  }
  return hash.digest();
}

DrawRow row_of_edit(const FileRow& row, const PromptBuilder& prompts, const Config& config,
                    const CodeCache* kept) {
  const Opened source(row.source);
  DrawRow out = edit_row(prompts, row.prompt, load_upright(source.picture()), config);
  if (!kept) return out;
  out.source_picture = digest_of_source(source.picture(), prompts.edits(), config.preprocessing);
  if (auto codes = kept->find(*out.source_picture)) out.source_codes = std::move(*codes);
  return out;
}

void check_codes(const char* which, const std::vector<int64_t>& codes, const Config& config) {
  check(std::ssize(codes) == config.image_tokens(), Code::bad_input, codes.size(), " ", which,
        "_codes, the model draws ", config.image_tokens());
  for (const int64_t code : codes) {
    check(code >= 0 && code < config.vq.codes, Code::bad_input, which, " code ", code,
          " is outside 0..", config.vq.codes - 1);
  }
}

// Of a picture that is drawn: its codes where they are kept, else its pixels. -> under what they
// are, or will be
std::optional<Digest> take_drawn(const StoredPicture& stored, const Config& config,
                                 const CodeCache* kept, std::vector<float>& pixels,
                                 std::vector<int64_t>& codes) {
  const Opened opened(stored);
  std::optional<Digest> digest;
  if (kept) {
    digest = digest_of(opened.picture().bytes);
    if (auto known = kept->find(*digest)) {
      codes = std::move(*known);
      return digest;
    }
  }
  append_pixels(cover_and_crop(load_upright(opened.picture()), config.image), 0, 0, config.image,
                pixels);
  return digest;
}

}  // namespace

void append_picture(const StoredPicture& picture, const Config& config, std::vector<float>& out) {
  const int side = config.vision.image;
  std::vector<float> pixels(static_cast<size_t>(side) * side * 3);  // [S, S, 3]
  prepare_for_reading(load_upright(picture), side, config.preprocessing, pixels);
  for (size_t channel = 0; channel < 3; ++channel) {
    for (size_t i = channel; i < pixels.size(); i += 3) out.push_back(pixels[i]);
  }
}

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
  if (row.task == "edit") {
    out = row_of_edit(row, prompts, config, kept);
  } else {
    out.prompt = prompts.draw(row.prompt);
  }
  out.covered.assign(static_cast<size_t>(config.image_tokens()), false);  // nobody knows
  if (row.target.path.empty()) {
    check_codes("target", row.codes, config);
    out.codes = row.codes;
  } else {
    out.picture = take_drawn(row.target, config, kept, out.pixels, out.codes);
  }
  if (!row.rejected_codes.empty()) {
    check_codes("rejected", row.rejected_codes, config);
    out.rejected_codes = row.rejected_codes;
  } else if (!row.rejected.path.empty()) {
    out.rejected_picture = take_drawn(row.rejected, config, kept, out.rejected, out.rejected_codes);
  }
  return out;
}

AskRow ask_row(const FileRow& row, const PromptBuilder& prompts, const Config& config) {
  AskRow out;
  out.dialogue = teach(prompts, row.messages, row.system);
  if (row.rejected_reply) {
    std::vector<Message> messages = row.messages;
    messages.back().text = *row.rejected_reply;
    out.rejected = teach(prompts, messages, row.system);
  }
  for (const StoredPicture& picture : row.images) append_picture(picture, config, out.pixels);
  return out;
}

}  // namespace janus::train
