// See data.h.
// SPDX-License-Identifier: MIT
#include "train/data.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/rng.h"
#include "io/edit_source.h"
#include "io/preprocess.h"
#include "io/special_tokens.h"
#include "train/broken.h"
#include "train/row_source.h"
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

PictureBatch codec_batch(const Recipe& recipe, int64_t step, int64_t pass, Portion portion) {
  const int whole = recipe.model.config.image;
  const bool cropped = recipe.codec.crop > 0 &&
                       static_cast<double>(step) <
                           recipe.codec.crop_until * static_cast<double>(recipe.schedule.steps);
  PictureBatch batch;
  const int64_t first = portion.begin(recipe.batch.micro);
  batch.count = portion.end(recipe.batch.micro) - first;
  batch.side = cropped ? recipe.codec.crop : whole;
  const auto side = static_cast<int>(batch.side);
  const auto area = static_cast<size_t>(batch.count * batch.side * batch.side);
  batch.pixels.reserve(area * 3);
  batch.coverage.reserve(area);
  for (int64_t i = 0; i < batch.count; ++i) {
    const auto index = static_cast<uint64_t>(pass * recipe.batch.micro + first + i);
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
        "a recipe says it by data.task = \"edit\" or by edit.layout");
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

// What a row is drawn from is left for a share of the rows; of an edit's condition maybe a part.
// `index` tells one sample from another.
void drop_condition(const Recipe& recipe, const PromptBuilder& prompts, uint64_t index,
                    DrawRow& row) {
  double at = Philox(recipe.seed ^ kDropStream, index).uniform();
  const auto& share = recipe.edit;
  if (row.source.empty()) {
    if (at < recipe.condition_drop) row.prompt = prompts.unguided(row.prompt);
  } else if ((at -= share.drop_instruction) < 0) {
    row.prompt = prompts.without_instruction(row.prompt, recipe.model.config.image_tokens());
  } else if ((at -= share.drop_all) < 0) {
    row.prompt = prompts.unguided(row.prompt);
    row.source.clear();
    row.source_codes.clear();
    row.seen.clear();
  } else if ((at -= share.drop_codes) < 0) {
    row.prompt = prompts.without_codes(row.prompt);
  } else if ((at -= share.drop_vectors) < 0) {
    row.prompt = prompts.without_vectors(row.prompt);
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

namespace {

// Of a source that ends, the first row that can be used from `index` of an endless reading on: what
// stands in depends on nothing but the rows. None where more are broken than may be.
std::optional<Row> some_row(const Recipe& recipe, const RowSource& source, const Slot& slot,
                            std::vector<BrokenRow>& broken) {
  const auto count = static_cast<uint64_t>(source.count());
  const auto number = static_cast<size_t>(slot.source - recipe.data.data());
  const auto limit = static_cast<uint64_t>(broken_limit(*slot.source, source.count()));
  const uint64_t first = shuffled(slot.index, count, recipe.seed ^ kOrderStream);
  for (uint64_t tried = 0; tried < count; ++tried) {
    const uint64_t at = (first + tried) % count;
    try {
      return usable_row(recipe, source, at);
    } catch (const Error& error) {
      if (error.code() == Code::bug) throw;
      broken.push_back({number, static_cast<int64_t>(at), source.place(at), error.what()});
      if (tried >= limit) return std::nullopt;
    }
  }
  fail(Code::bad_input, slot.source->path, ": none of its ", count, " rows can be used; ",
       broken.back().place, ": ", broken.back().reason);
}

Row world_row(const Recipe& recipe, const RowSource& source, uint64_t index) {
  try {
    return usable_row(recipe, source, index);
  } catch (const Error& error) {
    fail(error.code(), source.place(index), ": ", error.what());
  }
}

}  // namespace

LanguageBatch language_batch(const Recipe& recipe, const PromptBuilder& prompts,
                             const RowSources& sources, int64_t pass, Portion portion) {
  LanguageBatch batch;
  const int64_t end = portion.end(recipe.batch.micro);
  for (int64_t i = portion.begin(recipe.batch.micro); i < end; ++i) {
    const Slot slot = slot_of(recipe, static_cast<uint64_t>(pass * recipe.batch.micro + i));
    const RowSource& source = *sources[static_cast<size_t>(slot.source - recipe.data.data())];
    std::optional<Row> row = source.count() == 0 ? world_row(recipe, source, slot.index)
                                                 : some_row(recipe, source, slot, batch.broken);
    if (!row) continue;
    if (auto* drawn = std::get_if<DrawRow>(&*row)) {
      // A preference is about prompts: without them nothing is learnt of it.
      if (recipe.preference.beta <= 0) drop_condition(recipe, prompts, slot.index, *drawn);
      batch.draw.push_back(std::move(*drawn));
    } else {
      batch.ask.push_back(std::move(std::get<AskRow>(*row)));
    }
  }
  return batch;
}

}  // namespace janus::train
