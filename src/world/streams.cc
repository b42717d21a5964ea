// One table of names for each of the two kinds.
// SPDX-License-Identifier: MIT
#include "world/streams.h"

#include <algorithm>
#include <array>
#include <sstream>

#include "base/error.h"
#include "world/captions.h"
#include "world/choices.h"
#include "world/diagram_tasks.h"
#include "world/edits.h"
#include "world/layout.h"
#include "world/talk.h"
#include "world/yes_no.h"

namespace janus {
namespace {

constexpr int kTextTurns = 2;
constexpr double kEmpty = .04, kAlike = .15;  // of the codec's scenes: no object, all alike

struct DrawingStream {
  std::string_view name;
  DrawSample (*sample)(Split, uint64_t);
};
constexpr std::array<DrawingStream, 4> kDrawing = {{{"single", draw_sample},
                                                    {"prompts", prompt_sample},
                                                    {"dense", dense_sample},
                                                    {"gallery", gallery_sample}}};

Lesson of_questions(const std::vector<AskSample>& samples) {
  Lesson lesson{samples.front().scene, {}};
  for (const AskSample& sample : samples) {
    lesson.turns.push_back({sample.question, sample.answer, sample.kind, sample.held});
  }
  return lesson;
}

Lesson of_yes_no(const YesNoSample& sample, int turns) {
  Lesson lesson{sample.scene, {}};
  for (const auto& question : sample.questions) {
    if (static_cast<int>(lesson.turns.size()) < turns) {
      lesson.turns.push_back(
          {question.text, question.yes ? "yes" : "no", sample.part, sample.held});
    }
  }
  return lesson;
}

Lesson of_diagram(const DiagramSample& sample) {
  Lesson lesson{sample.diagram, {}};
  for (const DiagramQuestion& q : sample.questions) {
    lesson.turns.push_back({q.question, q.answer, q.kind, q.held});
  }
  return lesson;
}

double grade_open(const Turn& turn, const std::string& answer) {
  AskSample sample;
  sample.kind = turn.category;
  sample.answer = turn.answer;
  return answer_right(answer, sample) ? 1 : 0;
}

double grade_yes_no(const Turn& turn, const std::string& answer) {
  return yes_or_no(answer) == (turn.answer == "yes" ? Verdict::yes : Verdict::no) ? 1 : 0;
}

// The options are those of the question's own lines, "A. red".
double grade_choice(const Turn& turn, const std::string& answer) {
  std::vector<std::string> options;
  std::istringstream lines(turn.question);
  for (std::string line; std::getline(lines, line);) {
    if (line.size() > 3 && line.substr(1, 2) == ". ") options.push_back(line.substr(3));
  }
  return chosen_letter(answer, options) == turn.answer[0] ? 1 : 0;
}

struct ReadingStream {
  std::string_view name;
  Lesson (*lesson)(Split, uint64_t, int turns);
  double (*grade)(const Turn& turn, const std::string& answer);
  // Of a diagram: whether two texts say the same.
  bool (*same)(const std::string& one, const std::string& other) = nullptr;
};
constexpr std::array<ReadingStream, 10> kReading = {{
    {"short",
     [](Split split, uint64_t index, int turns) {
       return of_questions(ask_dialogue(split, index, turns));
     },
     grade_open},
    {"open",
     [](Split split, uint64_t index, int turns) {
       return of_questions(open_dialogue(split, index, turns));
     },
     grade_open},
    {"captions",
     [](Split split, uint64_t index, int) {
       const CaptionSample sample = caption_sample(split, index);
       return Lesson{
           sample.scene,
           {{sample.question, sample.answer, sample.long_form ? "long" : "short", sample.held}}};
     },
     [](const Turn& turn, const std::string& answer) {
       return fact_f1(parse_description(answer), parse_description(turn.answer));
     }},
    {"exists",
     [](Split split, uint64_t index, int turns) {
       return of_yes_no(exists_sample(split, index), turns);
     },
     grade_yes_no},
    {"pairs",
     [](Split split, uint64_t index, int turns) {
       return of_yes_no(pairs_sample(split, index), turns);
     },
     grade_yes_no},
    {"choices",
     [](Split split, uint64_t index, int) {
       const ChoiceSample sample = choice_sample(split, index);
       Lesson lesson{sample.scene,
                     {{choice_prompt(sample), std::string(1, choice_letter(sample)), sample.leaf,
                       sample.held}}};
       if (sample.diagram) lesson.picture = *sample.diagram;
       return lesson;
     },
     grade_choice},
    {"talk",
     [](Split split, uint64_t index, int) {
       const TalkSample sample = talk_sample(split, index);
       Lesson lesson;
       for (const auto& said : sample.turns) {
         lesson.turns.push_back({said.question, said.answer, sample.family, sample.held});
       }
       return lesson;
     },
     [](const Turn& turn, const std::string& answer) {
       return says_the_same(answer, turn.answer) ? 1.0 : 0.0;
     }},
    {"flows",
     [](Split split, uint64_t index, int turns) {
       return of_diagram(flow_sample(split, index, turns));
     },
     [](const Turn& turn, const std::string& answer) {
       return flow_grade(turn.category, turn.answer, answer);
     },
     same_flow},
    {"charts",
     [](Split split, uint64_t index, int turns) {
       return of_diagram(chart_sample(split, index, turns));
     },
     [](const Turn& turn, const std::string& answer) {
       return chart_grade(turn.category, turn.answer, answer);
     },
     same_chart},
    {"circuits",
     [](Split split, uint64_t index, int turns) {
       return of_diagram(circuit_sample(split, index, turns));
     },
     [](const Turn& turn, const std::string& answer) {
       return circuit_grade(turn.category, turn.answer, answer);
     },
     same_circuit},
}};

Lesson many_objects(Split split, uint64_t index) {
  Philox random = world_stream(split, "pictures", index);
  Scene scene;
  if (!random.chance(kEmpty)) {
    const bool alike = random.chance(kAlike);
    for (int n = draw_count(random); n > 0; --n) {
      scene.objects.push_back(draw_object(random, Pairs::all));
      if (alike) scene.objects.back() = scene.objects.front();
    }
  }
  draw_backdrop(random, scene);
  lay_out(random, scene);
  return {scene, {}};
}

struct CodecStream {
  std::string_view name;
  Lesson (*picture)(Split, uint64_t);
};
constexpr std::array<CodecStream, 2> kCodec = {{{"few",
                                                 [](Split split, uint64_t index) {
                                                   return Lesson{codec_scene(split, index), {}};
                                                 }},
                                                {"pictures", many_objects}}};

template <class Table>
constexpr auto names_of(const Table& table) {
  std::array<std::string_view, std::tuple_size_v<Table>> names{};
  std::transform(table.begin(), table.end(), names.begin(), [](const auto& s) { return s.name; });
  return names;
}
constexpr auto kDrawingNames = names_of(kDrawing);
constexpr auto kReadingNames = names_of(kReading);
constexpr auto kCodecNames = names_of(kCodec);

template <class Table>
const auto& named(const Table& table, std::string_view name) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const auto& s) { return s.name == name; });
  check(found != table.end(), Code::bad_input, "the world has no stream \"", name,
        "\" of this kind");
  return *found;
}

}  // namespace

std::span<const std::string_view> drawing_streams() { return kDrawingNames; }
std::span<const std::string_view> reading_streams() { return kReadingNames; }
std::span<const std::string_view> diagram_streams() {
  // Last in the table, so that their names are in one stretch.
  constexpr auto kFirst = static_cast<size_t>(
      std::ranges::find_if(kReading, [](const ReadingStream& s) { return s.same != nullptr; }) -
      kReading.begin());
  static_assert(std::all_of(kReading.begin() + kFirst, kReading.end(),
                            [](const ReadingStream& s) { return s.same != nullptr; }));
  return std::span(kReadingNames).subspan(kFirst);
}
std::span<const std::string_view> codec_streams() { return kCodecNames; }
std::span<const std::string_view> edit_streams() {
  static constexpr std::array<std::string_view, 1> kNames = {"edits"};
  return kNames;
}

DrawSample drawing(std::string_view stream, Split split, uint64_t index) {
  return named(kDrawing, stream).sample(split, index);
}

Lesson reading(std::string_view stream, Split split, uint64_t index, int turns) {
  return named(kReading, stream).lesson(split, index, turns);
}

// A fact whose parent does not hold has no meaning and counts as false, as DPG-Bench has it.
double drawing_grade(const DrawSample& sample, const Detection& picture) {
  if (sample.category != "dense") return draw_right(picture, sample) ? 1 : 0;
  const std::vector<Fact> facts = facts_of(sample.said);
  std::vector<bool> true_so_far;
  for (const Fact& fact : facts) {
    const bool rooted = fact.parent < 0 || true_so_far[static_cast<size_t>(fact.parent)];
    true_so_far.push_back(rooted && holds(fact, sample.said, picture));
  }
  return static_cast<double>(std::count(true_so_far.begin(), true_so_far.end(), true)) /
         static_cast<double>(facts.size());
}

double reading_grade(std::string_view stream, const Turn& turn, const std::string& answer) {
  return named(kReading, stream).grade(turn, answer);
}

std::optional<bool> reading_exact(std::string_view stream, const Turn& turn,
                                  const std::string& answer) {
  const auto same = named(kReading, stream).same;
  if (!same || turn.category != kWhole) return std::nullopt;
  return same(answer, turn.answer);
}

Rendering draw_lesson(const Lesson& lesson, int size) {
  if (const auto* scene = std::get_if<Scene>(&lesson.picture)) return render(*scene, size);
  if (const auto* diagram = std::get_if<Diagram>(&lesson.picture))
    return render_diagram(*diagram, size);
  return {};
}

Lesson without_objects(Lesson lesson) {
  if (auto* scene = std::get_if<Scene>(&lesson.picture)) scene->objects.clear();
  if (auto* diagram = std::get_if<Diagram>(&lesson.picture)) *diagram = bare(*diagram);
  return lesson;
}

std::string lesson_record(const Lesson& lesson, Split split, std::string_view stream,
                          uint64_t index) {
  if (const auto* scene = std::get_if<Scene>(&lesson.picture)) {
    return scene_record(*scene, split, stream, index);
  }
  if (const auto* diagram = std::get_if<Diagram>(&lesson.picture)) {
    return diagram_record(*diagram, split, stream, index);
  }
  return "";
}

Lesson codec_picture(std::string_view stream, Split split, uint64_t index) {
  return named(kCodec, stream).picture(split, index);
}

// A question or an instruction about a picture follows a line's end; all else follows a space.
std::string world_text(uint64_t index) {
  const uint64_t streams = kDrawing.size() + kReading.size() + 1;
  const uint64_t which = index % streams, sample = index / streams;
  if (which < kDrawing.size()) {
    return ' ' + kDrawing[which].sample(Split::train, sample).prompt;
  }
  if (which == streams - 1) return edit_turns(Split::train, sample).back().instruction + '\n';
  const Lesson lesson = kReading[which - kDrawing.size()].lesson(Split::train, sample, kTextTurns);
  std::string text;
  for (const Turn& turn : lesson.turns) {
    const bool first = text.empty() && !std::holds_alternative<std::monostate>(lesson.picture);
    text += (first ? "" : " ") + turn.question + "\n " + turn.answer + '\n';
  }
  return text;
}

}  // namespace janus
