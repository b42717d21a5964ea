// See data.h.
// SPDX-License-Identifier: MIT
#include "train/data.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "io/edit_source.h"
#include "io/preprocess.h"
#include "io/special_tokens.h"
#include "train/row_file.h"
#include "world/edits.h"
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

DrawRow edit_row(const PromptBuilder& prompts, const std::string& instruction, const Image& source,
                 const Config& config) {
  check(prompts.edits() != EditLayout::none, Code::bad_input,
        "a row with a \"source\" is an edit, and how the picture stands in the prompt is not said: "
        "give edit.layout = \"und+gen\"");
  DrawRow row;
  row.prompt = prompts.edit(instruction, config.image_tokens());
  const Image shown = edit_source(source, config.image, prompts.edits(), config.preprocessing);
  append_pixels(shown, 0, 0, config.image, row.source);
  const int side = config.vision.image;
  std::vector<float> pixels(static_cast<size_t>(side) * side * 3);  // [V, V, 3]
  prepare_for_reading(shown, side, config.preprocessing, pixels);
  for (size_t channel = 0; channel < 3; ++channel) {
    for (size_t i = channel; i < pixels.size(); i += 3) row.seen.push_back(pixels[i]);
  }
  return row;
}

namespace {

// Streams of random numbers of their own, so that one does not disturb another.
constexpr uint64_t kDropStream = 0x64726f70;
constexpr uint64_t kOrderStream = 0x6f726472;

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

// `index` tells one sample from another.
void drop_condition(const Recipe& recipe, const PromptBuilder& prompts, uint64_t index,
                    DrawRow& row) {
  Philox rng(recipe.seed ^ kDropStream, index);
  if (rng.chance(recipe.condition_drop)) row.prompt = prompts.unguided(row.prompt);
}

// The same of an edit, of whose condition a part may be left.
void drop_of_edit(const Recipe& recipe, const PromptBuilder& prompts, uint64_t index,
                  DrawRow& row) {
  const auto& share = recipe.edit;
  double at = Philox(recipe.seed ^ kDropStream, index).uniform();
  if ((at -= share.drop_instruction) < 0) {
    row.prompt = prompts.without_instruction(row.prompt, recipe.model.config.image_tokens());
  } else if ((at -= share.drop_all) < 0) {
    row.prompt = prompts.unguided(row.prompt);
    row.source.clear();
    row.seen.clear();
  } else if ((at -= share.drop_codes) < 0) {
    row.prompt = prompts.without_codes(row.prompt);
  } else if ((at -= share.drop_vectors) < 0) {
    row.prompt = prompts.without_vectors(row.prompt);
  }
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

DrawRow draw_row(const Recipe& recipe, const PromptBuilder& prompts, const Slot& slot) {
  const DrawSample sample = drawing(slot.source->stream, Split::train, slot.index);
  DrawRow row;
  row.prompt = prompts.draw(sample.prompt);
  drop_condition(recipe, prompts, slot.index, row);
  add_target(sample.scene, recipe.model.config, row);
  return row;
}

void check_length(const Recipe& recipe, size_t positions) {
  check(static_cast<int64_t>(positions) <= recipe.batch.max_len, Code::bad_input, "a sample of ",
        positions, " positions is longer than batch.max_len = ", recipe.batch.max_len);
}

// … of a prompt and the codes that follow it, the last of which is not fed.
void check_length(const Recipe& recipe, const DrawRow& row) {
  check_length(recipe,
               row.prompt.size() + static_cast<size_t>(recipe.model.config.image_tokens()) - 1);
}

DrawRow edited_row(const Recipe& recipe, const PromptBuilder& prompts, const Slot& slot) {
  const Config& config = recipe.model.config;
  const EditSample sample = edit_sample(Split::train, slot.index);
  DrawRow row =
      edit_row(prompts, sample.instruction, render(sample.before, config.image).image, config);
  check_length(recipe, row);
  drop_of_edit(recipe, prompts, slot.index, row);
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
  check_length(recipe, row.dialogue.ids.size());
  if (blind) return row;
  const int side = recipe.model.config.image;
  const Rendering drawn = draw_lesson(lesson, side);
  append_pixels(drawn.image, 0, 0, side, row.pixels);
  label_patches(std::get_if<Scene>(&lesson.picture), drawn.coverage, recipe.model.config, row);
  return row;
}

// Adds row `index` of an endless reading of the file.
void add_file_row(const Recipe& recipe, const PromptBuilder& prompts, const RowFile& file,
                  uint64_t index, LanguageBatch& batch) {
  const auto at = static_cast<int64_t>(
      shuffled(index, static_cast<uint64_t>(file.count()), recipe.seed ^ kOrderStream));
  const FileRow row = file.row(at);
  try {
    if (row.task == "generate" || row.task == "edit") {
      DrawRow drawn = draw_row(row, prompts, recipe.model.config);
      check_length(recipe, drawn);
      row.task == "edit" ? drop_of_edit(recipe, prompts, index, drawn)
                         : drop_condition(recipe, prompts, index, drawn);
      batch.draw.push_back(std::move(drawn));
    } else {
      AskRow asked = ask_row(row, prompts, recipe.model.config);
      check_length(recipe, asked.dialogue.ids.size());
      batch.ask.push_back(std::move(asked));
    }
  } catch (const Error& error) {
    fail(error.code(), file.place(at), ": ", error.what());
  }
}

__extension__ typedef unsigned __int128 Wide;  // which -Wpedantic knows nothing of

constexpr Wide kRange = Wide{1} << 64;
// The golden ratio as a fraction of that range: its multiples lie evenly in every part of it.
constexpr uint64_t kGolden = 0x9E3779B97F4A7C15u;

// Sum of floor((kGolden i + shift) / kRange) over i < count, as Euclid's algorithm goes: lattice
// points below a line are counted from the other axis, over and over.
Wide floor_sum(Wide count, Wide shift) {
  Wide slope = kGolden, range = kRange, sum = 0;
  for (;;) {
    sum += count * (count - 1) / 2 * (slope / range) + count * (shift / range);
    slope %= range;
    shift %= range;
    const Wide top = slope * count + shift;
    if (top < range) return sum;
    count = top / range;
    shift = top % range;
    std::swap(slope, range);
  }
}

// How many of the first `count` multiples lie below `end`.
Wide multiples_below(uint64_t count, Wide end) {
  return count + floor_sum(count, 0) - floor_sum(count, kRange - end);
}

}  // namespace

Slot slot_of(const Recipe& recipe, uint64_t place) {
  double all = 0;
  for (const Source& source : recipe.data) all += source.weight;
  double sum = 0;
  Wide begin = 0, end = 0;  // of a source's part of the range
  size_t chosen = 0;
  for (;; ++chosen) {
    sum += recipe.data[chosen].weight;
    begin = end;
    end = chosen + 1 < recipe.data.size() ? static_cast<Wide>(std::ldexp(sum / all, 64)) : kRange;
    if (place * kGolden < end) break;
  }
  const Source& source = recipe.data[chosen];
  uint64_t index = place;
  if (source.from_file()) {
    index = static_cast<uint64_t>(multiples_below(place, end) - multiples_below(place, begin));
  }
  return {&source, source.samples > 0 ? index % static_cast<uint64_t>(source.samples) : index};
}

// A Feistel network of four rounds permutes the smallest power of four that holds `count`; walking
// on until the value is below it permutes those that are.
uint64_t shuffled(uint64_t index, uint64_t count, uint64_t key) {
  const uint64_t round = index / count;
  int half = 1;
  while ((uint64_t{1} << (2 * half)) < count) ++half;
  const uint64_t mask = (uint64_t{1} << half) - 1;
  uint64_t at = index % count;
  do {
    uint64_t left = at >> half, right = at & mask;
    for (uint32_t step = 0; step < 4; ++step) {
      const auto words = philox({static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)},
                                {static_cast<uint32_t>(right), static_cast<uint32_t>(right >> 32),
                                 static_cast<uint32_t>(round), step});
      left = std::exchange(right, (left ^ words[0]) & mask);
    }
    at = left << half | right;
  } while (at >= count);
  return at;
}

RowFiles open_files(const Recipe& recipe) {
  RowFiles files;
  for (const Source& source : recipe.data) {
    if (source.from_file()) files.emplace(source.path, source.path);
  }
  return files;
}

LanguageBatch language_batch(const Recipe& recipe, const PromptBuilder& prompts,
                             const RowFiles& files, int64_t pass) {
  LanguageBatch batch;
  for (int64_t i = 0; i < recipe.batch.micro; ++i) {
    const Slot slot = slot_of(recipe, static_cast<uint64_t>(pass * recipe.batch.micro + i));
    if (slot.source->from_file()) {
      add_file_row(recipe, prompts, files.at(slot.source->path), slot.index, batch);
    } else if (slot.source->task == Teaches::generate) {
      batch.draw.push_back(draw_row(recipe, prompts, slot));
    } else if (slot.source->task == Teaches::edit) {
      batch.draw.push_back(edited_row(recipe, prompts, slot));
    } else {
      batch.ask.push_back(ask_row(recipe, prompts, slot));
    }
  }
  return batch;
}

}  // namespace janus::train
