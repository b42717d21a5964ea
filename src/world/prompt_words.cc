// The words of prompts. Those of a dense one follow from what holds in its scene.
// SPDX-License-Identifier: MIT
#include <algorithm>

#include "world/prompt_parts.h"
#include "world/relation.h"
#include "world/wording.h"

namespace janus {
namespace {

// How often a thing is said.
constexpr double kSaysColour = .85, kSaysPlace = .4, kSaysRelation = .35;
constexpr double kSaysAgain = .25;  // a relation to an object mentioned before
constexpr double kSaysPalette = .55, kSaysBackdrop = .6;

// A dense prompt in the making.
class Dense {
 public:
  Dense(Philox& random, Split split, std::span<const int> sizes, DrawSample& sample)
      : random_(random), split_(split), sizes_(sizes), sample_(sample) {}

  std::string words();

 private:
  Mention mention_of(size_t i);
  std::string clause(size_t& i);
  // The relation of objects i and j if words may tell it; -1 if not.
  int tellable(size_t i, size_t j) const;
  bool repeated(size_t i) const;
  std::string backdrop_clause();
  const std::vector<Object>& objects() const { return sample_.scene.objects; }

  Philox& random_;
  Split split_;
  std::span<const int> sizes_;
  DrawSample& sample_;
};

bool Dense::repeated(size_t i) const {
  return std::count_if(objects().begin(), objects().end(),
                       [&](const Object& other) { return other.shape == objects()[i].shape; }) > 1;
}

int Dense::tellable(size_t i, size_t j) const {
  const Object &subject = objects()[i], &reference = objects()[j];
  const auto holds = relation(subject, reference);
  const bool hidden = split_ == Split::train && held_out_relation(subject.shape, reference.shape);
  return holds && !hidden ? static_cast<int>(*holds) : -1;
}

// Where a class repeats the colour tells its objects apart.
Mention Dense::mention_of(size_t i) {
  Mention mention{.shape = objects()[i].shape};
  if (repeated(i) || random_.chance(kSaysColour)) mention.colour = objects()[i].colour;
  if (!sizes_.empty()) mention.size = sizes_[i];
  return mention;
}

// Of object i, or of i and i + 1 where a relation ties them; i goes on to the last one mentioned.
std::string Dense::clause(size_t& i) {
  std::vector<Mention>& mentions = sample_.said.mentions;
  const size_t self = i;
  mentions.push_back(mention_of(self));
  std::string words = noun_phrase(mentions[self]);
  const auto tie = [&](int relation, size_t other) {
    mentions[self].relation = relation;
    mentions[self].other = static_cast<int>(other);
    sample_.held |= held_out_relation(objects()[self].shape, objects()[other].shape);
    words += ' ' + std::string(kRelations[static_cast<size_t>(relation)]) + ' ';
  };
  const int ahead = self + 1 < objects().size() ? tellable(self, self + 1) : -1;
  const size_t earlier = self > 0 ? static_cast<size_t>(random_.below(static_cast<int>(self))) : 0;
  const int back = self > 0 ? tellable(self, earlier) : -1;
  if (ahead >= 0 && random_.chance(kSaysRelation)) {
    i = self + 1;
    mentions.push_back(mention_of(i));
    tie(ahead, i);
    return words + noun_phrase(mentions[i]);
  }
  if (back >= 0 && random_.chance(kSaysAgain)) {
    tie(back, earlier);
    return words + second_phrase(mentions[earlier], mentions[earlier].colour >= 0);
  }
  if (random_.chance(kSaysPlace)) {
    mentions[self].cell = cell_of(objects()[self]);
    words += ' ' + place_phrase(mentions[self].cell);
  }
  return words;
}

std::string Dense::backdrop_clause() {
  sample_.said.palette = sample_.scene.palette;
  if (random_.chance(kSaysBackdrop)) sample_.said.backdrop = sample_.scene.backdrop;
  return ", on " + backdrop_phrase(sample_.said.palette, sample_.said.backdrop);
}

std::string Dense::words() {
  std::string words;
  for (size_t i = 0; i < objects().size(); ++i) {
    if (i > 0) words += ", ";
    words += clause(i);
  }
  if (random_.chance(kSaysPalette)) words += backdrop_clause();
  return words;
}

}  // namespace

std::string describe(Category category, DrawSample& sample) {
  const std::vector<Object>& objects = sample.scene.objects;
  std::vector<Mention>& mentions = sample.said.mentions;
  const bool coloured = category == Category::colours || category == Category::attribution;
  const size_t named = category == Category::counting ? 1 : objects.size();
  for (size_t i = 0; i < named; ++i) {
    mentions.push_back({.shape = objects[i].shape, .colour = coloured ? objects[i].colour : -1});
  }
  if (category == Category::counting) mentions[0].count = static_cast<int>(objects.size());
  std::string words = noun_phrase(mentions[0]);
  if (named == 1) return words;
  std::string between = " and ";
  if (category == Category::position) {
    mentions[0].relation = static_cast<int>(*relation(objects[0], objects[1]));
    mentions[0].other = 1;
    between = ' ' + std::string(kRelations[static_cast<size_t>(mentions[0].relation)]) + ' ';
  }
  return words + between + noun_phrase(mentions[1]);
}

std::string describe_densely(Philox& random, Split split, std::span<const int> sizes,
                             DrawSample& sample) {
  return Dense(random, split, sizes, sample).words();
}

}  // namespace janus
