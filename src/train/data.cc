// See data.h.
// SPDX-License-Identifier: MIT
#include "train/data.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "world/render.h"
#include "world/tasks.h"

namespace janus::train {
namespace {

// One axis of a crop around `centre` (pixels): uniform among the windows that keep it inside by a
// quarter of their side, as far as the picture allows.
int crop_start(double centre, int crop, int whole, Philox& rng) {
  const double inside = 0.25 * crop;
  const double start = centre - rng.uniform(inside, crop - inside);
  return std::clamp(static_cast<int>(std::lround(start)), 0, whole - crop);
}

uint64_t sample_index(const Source& source, uint64_t index) {
  return source.samples > 0 ? index % static_cast<uint64_t>(source.samples) : index;
}

}  // namespace

void append_pixels(const Image& image, int x, int y, int side, std::vector<float>& out) {
  check(x >= 0 && y >= 0 && x + side <= image.width && y + side <= image.height, Code::bug,
        "append_pixels: window past a picture of ", image.width, " x ", image.height);
  for (int channel = 0; channel < 3; ++channel) {
    for (int row = y; row < y + side; ++row) {
      const size_t begin = (static_cast<size_t>(row) * image.width + x) * 3 + channel;
      for (int i = 0; i < side; ++i) {
        out.push_back(static_cast<float>(image.rgb[begin + static_cast<size_t>(i) * 3]) / 127.5f -
                      1.f);
      }
    }
  }
}

PictureBatch codec_batch(const Recipe& recipe, int64_t step, int64_t pass) {
  const int whole = recipe.model.config.image;
  const bool cropped = recipe.codec.crop > 0 &&
                       static_cast<double>(step) <
                           recipe.codec.crop_until * static_cast<double>(recipe.schedule.steps);
  PictureBatch batch;
  batch.count = recipe.batch.micro;
  batch.side = cropped ? recipe.codec.crop : whole;
  const auto side = static_cast<int>(batch.side);
  const auto area = static_cast<size_t>(batch.count * batch.side * batch.side);
  batch.pixels.reserve(area * 3);
  batch.coverage.reserve(area);
  for (int64_t i = 0; i < batch.count; ++i) {
    const auto index = static_cast<uint64_t>(pass * batch.count + i);
    const Scene scene = codec_scene(Split::train, sample_index(recipe.data.front(), index));
    const Rendering drawn = render(scene, whole);
    Philox rng(recipe.seed, index);
    double x = rng.uniform(0, whole);
    double y = rng.uniform(0, whole);
    if (!scene.objects.empty()) {
      const auto count = static_cast<int>(scene.objects.size());
      const Object& object = scene.objects[static_cast<size_t>(rng.below(count))];
      x = object.cx * whole / kCanvas;
      y = object.cy * whole / kCanvas;
    }
    const int left = crop_start(x, side, whole, rng);
    const int top = crop_start(y, side, whole, rng);
    append_pixels(drawn.image, left, top, side, batch.pixels);
    for (int row = top; row < top + side; ++row) {
      const auto begin = drawn.coverage.begin() + static_cast<ptrdiff_t>(row) * whole + left;
      batch.coverage.insert(batch.coverage.end(), begin, begin + side);
    }
  }
  return batch;
}

Dialogue teach(const PromptBuilder& prompts, std::span<const Message> messages,
               std::optional<std::string_view> system) {
  Dialogue dialogue;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role != Role::assistant) continue;
    std::vector<int32_t> asked = prompts.read(messages.first(i), system);
    check(asked.size() >= dialogue.ids.size() &&
              std::equal(dialogue.ids.begin(), dialogue.ids.end(), asked.begin()),
          Code::bad_input, "message ", i, ": the turns before it read differently from how they ",
          "were taught; an empty reply is the usual cause");
    dialogue.ids = std::move(asked);
    dialogue.taught.resize(dialogue.ids.size(), false);
    const std::vector<int32_t> reply = prompts.reply(messages[i].text);
    dialogue.ids.insert(dialogue.ids.end(), reply.begin(), reply.end());
    dialogue.taught.resize(dialogue.ids.size(), true);
  }
  return dialogue;
}

namespace {

// Streams of random numbers of their own, so that one does not disturb another.
constexpr uint64_t kDropStream = 0x64726f70;

// How many rows of each pass a task gets: by weight, the rounded rest to the last.
int64_t rows_of(const Recipe& recipe, Teaches task) {
  double all = 0, mine = 0;
  for (const Source& source : recipe.data) {
    all += source.weight;
    if (source.task == task) mine += source.weight;
  }
  const auto draws = [&](double weight) {
    return static_cast<int64_t>(
        std::llround(static_cast<double>(recipe.batch.micro) * weight / all));
  };
  return task == Teaches::generate ? draws(mine) : recipe.batch.micro - draws(all - mine);
}

const Source* source_of(const Recipe& recipe, Teaches task) {
  const auto found = std::find_if(recipe.data.begin(), recipe.data.end(),
                                  [&](const Source& s) { return s.task == task; });
  return found == recipe.data.end() ? nullptr : &*found;
}

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

DrawRow draw_row(const Recipe& recipe, const PromptBuilder& prompts, uint64_t index) {
  const DrawSample sample = draw_sample(Split::train, index);
  DrawRow row;
  row.prompt = prompts.draw(sample.prompt);
  row.shape = sample.scene.objects.front().shape;
  row.colour = sample.scene.objects.front().colour;
  Philox rng(recipe.seed ^ kDropStream, index);
  if (rng.chance(recipe.condition_drop)) row.prompt = prompts.unguided(row.prompt);
  const int side = recipe.model.config.image;
  const Rendering drawn = render(sample.scene, side);
  append_pixels(drawn.image, 0, 0, side, row.pixels);
  row.covered = touched_cells(drawn.coverage, recipe.model.config);
  return row;
}

// What covers the centre of each patch.
void label_patches(const Scene& scene, const std::vector<float>& coverage, const Config& config,
                   AskRow& row) {
  const int grid = config.vision.grid();
  for (int patch = 0; patch < grid * grid; ++patch) {
    const int x = patch % grid * config.vision.patch + config.vision.patch / 2;
    const int y = patch / grid * config.vision.patch + config.vision.patch / 2;
    int64_t shape = kShapeCount;
    int64_t colour = kColourCount;
    if (coverage[static_cast<size_t>(y) * config.image + x] > 0.5f) {
      // Objects do not touch: the covering one is the one whose circle is entered deepest.
      const double scale = kCanvas / config.image;
      double deepest = 1e9;
      for (const Object& object : scene.objects) {
        const double depth = std::hypot(x * scale - object.cx, y * scale - object.cy) / object.r;
        if (depth >= deepest) continue;
        deepest = depth;
        shape = object.shape;
        colour = object.colour;
      }
    }
    row.shapes.push_back(shape);
    row.colours.push_back(colour);
    row.covered.push_back(shape != kShapeCount);
  }
}

AskRow ask_row(const Recipe& recipe, const Source& source, const PromptBuilder& prompts,
               uint64_t index) {
  const std::vector<AskSample> samples =
      ask_dialogue(Split::train, index, static_cast<int>(source.turns));
  std::vector<Message> messages;
  for (const AskSample& sample : samples) {
    messages.push_back({Role::user, sample.question, messages.empty() ? 1 : 0});
    messages.push_back({Role::assistant, sample.answer, 0});
  }
  AskRow row;
  row.dialogue = teach(prompts, messages);
  check(static_cast<int64_t>(row.dialogue.ids.size()) <= recipe.batch.max_len, Code::bad_input,
        "a dialogue of ", row.dialogue.ids.size(),
        " positions is longer than batch.max_len = ", recipe.batch.max_len);
  const Scene& scene = samples.front().scene;
  const int side = recipe.model.config.image;
  const Rendering drawn = render(scene, side);
  append_pixels(drawn.image, 0, 0, side, row.pixels);
  label_patches(scene, drawn.coverage, recipe.model.config, row);
  return row;
}

}  // namespace

LanguageBatch language_batch(const Recipe& recipe, const PromptBuilder& prompts, int64_t pass) {
  LanguageBatch batch;
  if (const Source* source = source_of(recipe, Teaches::generate)) {
    const int64_t rows = rows_of(recipe, Teaches::generate);
    for (int64_t i = 0; i < rows; ++i) {
      const auto index = static_cast<uint64_t>(pass * rows + i);
      batch.draw.push_back(draw_row(recipe, prompts, sample_index(*source, index)));
    }
  }
  if (const Source* source = source_of(recipe, Teaches::understand)) {
    const int64_t rows = rows_of(recipe, Teaches::understand);
    for (int64_t i = 0; i < rows; ++i) {
      const auto index = static_cast<uint64_t>(pass * rows + i);
      batch.ask.push_back(ask_row(recipe, *source, prompts, sample_index(*source, index)));
    }
  }
  return batch;
}

}  // namespace janus::train
