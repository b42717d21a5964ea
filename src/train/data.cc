// See data.h.
// SPDX-License-Identifier: MIT
#include "train/data.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "io/special_tokens.h"
#include "world/streams.h"

namespace janus::train {
namespace {

// One axis of a crop around `centre` (pixels): uniform among the windows that keep it inside by a
// quarter of their side, as far as the picture allows.
int crop_start(double centre, int crop, int whole, Philox& rng) {
  const double inside = 0.25 * crop;
  const double start = centre - rng.uniform(inside, crop - inside);
  return std::clamp(static_cast<int>(std::lround(start)), 0, whole - crop);
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
    const Slot slot = slot_of(recipe, index);
    const Lesson lesson = codec_picture(slot.source->stream, Split::train, slot.index);
    const Rendering drawn = draw_lesson(lesson, whole);
    Philox rng(recipe.seed, index);
    double x = rng.uniform(0, whole);
    double y = rng.uniform(0, whole);
    const auto* scene = std::get_if<Scene>(&lesson.picture);
    if (scene && !scene->objects.empty()) {
      const auto count = static_cast<int>(scene->objects.size());
      const Object& object = scene->objects[static_cast<size_t>(rng.below(count))];
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

// The whole is made of ids once and the replies are found in it: ids of parts, put together, need
// not be those of the whole. Each begins after the role and its colon, with the space that its
// first word has taken in.
Dialogue teach(const PromptBuilder& prompts, std::span<const Message> messages,
               std::optional<std::string_view> system) {
  const SpecialIds& special = prompts.ids();
  check(special.assistant >= 0, Code::not_supported,
        "the sides of a conversation are plain words (", prompts.roles().user, ", ",
        prompts.roles().assistant, ") in this model; training finds replies by tokens");
  const std::vector<int32_t> colon = prompts.tokenizer().encode(":");
  Dialogue dialogue;
  std::vector<int32_t>& ids = dialogue.ids;
  ids = prompts.read(messages, system);
  ids.resize(ids.size() - 1 - colon.size());  // the turn that is open after the last reply
  const auto wanted = std::count_if(messages.begin(), messages.end(), [](const Message& message) {
    return message.role == Role::assistant;
  });
  const auto begins = std::count(ids.begin(), ids.end(), special.assistant);
  const auto ends = std::count(ids.begin(), ids.end(), special.eos);
  check(begins == wanted && ends == wanted && !messages.empty() &&
            messages.back().role == Role::assistant,
        Code::bad_input, "of ", wanted, " replies ", begins, " begin and ", ends,
        " end; a conversation ends with a reply, none is empty, and no text holds ",
        kAssistantToken, " or ", kEosToken);
  dialogue.taught.resize(ids.size(), false);
  for (auto at = ids.begin(); (at = std::find(at, ids.end(), special.assistant)) != ids.end();) {
    const auto begin = std::min(at + 1 + std::ssize(colon), ids.end());
    check(std::equal(at + 1, begin, colon.begin(), colon.end()), Code::bad_input,
          "no colon of its own follows the role of a reply");
    at = std::find(begin, ids.end(), special.eos);
    check(at != ids.end(), Code::bad_input, "a reply is empty, or a text holds ", kEosToken);
    ++at;  // the end is taught too
    std::fill(dialogue.taught.begin() + (begin - ids.begin()),
              dialogue.taught.begin() + (at - ids.begin()), true);
  }
  return dialogue;
}

namespace {

// Streams of random numbers of their own, so that one does not disturb another.
constexpr uint64_t kDropStream = 0x64726f70;

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

DrawRow draw_row(const Recipe& recipe, const PromptBuilder& prompts, const Slot& slot) {
  const uint64_t index = slot.index;
  const DrawSample sample = drawing(slot.source->stream, Split::train, index);
  DrawRow row;
  row.prompt = prompts.draw(sample.prompt);
  Philox rng(recipe.seed ^ kDropStream, index);
  if (rng.chance(recipe.condition_drop)) row.prompt = prompts.unguided(row.prompt);
  const int side = recipe.model.config.image;
  const Rendering drawn = render(sample.scene, side);
  append_pixels(drawn.image, 0, 0, side, row.pixels);
  row.covered = touched_cells(drawn.coverage, recipe.model.config);
  const int grid = recipe.model.config.grid();
  for (int cell = 0; cell < grid * grid; ++cell) {
    const Object& object = nearest_object(sample.scene, (cell % grid + .5) * kCanvas / grid,
                                          (cell / grid + .5) * kCanvas / grid);
    row.shapes.push_back(object.shape);
    row.colours.push_back(object.colour);
  }
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

AskRow ask_row(const Recipe& recipe, const PromptBuilder& prompts, const Slot& slot) {
  const Lesson lesson =
      reading(slot.source->stream, Split::train, slot.index, static_cast<int>(slot.source->turns));
  const bool blind = std::holds_alternative<std::monostate>(lesson.picture);
  std::vector<Message> messages;
  for (const Turn& turn : lesson.turns) {
    messages.push_back({Role::user, turn.question, messages.empty() && !blind ? 1 : 0});
    messages.push_back({Role::assistant, turn.answer, 0});
  }
  AskRow row;
  row.dialogue = teach(prompts, messages);
  check(static_cast<int64_t>(row.dialogue.ids.size()) <= recipe.batch.max_len, Code::bad_input,
        "a dialogue of ", row.dialogue.ids.size(),
        " positions is longer than batch.max_len = ", recipe.batch.max_len);
  if (blind) return row;
  const int side = recipe.model.config.image;
  const Rendering drawn = draw_lesson(lesson, side);
  append_pixels(drawn.image, 0, 0, side, row.pixels);
  label_patches(std::get_if<Scene>(&lesson.picture), drawn.coverage, recipe.model.config, row);
  return row;
}

}  // namespace

// Multiples of the golden ratio, as fractions of 2^64, lie evenly in every range.
Slot slot_of(const Recipe& recipe, uint64_t place) {
  const double at = static_cast<double>((place * 0x9E3779B97F4A7C15u) >> 11) * 0x1p-53;
  double all = 0;
  for (const Source& source : recipe.data) all += source.weight;
  double sum = 0;
  const Source* chosen = &recipe.data.back();
  for (const Source& source : recipe.data) {
    sum += source.weight / all;
    if (at >= sum) continue;
    chosen = &source;
    break;
  }
  return {chosen, chosen->samples > 0 ? place % static_cast<uint64_t>(chosen->samples) : place};
}

LanguageBatch language_batch(const Recipe& recipe, const PromptBuilder& prompts, int64_t pass) {
  LanguageBatch batch;
  for (int64_t i = 0; i < recipe.batch.micro; ++i) {
    const Slot slot = slot_of(recipe, static_cast<uint64_t>(pass * recipe.batch.micro + i));
    if (slot.source->task == Teaches::generate) {
      batch.draw.push_back(draw_row(recipe, prompts, slot));
    } else {
      batch.ask.push_back(ask_row(recipe, prompts, slot));
    }
  }
  return batch;
}

}  // namespace janus::train
