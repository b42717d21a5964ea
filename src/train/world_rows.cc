// See row_source.h: rows that the world makes up.
// SPDX-License-Identifier: MIT
#include "train/world_rows.h"

#include <algorithm>
#include <cmath>

#include "world/edits.h"
#include "world/streams.h"

namespace janus::train {
namespace {

// Whether anything covers a pixel of each cell of a code.   coverage [S, S] -> [N]
std::vector<bool> touched_cells(const std::vector<float>& coverage, const Config& config) {
  const int side = config.image;
  const int cell = config.vq.downsample();
  const int grid = side / cell;
  std::vector<bool> touched(static_cast<size_t>(grid) * grid);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      if (coverage[static_cast<size_t>(y) * side + x] <= 0) continue;
      touched[static_cast<size_t>(y / cell) * grid + x / cell] = true;
    }
  }
  return touched;
}

// The object whose circle a place in units is nearest to, or deepest in. Objects do not touch.
const Object& nearest_object(const Scene& scene, double x, double y) {
  const auto depth = [&](const Object& o) { return std::hypot(x - o.cx, y - o.cy) / o.r; };
  return *std::min_element(scene.objects.begin(), scene.objects.end(),
                           [&](const Object& a, const Object& b) { return depth(a) < depth(b); });
}

// The picture whose codes are learnt, and what is known of it.
void add_target(const Scene& scene, const Config& config, DrawRow& row) {
  const Rendering drawn = render(scene, config.image);
  append_pixels(drawn.image, 0, 0, config.image, row.pixels);
  row.covered = touched_cells(drawn.coverage, config);
  const int grid = config.grid();
  for (int cell = 0; cell < grid * grid; ++cell) {
    const Object& object = nearest_object(scene, (cell % grid + .5) * kCanvas / grid,
                                          (cell / grid + .5) * kCanvas / grid);
    row.shapes.push_back(object.shape);
    row.colours.push_back(object.colour);
  }
}

DrawRow draw_row(const DrawSample& sample, const PromptBuilder& prompts, const Config& config) {
  DrawRow row;
  row.prompt = prompts.draw(sample.prompt);
  add_target(sample.scene, config, row);
  return row;
}

DrawRow draw_row(const EditSample& sample, const PromptBuilder& prompts, const Config& config) {
  const Image source = render(sample.before, config.image).image;
  DrawRow row = edit_row(prompts, sample.instruction, source, config);
  add_target(sample.after, config, row);
  return row;
}

// What covers the centre of each patch.   `scene`: null where the picture is of none
void label_patches(const Scene* scene, const std::vector<float>& coverage, const Config& config,
                   AskRow& row) {
  const int grid = config.vision.grid();
  for (int patch = 0; patch < grid * grid; ++patch) {
    const int x = patch % grid * config.vision.patch + config.vision.patch / 2;
    const int y = patch / grid * config.vision.patch + config.vision.patch / 2;
    int64_t shape = kShapeCount;
    int64_t colour = kColourCount;
    if (scene && coverage[static_cast<size_t>(y) * config.image + x] > 0.5f) {
      const double scale = kCanvas / config.image;
      const Object& object = nearest_object(*scene, x * scale, y * scale);
      shape = object.shape;
      colour = object.colour;
    }
    row.shapes.push_back(shape);
    row.colours.push_back(colour);
    row.covered.push_back(shape != kShapeCount);
  }
}

AskRow ask_row(const Lesson& lesson, const PromptBuilder& prompts, const Config& config) {
  const bool blind = std::holds_alternative<std::monostate>(lesson.picture);
  std::vector<Message> messages;
  for (const Turn& turn : lesson.turns) {
    messages.push_back({Role::user, turn.question, messages.empty() && !blind ? 1 : 0});
    messages.push_back({Role::assistant, turn.answer, 0});
  }
  AskRow row;
  row.dialogue = teach(prompts, messages);
  if (blind) return row;
  const int side = config.image;
  const Rendering drawn = draw_lesson(lesson, side);
  append_pixels(drawn.image, 0, 0, side, row.pixels);
  label_patches(std::get_if<Scene>(&lesson.picture), drawn.coverage, config, row);
  return row;
}

}  // namespace

Row WorldRows::row(uint64_t index) const {
  if (source_.task == Teaches::generate) {
    return draw_row(drawing(source_.stream, Split::train, index), prompts_, config_);
  }
  if (source_.task == Teaches::edit) {
    return draw_row(edit_turns(Split::train, index).back(), prompts_, config_);
  }
  return ask_row(reading(source_.stream, Split::train, index, static_cast<int>(source_.turns)),
                 prompts_, config_);
}

std::string WorldRows::place(uint64_t index) const {
  return "toyland/" + source_.stream + ", sample " + std::to_string(index);
}

}  // namespace janus::train
