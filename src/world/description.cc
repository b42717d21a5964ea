// Phrases, the reader of phrases, and facts. The reader is a single pass over words: a noun phrase
// opens a mention, what follows (place, relation) belongs to the mention opened last.
// SPDX-License-Identifier: MIT
#include "world/description.h"
#include "world/wording.h"

#include <algorithm>
#include <array>
#include <optional>

namespace janus {
namespace {

constexpr std::array<std::string_view, 5> kNumbers = {"zero", "one", "two", "three", "four"};
constexpr std::array<std::string_view, 2> kSizes = {"small", "big"};
constexpr std::array<std::string_view, kBackdropCount> kBackdropWords = {
    "a fade", "a soft glow", "a slant", "a table", "stripes"};
constexpr double kBigRadius = 24;  // between the radii of "small" and those of "big"

std::string text_of(std::string_view view) { return std::string(view); }

template <class List>
int index_in(const List& list, std::string_view word) {
  const auto found = std::find(list.begin(), list.end(), word);
  return found == list.end() ? -1 : static_cast<int>(found - list.begin());
}
int colour_index(std::string_view word) {
  for (int i = 0; i < kColourCount; ++i) {
    if (colour_name(i) == word) return i;
  }
  return -1;
}
int shape_index(std::string_view word) {
  for (int i = 0; i < kShapeCount; ++i) {
    if (shape_name(i).one == word || shape_name(i).many == word) return i;
  }
  return -1;
}
int palette_index(std::string_view word) {
  for (int i = 0; i < kPaletteCount; ++i) {
    if (kPalettes[static_cast<size_t>(i)].name == word) return i;
  }
  return -1;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : words_(words_of(lower(text))) {}

  Description read() {
    while (at_ < words_.size()) {
      if (!noun() && !relation() && !place() && !backdrop()) ++at_;
    }
    return said_;
  }

 private:
  std::string_view word(size_t ahead = 0) const {
    return at_ + ahead < words_.size() ? std::string_view(words_[at_ + ahead]) : "";
  }

  // [article or number] [size] [colour] class; "the" may mean a mention made before.
  bool noun() {
    Mention mention;
    size_t ahead = 0;
    const bool definite = word() == "the";
    if (definite || word() == "a" || word() == "an") {
      ahead = 1;
    } else if (const int number = index_in(kNumbers, word()); number > 0) {
      mention.count = number, ahead = 1;
    } else if (word().size() == 1 && word()[0] >= '1' && word()[0] <= '4') {
      mention.count = word()[0] - '0', ahead = 1;
    }
    if (const int size = index_in(kSizes, word(ahead)); size >= 0) mention.size = size, ++ahead;
    if (const int colour = colour_index(word(ahead)); colour >= 0) {
      mention.colour = colour, ++ahead;
    }
    mention.shape = shape_index(word(ahead));
    if (mention.shape < 0) return false;
    at_ += ahead + 1;
    subject_ = definite ? mentioned(mention) : -1;
    if (subject_ < 0) {
      said_.mentions.push_back(mention);
      subject_ = static_cast<int>(said_.mentions.size()) - 1;
    }
    return true;
  }

  int mentioned(const Mention& again) const {
    for (size_t i = said_.mentions.size(); i-- > 0;) {
      const Mention& before = said_.mentions[i];
      if (before.shape == again.shape && (again.colour < 0 || before.colour == again.colour)) {
        return static_cast<int>(i);
      }
    }
    return -1;
  }

  // "left of", "right of", "above" or "below", with a noun phrase after it.
  bool relation() {
    if (subject_ < 0) return false;
    int which = index_in(kRelations, word());
    size_t length = 1;
    if (which < 0 && word(1) == "of") {
      which = index_in(kRelations, text_of(word()) + " of");
      length = 2;
    }
    if (which < 0) return false;
    const int subject = subject_;
    at_ += length;
    if (!noun()) return true;
    Mention& mention = said_.mentions[static_cast<size_t>(subject)];
    mention.relation = which;
    mention.other = subject_;
    return true;
  }

  // "at the", "on the" or "in the", and the words of a cell.
  bool place() {
    const bool opens = (word() == "at" || word() == "on" || word() == "in") && word(1) == "the";
    if (!opens || subject_ < 0) return false;
    int cell = index_in(kCells, text_of(word(2)) + " " + text_of(word(3)));
    size_t length = 4;
    if (cell < 0) cell = index_in(kCells, word(2)), length = 3;
    if (cell < 0) return false;
    at_ += length;
    said_.mentions[static_cast<size_t>(subject_)].cell = cell;
    return true;
  }

  bool backdrop() {
    if (const int palette = palette_index(word()); palette >= 0) {
      said_.palette = palette;
    } else if (const int kind = index_in(kBackdrops, word()); kind >= 0) {
      said_.backdrop = kind;
    } else {
      return false;
    }
    ++at_;
    return true;
  }

  std::vector<std::string> words_;
  size_t at_ = 0;
  int subject_ = -1;
  Description said_;
};

std::string identity(const Mention& mention) {
  std::string text = mention.colour < 0 ? "" : text_of(colour_name(mention.colour)) + ' ';
  return text += shape_name(mention.shape).one;
}

std::string relation_text(const Description& description, const Mention& mention) {
  const Mention& other = description.mentions[static_cast<size_t>(mention.other)];
  const auto relation = static_cast<Relation>(mention.relation);
  const bool forward = relation == Relation::left_of || relation == Relation::above;
  const bool sideways = relation == Relation::left_of || relation == Relation::right_of;
  return identity(forward ? mention : other) + (sideways ? " left of " : " above ") +
         identity(forward ? other : mention);
}

bool suits(const Found& found, const Mention& mention) {
  return found.shape == mention.shape && (mention.colour < 0 || found.colour == mention.colour);
}

bool related_somewhere(const Mention& subject, const Mention& reference, Relation relation,
                       const Detection& picture) {
  for (const Found& a : picture.objects) {
    for (const Found& b : picture.objects) {
      if (&a != &b && suits(a, subject) && suits(b, reference) &&
          is_related(relation, as_object(a), as_object(b))) {
        return true;
      }
    }
  }
  return false;
}

// Whether the picture has as many of these as the mentions up to this one name.
bool enough(const Description& description, int last, bool with_colour, const Detection& picture) {
  Mention mention = description.mentions[static_cast<size_t>(last)];
  if (!with_colour) mention.colour = -1;
  int named = 0;
  for (int i = 0; i <= last; ++i) {
    const Mention& other = description.mentions[static_cast<size_t>(i)];
    const bool same =
        other.shape == mention.shape && (mention.colour < 0 || other.colour == mention.colour);
    if (same) named += other.count;
  }
  return std::count_if(picture.objects.begin(), picture.objects.end(),
                       [&](const Found& found) { return suits(found, mention); }) >= named;
}

}  // namespace

std::string noun_phrase(const Mention& mention) {
  std::string words = mention.size < 0 ? "" : text_of(kSizes[static_cast<size_t>(mention.size)]);
  if (mention.colour >= 0) {
    words += (words.empty() ? "" : " ") + text_of(colour_name(mention.colour));
  }
  const ShapeName& name = shape_name(mention.shape);
  words += (words.empty() ? "" : " ") + text_of(mention.count == 1 ? name.one : name.many);
  if (mention.count == 1) return with_article(words);
  return text_of(kNumbers[static_cast<size_t>(mention.count)]) + ' ' + words;
}

std::string second_phrase(const Mention& mention, bool with_colour) {
  return "the " + (with_colour ? identity(mention) : text_of(shape_name(mention.shape).one));
}

std::string place_phrase(int cell) {
  const std::string_view name = kCells[static_cast<size_t>(cell)];
  const std::string_view before = name == "middle"                    ? "in the "
                                  : name == "left" || name == "right" ? "on the "
                                                                      : "at the ";
  return text_of(before).append(name);
}

std::string backdrop_phrase(int palette, int backdrop) {
  std::string text = with_article(kPalettes[static_cast<size_t>(palette)].name) + " background";
  if (backdrop >= 0) text.append(" with ").append(kBackdropWords[static_cast<size_t>(backdrop)]);
  return text;
}

std::string listed(const std::vector<std::string>& phrases) {
  std::string text;
  for (size_t i = 0; i < phrases.size(); ++i) {
    if (i > 0) text += i + 1 == phrases.size() ? " and " : ", ";
    text += phrases[i];
  }
  return text;
}

Description parse_description(std::string_view text) { return Reader(text).read(); }

std::vector<Fact> facts_of(const Description& description) {
  std::vector<Fact> facts;
  for (int i = 0; i < static_cast<int>(description.mentions.size()); ++i) {
    const Mention& m = description.mentions[static_cast<size_t>(i)];
    const std::string name = identity(m);
    const std::string count = m.count == 1 ? "" : std::to_string(m.count) + ' ';
    const auto parent = static_cast<int>(facts.size());
    facts.push_back({Fact::Kind::exists, i, -1, count + text_of(shape_name(m.shape).one)});
    if (m.colour >= 0) facts.push_back({Fact::Kind::colour, i, parent, count + name});
    if (m.size >= 0) {
      facts.push_back(
          {Fact::Kind::size, i, parent, text_of(kSizes[static_cast<size_t>(m.size)]) + ' ' + name});
    }
    if (m.cell >= 0) {
      facts.push_back({Fact::Kind::place, i, parent,
                       name + " at " + text_of(kCells[static_cast<size_t>(m.cell)])});
    }
    if (m.relation >= 0 && m.other >= 0) {
      facts.push_back({Fact::Kind::relation, i, parent, relation_text(description, m)});
    }
  }
  if (description.palette >= 0) {
    facts.push_back(
        {Fact::Kind::palette, -1, -1,
         "background " + text_of(kPalettes[static_cast<size_t>(description.palette)].name)});
  }
  if (description.backdrop >= 0) {
    facts.push_back(
        {Fact::Kind::backdrop, -1, -1,
         "background " + text_of(kBackdrops[static_cast<size_t>(description.backdrop)])});
  }
  return facts;
}

double fact_f1(const Description& said, const Description& truth) {
  const auto texts = [](const Description& description) {
    std::vector<std::string> all;
    for (Fact& fact : facts_of(description)) all.push_back(std::move(fact.text));
    std::sort(all.begin(), all.end());
    return all;
  };
  const std::vector<std::string> a = texts(said), b = texts(truth);
  if (a.empty() || b.empty()) return a.empty() && b.empty() ? 1 : 0;
  std::vector<std::string> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return 2 * static_cast<double>(both.size()) / static_cast<double>(a.size() + b.size());
}

bool holds(const Fact& fact, const Description& description, const Detection& picture) {
  if (fact.kind == Fact::Kind::palette) return picture.palette == description.palette;
  if (fact.kind == Fact::Kind::backdrop) return picture.backdrop == description.backdrop;
  const Mention& m = description.mentions[static_cast<size_t>(fact.mention)];
  const auto any = [&](const auto& also) {
    return std::any_of(picture.objects.begin(), picture.objects.end(),
                       [&](const Found& found) { return suits(found, m) && also(found); });
  };
  switch (fact.kind) {
    case Fact::Kind::exists:
      return enough(description, fact.mention, false, picture);
    case Fact::Kind::colour:
      return enough(description, fact.mention, true, picture);
    case Fact::Kind::size:
      return any([&](const Found& found) { return (found.r >= kBigRadius) == (m.size == 1); });
    case Fact::Kind::place:
      return any([&](const Found& found) { return cell_of(as_object(found)) == m.cell; });
    default:
      return related_somewhere(m, description.mentions[static_cast<size_t>(m.other)],
                               static_cast<Relation>(m.relation), picture);
  }
}

Object as_object(const Found& found) {
  return {found.shape, found.colour, found.cx, found.cy, found.r, 0};
}

}  // namespace janus
