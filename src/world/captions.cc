// A caption is a function of the scene alone, so that there is one right answer to learn.
// SPDX-License-Identifier: MIT
#include "world/captions.h"

#include <algorithm>
#include <array>

#include "world/layout.h"
#include "world/wording.h"

namespace janus {
namespace {

constexpr std::array<std::string_view, 12> kShort = {"write a short caption",
                                                     "give the picture a short caption",
                                                     "describe the picture in one line",
                                                     "describe the picture briefly",
                                                     "what is a short caption for the picture?",
                                                     "caption the picture",
                                                     "give a short description of the picture",
                                                     "say briefly what you see",
                                                     "what does the picture show, in a few words?",
                                                     "a short caption, please",
                                                     "describe this in a few words",
                                                     "sum up the picture"};
constexpr std::array<std::string_view, 12> kLong = {"describe the picture",
                                                    "describe the picture in detail",
                                                    "describe everything you see",
                                                    "write a long caption",
                                                    "what is in this picture? tell me everything",
                                                    "give a full description of the picture",
                                                    "tell me about the picture",
                                                    "tell me all that you see",
                                                    "describe all objects and the background",
                                                    "what can be seen here? describe it in detail",
                                                    "describe this image",
                                                    "give me all the details of the picture"};

Mention whole_mention(const Object& object) {
  return {.shape = object.shape, .colour = object.colour};
}

// Objects of one class and colour together, in the order of the first of each.
std::vector<Mention> counted(const std::vector<Object>& objects) {
  std::vector<Mention> mentions;
  for (const Object& object : objects) {
    const auto alike = std::find_if(mentions.begin(), mentions.end(), [&](const Mention& m) {
      return m.shape == object.shape && m.colour == object.colour;
    });
    if (alike == mentions.end()) {
      mentions.push_back(whole_mention(object));
    } else {
      ++alike->count;
    }
  }
  return mentions;
}

// "a pink star above a blue cup", from whichever end words may tell it; empty if from neither.
std::string related(const Object& first, const Object& second) {
  for (const bool forward : {true, false}) {
    const Object& subject = forward ? first : second;
    const Object& reference = forward ? second : first;
    const auto holds = relation(subject, reference);
    if (!holds || held_out_relation(subject.shape, reference.shape)) continue;
    return noun_phrase(whole_mention(subject)) + ' ' +
           std::string(kRelations[static_cast<size_t>(*holds)]) + ' ' +
           noun_phrase(whole_mention(reference));
  }
  return "";
}

}  // namespace

std::string short_caption(const Scene& scene) {
  const std::vector<Object> objects = in_reading_order(scene.objects);
  if (objects.size() == 1) {
    return noun_phrase(whole_mention(objects[0])) + ' ' + place_phrase(cell_of(objects[0]));
  }
  const std::vector<Mention> mentions = counted(objects);
  if (objects.size() == 2 && objects[0].shape != objects[1].shape) {
    const std::string words = related(objects[0], objects[1]);
    if (!words.empty()) return words;
  }
  std::vector<std::string> phrases;
  for (const Mention& mention : mentions) phrases.push_back(noun_phrase(mention));
  return listed(phrases);
}

std::string long_caption(const Scene& scene) {
  std::string text;
  for (const Object& object : in_reading_order(scene.objects)) {
    text += "There is " + noun_phrase(whole_mention(object)) + ' ' + place_phrase(cell_of(object)) +
            ". ";
  }
  const std::string backdrop = backdrop_phrase(scene.palette, scene.backdrop);
  return text + "It is on " + backdrop + '.';
}

CaptionSample caption_sample(Split split, uint64_t index) {
  Philox random = world_stream(split, "caption", index);
  CaptionSample sample;
  sample.long_form = split == Split::train ? random.chance(.5) : index % 2 == 1;
  const Pairs pairs = split == Split::train ? Pairs::seen : Pairs::all;
  do {
    sample.scene.objects.clear();
    for (int n = draw_count(random); n > 0; --n) {
      sample.scene.objects.push_back(draw_object(random, pairs));
    }
    sample.held = shows_held_out(sample.scene);
  } while (split == Split::train && sample.held);
  draw_backdrop(random, sample.scene);
  lay_out(random, sample.scene);
  const Phrasing phrasing = choose_phrasing(random, split, sample.long_form ? kLong : kShort);
  sample.question = std::string(phrasing.text);
  sample.held |= phrasing.held;
  if (split == Split::train) sample.question = as_typed(random, sample.question);
  sample.answer = sample.long_form ? long_caption(sample.scene) : short_caption(sample.scene);
  return sample;
}

double caption_score(const std::string& answer, const CaptionSample& sample) {
  return fact_f1(parse_description(answer), parse_description(sample.answer));
}

}  // namespace janus
