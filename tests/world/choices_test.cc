// Multiple choice: right answers are right and wrong ones wrong, letters are even, the benchmark's
// prompt, columns and reading of answers. SPDX-License-Identifier: MIT
#include "world/choices.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <sstream>

#include "world/captions.h"
#include "world/diagram_tasks.h"
#include "world/relation.h"

namespace janus {
namespace {

std::string named(const Object& o) { return "the " + std::string(shape_name(o.shape).one); }

const Object* of_class(const Scene& scene, const std::string& phrase) {
  for (const Object& o : scene.objects) {
    if (named(o) == phrase ||
        "the " + std::string(colour_name(o.colour)) + named(o).substr(3) == phrase) {
      return &o;
    }
  }
  return nullptr;
}

// What a prompt says, read from its text alone: the question's line, and options by their letters.
struct Read {
  std::string question;
  std::map<char, std::string> options;
};
Read read_back(const std::string& prompt) {
  Read read;
  std::istringstream lines(prompt);
  std::getline(lines, read.question);
  for (std::string line; std::getline(lines, line);) {
    if (line.substr(1, 2) == ". ") read.options[line[0]] = line.substr(3);
  }
  return read;
}

// What a question about a diagram wants, by its words and the diagram's own text alone.
std::string truth_of(const std::string& question, const Diagram& diagram) {
  if (const auto* chart = std::get_if<BarChart>(&diagram)) {
    EXPECT_EQ(question, "which bar is the highest?");
    std::string best;
    int most = -1;
    for (const auto& [letter, value] : parse_chart(chart_text(*chart))) {
      if (value > most) most = value, best = std::string("bar ") + letter;
    }
    return best;
  }
  if (const auto* circuit = std::get_if<Circuit>(&diagram)) {
    EXPECT_EQ(question, "which lamp lights?");
    const Wiring wiring = *parse_circuit(circuit_text(wiring_of(*circuit)));
    size_t lamps = 0;
    for (const Element& e : elements_of(wiring)) lamps += e.component == Component::lamp;
    const std::set<char> lit = lit_lamps(wiring);
    if (lit.empty()) return "none of them";
    if (lit.size() == lamps) return "all of them";
    return lit.size() == 1 ? std::string("lamp ") + *lit.begin() : "";
  }
  const std::string head = "what comes after step ";
  EXPECT_TRUE(question.starts_with(head)) << question;
  const std::string tail = question.substr(head.size() + 1);
  EXPECT_TRUE(tail == "?" || tail == " if the answer is yes?" || tail == " if the answer is no?");
  const Branch branch = tail == "?"              ? Branch::only
                        : tail.ends_with("yes?") ? Branch::yes
                                                 : Branch::no;
  std::string truth;
  for (const auto& edge : parse_flow(flow_text(std::get<FlowChart>(diagram))).edges) {
    if (edge.from != question[head.size()] || edge.branch != branch) continue;
    EXPECT_EQ(truth, "");
    truth = std::string("step ") + edge.to;
  }
  return truth;
}

std::string picture_kind(const ChoiceSample& sample) {
  constexpr std::array<const char*, 3> kDiagrams = {"a flow chart", "a bar chart", "a circuit"};
  return sample.diagram ? kDiagrams[sample.diagram->index()] : "a scene of toys";
}

// Whether an option is true of the scene, for the leaves where words alone decide it.
bool is_true(const ChoiceSample& sample, const std::string& option) {
  const auto& objects = sample.scene.objects;
  if (sample.leaf == "picture kind") return option == picture_kind(sample);
  if (sample.leaf == "structured reading")
    return option == truth_of(sample.question, *sample.diagram);
  if (sample.leaf == "counting") {
    return option ==
           std::to_string(std::count_if(objects.begin(), objects.end(), [&](const Object& o) {
             return sample.question == "how many objects are there?" ||
                    sample.question ==
                        "how many " + std::string(shape_name(o.shape).many) + " are there?";
           }));
  }
  if (sample.leaf == "object identity") return named(objects[0]) == "the " + option;
  if (sample.leaf == "scene topic") return short_caption(sample.scene) == option;
  if (sample.leaf == "backdrop") {
    return kPalettes[static_cast<size_t>(sample.scene.palette)].name == option;
  }
  if (sample.leaf == "size") {
    return std::all_of(objects.begin(), objects.end(),
                       [&](const Object& o) { return o.r <= of_class(sample.scene, option)->r; });
  }
  for (const Object& o : objects) {  // the one that the question names
    if (sample.question.find(named(o) + "?") == sample.question.npos) continue;
    if (sample.leaf == "object colour") return colour_name(o.colour) == option;
    if (sample.leaf == "place") return kCells[static_cast<size_t>(cell_of(o))] == option;
  }
  return sample.options[static_cast<size_t>(sample.answer)] == option;
}

TEST(Choices, OneOptionIsRight) {
  std::map<std::string, int> leaves;
  std::map<char, int> letters;
  for (uint64_t index = 0; index < 3000; ++index) {
    const ChoiceSample sample = choice_sample(Split::test, index);
    ++leaves[sample.leaf];
    ++letters[choice_letter(sample)];
    ASSERT_TRUE(sample.options.size() >= 2 && sample.options.size() <= 4) << sample.question;
    EXPECT_EQ(std::set<std::string>(sample.options.begin(), sample.options.end()).size(),
              sample.options.size());
    for (size_t j = 0; j < sample.options.size(); ++j) {
      ASSERT_EQ(is_true(sample, sample.options[j]), static_cast<int>(j) == sample.answer)
          << sample.leaf << ": " << sample.question << ' ' << sample.options[j];
    }
  }
  EXPECT_EQ(static_cast<int>(leaves.size()), choice_leaves());
  for (const auto& [leaf, count] : leaves) EXPECT_EQ(count, 200) << leaf;
  EXPECT_NEAR(letters['A'] / 3000.0, .29, .05);
  EXPECT_NEAR(letters['B'] / 3000.0, .29, .05);
}

// The answer is in the prompt under its letter, in every rotation, and nothing else is.
TEST(Choices, PromptsReadBack) {
  for (uint64_t index = 0; index < 3000; ++index) {
    const ChoiceSample sample = choice_sample(Split::val, index);
    for (int turned = 0; turned < static_cast<int>(sample.options.size()); ++turned) {
      const Read read = read_back(choice_prompt(sample, turned));
      ASSERT_EQ(read.question, sample.question);
      ASSERT_EQ(read.options.size(), sample.options.size());
      for (const auto& [letter, option] : read.options) {
        ASSERT_EQ(letter == choice_letter(sample, turned), is_true(sample, option)) << option;
      }
    }
  }
}

// All kinds of picture and of question about them, and lamps of which one, all or none light.
TEST(Choices, DiagramsAreOfAllKinds) {
  std::map<std::string, int> kinds, asked, lit;
  for (uint64_t index = 0; index < 3000; ++index) {
    const ChoiceSample sample = choice_sample(Split::test, index);
    if (sample.leaf == "picture kind") ++kinds[picture_kind(sample)];
    ASSERT_EQ(sample.diagram.has_value(),
              sample.leaf == "structured reading" ||
                  (sample.leaf == "picture kind" && picture_kind(sample) != "a scene of toys"));
    if (sample.leaf != "structured reading") continue;
    ++asked[picture_kind(sample)];
    const std::string& right = sample.options[static_cast<size_t>(sample.answer)];
    if (sample.question == "which lamp lights?") ++lit[right.substr(0, 4)];
  }
  EXPECT_EQ(kinds.size(), 4u);
  EXPECT_EQ(asked.size(), 3u);
  for (const auto& [kind, count] : kinds) EXPECT_NEAR(count, 50, 20) << kind;
  for (const auto& [kind, count] : asked) EXPECT_NEAR(count, 67, 22) << kind;
  EXPECT_EQ(lit.size(), 3u);
  for (const auto& [what, count] : lit) EXPECT_GT(count, 6) << what;
}

bool less(const std::string& one, const std::string& other) {
  return std::make_pair(one.size(), one) < std::make_pair(other.size(), other);
}

// Which option stands out of the order of the others; -1 where not exactly one does.
int out_of_order(const std::vector<std::string>& options) {
  int found = -1;
  if (options.size() < 3 || std::is_sorted(options.begin(), options.end(), less)) return -1;
  for (size_t j = 0; j < options.size(); ++j) {
    std::vector<std::string> others = options;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(j));
    if (!std::is_sorted(others.begin(), others.end(), less)) continue;
    if (found >= 0) return -1;
    found = static_cast<int>(j);
  }
  return found;
}

// Neither a letter nor where an option stands among the others gives the answer away.
TEST(Choices, NothingIsGivenAwayByLettersOrOrder) {
  struct Sums {
    double chance = 0, out = 0, out_chance = 0, least = 0, most = 0;
    std::map<char, double> letters;
    int all = 0, ordered = 0;
  };
  std::map<std::string, Sums> leaves;
  for (uint64_t index = 0; index < 15000; ++index) {
    const ChoiceSample sample = choice_sample(Split::train, index);
    Sums& s = leaves[sample.leaf];
    const auto& options = sample.options;
    ++s.all;
    s.chance += 1.0 / static_cast<double>(options.size());
    s.letters[choice_letter(sample)] += 1;
    s.least +=
        std::min_element(options.begin(), options.end(), less) - options.begin() == sample.answer;
    s.most +=
        std::max_element(options.begin(), options.end(), less) - options.begin() == sample.answer;
    if (out_of_order(options) < 0) continue;
    ++s.ordered;
    s.out_chance += 1.0 / static_cast<double>(options.size());
    s.out += out_of_order(options) == sample.answer;
  }
  EXPECT_EQ(static_cast<int>(leaves.size()), choice_leaves());
  for (const auto& [leaf, s] : leaves) {
    for (const auto& [letter, count] : s.letters)
      EXPECT_LT(count / s.all, s.chance / s.all + .06) << leaf;
    if (s.ordered > 100) {
      EXPECT_LT(s.out / s.ordered, s.out_chance / s.ordered + .12) << leaf;
    }
    if (leaf != "counting" && leaf != "structured reading") continue;
    EXPECT_LT(s.least / s.all, s.chance / s.all + .12) << leaf;
    EXPECT_LT(s.most / s.all, s.chance / s.all + .12) << leaf;
  }
}

TEST(Choices, TheOddOneIsTheOnlyOne) {
  for (uint64_t index = 0; index < 3000; ++index) {
    const ChoiceSample sample = choice_sample(Split::test, index);
    if (sample.leaf != "odd one out") continue;
    const bool by_class = sample.question.find("shape") != sample.question.npos;
    const Object* odd = of_class(sample.scene, sample.options[static_cast<size_t>(sample.answer)]);
    ASSERT_NE(odd, nullptr);
    for (const Object& o : sample.scene.objects) {
      if (&o == odd) continue;
      ASSERT_NE(by_class ? o.shape : o.colour, by_class ? odd->shape : odd->colour);
    }
  }
}

ChoiceSample sample_of(int options) {
  ChoiceSample sample;
  sample.leaf = "object colour";
  sample.group = "FP-S";
  sample.question = "what color is the cup?";
  sample.options = {"red", "blue", "green", "pink"};
  sample.options.resize(static_cast<size_t>(options));
  sample.answer = 1;
  return sample;
}

TEST(Choices, PromptsAreTheBenchmarks) {
  EXPECT_EQ(choice_prompt(sample_of(3)),
            "what color is the cup?\nA. red\nB. blue\nC. green\n"
            "Answer with the option's letter from the given choices directly.");
  EXPECT_EQ(choice_prompt(sample_of(2), 1),
            "what color is the cup?\nA. blue\nB. red\n"
            "Answer with the option's letter from the given choices directly.");
  EXPECT_EQ(choice_letter(sample_of(4)), 'B');
  EXPECT_EQ(choice_letter(sample_of(4), 1), 'A');
  EXPECT_EQ(choice_letter(sample_of(4), 2), 'D');
  EXPECT_EQ(choice_row(sample_of(3), Split::test, 7),
            "7\twhat color is the cup?\t\tred\tblue\tgreen\t\tB\tobject colour\tFP-S\ttest");
}

TEST(Choices, AnswersAreReadAsTheToolkitDoes) {
  const auto read = [](const std::string& answer) {
    return chosen_letter(answer, {"red", "dark blue", "green", "pink"}).value_or('-');
  };
  EXPECT_EQ(read("B"), 'B');
  EXPECT_EQ(read("(C)."), 'C');
  EXPECT_EQ(read("The option is D"), 'D');
  EXPECT_EQ(read("A or B"), '-');
  EXPECT_EQ(read("b"), '-');
  EXPECT_EQ(read("E"), '-');
  EXPECT_EQ(read("the correct answer is c, of all those that are here to be seen"), 'C');
  EXPECT_EQ(read("it is Dark Blue"), 'B');
  EXPECT_EQ(read("red or green"), '-');
  EXPECT_EQ(read("A good picture shows many things and some of them are red and some are not so"),
            '-');
  EXPECT_EQ(read(""), '-');
}

}  // namespace
}  // namespace janus
