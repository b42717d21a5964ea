// See room.h. S rows of a step · D width · V text ids · C codes in the book · T tokens of a prompt.
// SPDX-License-Identifier: MIT
#include "generate/room.h"

#include <algorithm>
#include <set>

#include "generate/ahead.h"
#include "generate/pass.h"
#include "generate/state.h"
#include "model/footprint.h"

namespace janus {

namespace {

// Tensors of numbers as they are taken.
int64_t floats(int64_t rows, int64_t cols) {
  return Buffer::held(bytes_of(Dtype::f32, rows * cols));
}

// What the first block of keys and values that a row does not share begins with: after its prompt's
// full blocks.
int64_t own_blocks(int64_t prompt, int64_t positions) {
  return KvCache::blocks_for(positions) - prompt / kKvBlock;
}

void add_row(BatchShape& shape, int64_t prompt, int64_t codes) {
  const int64_t positions = prompt + codes - 1;  // the last code is not fed back
  shape.rows += 1;
  shape.positions = std::max(shape.positions, positions);
  shape.blocks += own_blocks(prompt, positions);
}

}  // namespace

// The full blocks of every distinct prompt once, and for each row what comes after them: a last
// block that is not full is copied by all rows but one, which takes it over.
BatchShape batch_shape(const Config& config, std::span<const PromptRows* const> prompts) {
  BatchShape shape;
  std::set<std::vector<int32_t>> seen;
  const PromptRows* before = nullptr;
  for (const PromptRows* prompt : prompts) {
    for (const std::vector<int32_t>* ids : prompt->all()) {
      if (ids->empty()) continue;
      const auto tokens = static_cast<int64_t>(ids->size());
      add_row(shape, tokens, config.image_tokens());
      shape.kept += prompt->kept;
      if (prompt == before || !seen.insert(*ids).second) continue;
      shape.prompts += tokens;
      shape.shown += std::count(ids->begin(), ids->end(), kSourceCode);
      shape.blocks += tokens / kKvBlock;
    }
    before = prompt;
  }
  return shape;
}

BatchShape batch_shape(const Config& config, int64_t pictures, int64_t prompt) {
  BatchShape shape;
  for (int64_t row = 0; row < 2 * pictures; ++row) add_row(shape, prompt, config.image_tokens());
  shape.prompts = 2 * prompt;
  shape.blocks += 2 * (prompt / kKvBlock);
  return shape;
}

namespace {

// Of a step: with guesses, as far as there is room for them.
int64_t step_rows(const BatchShape& shape) { return shape.rows * widest_window(shape.rows); }

// Where the prompts do not fit into one pass, the first pictures may begin beside the last prompts.
PassShape prompt_pass(const BatchShape& shape) {
  PassShape pass{std::min(shape.prompts, State::kPrefillRows), 0, 0, shape.rows};
  pass.codes = std::min(shape.shown, pass.rows);
  if (shape.prompts > State::kPrefillRows) {
    pass.codes += step_rows(shape);
    pass.rows += step_rows(shape);
    pass.image += step_rows(shape);
  }
  return pass;
}

// Codes that stand are fed as a prompt is, each picture's beside what the others do.
PassShape kept_pass(const BatchShape& shape) {
  const int64_t steps = step_rows(shape);
  const int64_t rows = std::min(shape.kept, State::kPrefillRows) + steps;
  return shape.kept > 0 ? PassShape{rows, rows, 0, steps} : PassShape{};
}

}  // namespace

int64_t workspace_bytes(const Config& config, const BatchShape& shape) {
  const PassShape step{step_rows(shape), step_rows(shape), 0, step_rows(shape)};
  return std::max({step.scratch(config), prompt_pass(shape).scratch(config),
                   kept_pass(shape).scratch(config), codec_scratch(config),
                   shape.shown > 0 ? read_images_scratch(config, 1) : int64_t{0}});
}

std::vector<BatchShape> group_shapes(const Config& config,
                                     std::span<const PromptRows* const> pictures, int at_once) {
  std::vector<BatchShape> shapes;
  for (size_t begin = 0; begin < pictures.size(); begin += static_cast<size_t>(at_once)) {
    const size_t count = std::min(static_cast<size_t>(at_once), pictures.size() - begin);
    const BatchShape shape = batch_shape(config, pictures.subspan(begin, count));
    if (shapes.empty() || shapes.back() != shape) shapes.push_back(shape);
  }
  return shapes;
}

int64_t drawing_blocks(const Config& config, std::span<const PromptRows* const> pictures,
                       int at_once) {
  int64_t most = 0;
  for (const BatchShape& shape : group_shapes(config, pictures, at_once)) {
    most = std::max(most, shape.blocks);
  }
  return most;
}

namespace {

Room batch_room(const Sizes& sizes, const BatchShape& shape) {
  const Config& config = sizes.config;
  Room room;
  room.cache = KvCache::bytes(sizes.backend, config.llama, sizes.cache, shape.blocks);
  const bool reads = shape.shown > 0;
  const int64_t rows = std::max({step_rows(shape), prompt_pass(shape).rows, kept_pass(shape).rows,
                                 reads ? config.vision.tokens() : int64_t{0}});
  room.scratch = prepared_rows_bytes(config, sizes.backend, sizes.weights,
                                     reads ? Parts{} : kDrawingParts, rows) +
                 Buffer::held(workspace_bytes(config, shape)) +
                 bytes_of(Dtype::f32, shape.rows * config.vq.codes);  // logits of first codes
  if (reads) room.scratch += floats(config.vision.tokens(), config.llama.width);
  return room;
}

// And what does not depend on how many are drawn at once: one picture's pixels in the decoder, all
// pictures as they come out.
Room with_pictures(const Sizes& sizes, Room room, int64_t pictures, const BatchShape& shape) {
  const Config& config = sizes.config;
  const int64_t plane = int64_t{3} * config.image * config.image;
  const bool edits = shape.kept > 0 || shape.shown > 0;
  room.scratch += filter_bytes(config, sizes.backend, edits ? kCodecParts : kDecoderParts);
  room.pictures =
      floats(1, plane) + pictures * (plane + bytes_of(Dtype::f32, config.image_tokens()));
  if (edits) room.pictures += plane + plane / 3;  // the original and its mask
  if (shape.shown > 0) {
    room.pictures += floats(int64_t{config.vision.image} * config.vision.image, 3);
  }
  return room;
}

}  // namespace

Room drawing_room(const Sizes& sizes, const BatchShape& shape, int64_t pictures) {
  return with_pictures(sizes, batch_room(sizes, shape), pictures, shape);
}

Room drawing_room(const Sizes& sizes, std::span<const PromptRows* const> pictures, int at_once) {
  Room largest;
  BatchShape all;  // whether any of them edits
  for (const BatchShape& shape : group_shapes(sizes.config, pictures, at_once)) {
    all.kept += shape.kept;
    all.shown += shape.shown;
    const Room room = batch_room(sizes, shape);
    if (room.total() > largest.total()) largest = room;
  }
  return with_pictures(sizes, largest, std::ssize(pictures), all);
}

AnswerShape answer_shape(const Config& config, int64_t prompt, int64_t max_tokens,
                         std::span<const Image* const> images) {
  AnswerShape shape;
  shape.prompt = prompt;
  shape.positions = std::min<int64_t>(prompt + max_tokens, config.llama.context);
  shape.pictures = std::ssize(images);
  for (const Image* image : images) {
    shape.pixel_bytes += static_cast<int64_t>(image->rgb.size());
  }
  return shape;
}

int64_t workspace_bytes(const Config& config, const AnswerShape& shape) {
  const int64_t steps = std::clamp<int64_t>(shape.positions - shape.prompt, 1, kMostTextWindow);
  const PassShape pass{std::min(shape.prompt, State::kPrefillRows), 0, 1, 0};
  const PassShape step{steps, 0, steps, 0};
  return std::max({pass.scratch(config), step.scratch(config),
                   shape.pictures > 0 ? read_images_scratch(config, 1) : int64_t{0}});
}

// Pictures are read one at a time, before the prompt is run. The caller's pictures are copied.
Room asking_room(const Sizes& sizes, const AnswerShape& shape) {
  const Config& config = sizes.config;
  const int64_t side = config.vision.image, width = config.llama.width;
  Room room;
  const int64_t rows = std::max(std::min(shape.prompt, State::kPrefillRows),
                                shape.pictures > 0 ? config.vision.tokens() : int64_t{0});
  room.cache = KvCache::bytes(sizes.backend, config.llama, sizes.cache,
                              KvCache::blocks_for(shape.positions));
  room.scratch = prepared_rows_bytes(config, sizes.backend, sizes.weights, kReadingParts, rows) +
                 Buffer::held(workspace_bytes(config, shape)) +
                 shape.pictures * floats(config.vision.tokens(), width);
  room.pictures = 2 * shape.pixel_bytes + (shape.pictures > 0 ? floats(side * side, 3) : 0);
  return room;
}

}  // namespace janus
