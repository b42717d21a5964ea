// The parts of the suite that ask: a picture or none, a question, an answer, and the verdict of the
// grammar that made the question. SPDX-License-Identifier: MIT
#include <map>
#include <set>

#include "apps/toyland_parts.h"
#include "base/error.h"
#include "world/choices.h"
#include "world/diagram_tasks.h"
#include "world/streams.h"
#include "world/yes_no.h"

namespace janus::toyland {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kLongestAnswer = 96;  // tokens
constexpr int kTurns = 2;
constexpr std::string_view kChoices = "choices";

bool without_picture(const Lesson& lesson) {
  return std::holds_alternative<std::monostate>(lesson.picture);
}

// The questions of a sample; of multiple choice, where it is asked for, every rotation.
Lesson lesson_of(const Part& part, const Settings& settings, uint64_t index) {
  const bool one = part.stream == "open" || part.stream == "short";
  Lesson lesson = reading(part.stream, Split::test, index, one ? 1 : kTurns);
  if (part.stream != kChoices || !settings.circular) return lesson;
  const ChoiceSample sample = choice_sample(Split::test, index);
  for (int turned = 1; turned < static_cast<int>(sample.options.size()); ++turned) {
    lesson.turns.push_back({choice_prompt(sample, turned),
                            std::string(1, choice_letter(sample, turned)), sample.leaf,
                            sample.held});
  }
  return lesson;
}

// The question of turn k. Turns of text go on from the true answers before; of a picture each
// question is asked afresh.
AskRequest request_for(const Lesson& lesson, size_t k, const Engine& engine) {
  AskRequest request;
  request.max_tokens = kLongestAnswer;
  if (without_picture(lesson)) {
    for (size_t i = 0; i < k; ++i) {
      request.messages.push_back({"user", lesson.turns[i].question, {}});
      request.messages.push_back({"assistant", lesson.turns[i].answer, {}});
    }
    request.messages.push_back({"user", lesson.turns[k].question, {}});
  } else {
    const Image picture = draw_lesson(lesson, engine.info().vision_image).image;
    request.messages.push_back({"user", lesson.turns[k].question, {picture}});
  }
  return request;
}

// A case's line; of a whole diagram also whether the answer says it exactly.
Json case_of(const Part& part, const Lesson& lesson, size_t k, uint64_t index,
             const std::string& answer) {
  const Turn& turn = lesson.turns[k];
  Json line = {{"case", key(index, static_cast<int>(k))},
               {"category", turn.category},
               {"held", turn.held},
               {"question", turn.question},
               {"truth", turn.answer},
               {"answer", answer},
               {"grade", reading_grade(part.stream, turn, answer)}};
  if (part.stream == kChoices && k > 0) line["turned"] = k;
  if (const auto exact = reading_exact(part.stream, turn, answer)) line["exact"] = *exact;
  return line;
}

Turn turn_of(const Json& line) {
  return {line["question"], line["truth"], line["category"], line["held"]};
}

// F1 of "yes", as POPE has it: an answer that is neither counts as no.
void add_f1(const CaseFile& file, std::vector<Figure>& figures) {
  for (const std::string part : {"", "random", "popular", "adversarial"}) {
    double hit = 0, false_yes = 0, missed = 0;
    for (const auto& [name, line] : file.cases()) {
      if (!part.empty() && line["category"] != part) continue;
      const bool said = yes_or_no(line["answer"]) == Verdict::yes, truth = line["truth"] == "yes";
      hit += said && truth, false_yes += said && !truth, missed += !said && truth;
    }
    const double sum = 2 * hit + false_yes + missed;
    figures.push_back({part.empty() ? "F1 of yes" : "F1 of yes, " + part,
                       sum > 0 ? 2 * hit / sum : 0, static_cast<int64_t>(file.cases().size())});
  }
}

// The least grade of each sample's cases, by the category of the first.
std::map<uint64_t, std::pair<std::string, double>> least_grades(const CaseFile& file) {
  std::map<uint64_t, std::pair<std::string, double>> least;
  for (const auto& [name, line] : file.cases()) {
    const double grade = line["grade"];
    const auto [at, fresh] = least.emplace(index_of(name), std::pair(line["category"], grade));
    at->second.second = std::min(at->second.second, grade);
  }
  return least;
}

// Both questions of a picture right, as MME's acc+.
void add_both(const CaseFile& file, std::vector<Figure>& figures) {
  const auto least = least_grades(file);
  double sum = 0;
  for (const auto& [index, row] : least) sum += row.second;
  figures.push_back({"both questions of a picture (acc+)",
                     least.empty() ? 0 : sum / static_cast<double>(least.size()),
                     static_cast<int64_t>(least.size())});
}

// A question is right if it is in every rotation of its options, as MMBench's circular evaluation.
void add_circular(const CaseFile& file, std::vector<Figure>& figures) {
  const auto turned = [](const auto& entry) { return entry.second.contains("turned"); };
  if (std::none_of(file.cases().begin(), file.cases().end(), turned)) return;
  Table table;
  const auto least = least_grades(file);
  for (const auto& [index, row] : least) table.add("circular", row.second);
  for (const auto& [index, row] : least) table.add("circular, " + row.first, row.second);
  for (const Figure& figure : table.means()) figures.push_back(figure);
}

// What always the same letter would get, whichever does best.
void add_letters(const CaseFile& file, std::vector<Figure>& figures) {
  std::map<std::string, int> truths;
  int most = 0, all = 0;
  for (const auto& [name, line] : file.cases()) {
    if (line.contains("turned")) continue;
    most = std::max(most, ++truths[line["truth"]]);
    ++all;
  }
  if (all > 0) figures.push_back({"control: always the same letter", 1.0 * most / all, all});
}

// Of diagrams: whole ones that are exactly right, questions apart from them, and what is gained by
// giving each kind of question its commonest answer.
void add_diagrams(const Part& part, const CaseFile& file, std::vector<Figure>& figures) {
  Table table, controls;
  std::map<std::string, std::map<std::string, int>> truths;
  for (const auto& [name, line] : file.cases()) {
    const std::string seen = line["held"] == true ? ", held out" : ", seen";
    const std::string what = line.contains("exact") ? "whole and exact" : "questions";
    const double grade =
        line.contains("exact") ? line["exact"] == true : line["grade"].get<double>();
    table.add(what, grade);
    table.add(what + seen, grade);
    if (!line.contains("exact")) ++truths[line["category"]][line["truth"]];
    const Turn turn = turn_of(line);
    controls.add("control: true answers", reading_grade(part.stream, turn, turn.answer));
  }
  for (const auto& [kind, answers] : truths) {
    int most = 0, all = 0;
    for (const auto& [answer, count] : answers) most = std::max(most, count), all += count;
    for (int i = 0; i < all; ++i) controls.add("control: the commonest answer", i < most);
  }
  std::vector<Figure> rows = table.means();
  std::sort(rows.begin(), rows.end(),
            [](const Figure& a, const Figure& b) { return a.name < b.name; });
  figures.insert(figures.end(), rows.begin(), rows.end());
  for (const Figure& figure : controls.means()) figures.push_back(figure);
}

}  // namespace

void run_reading(const Part& part, Engine& engine, const Settings& settings, CaseFile& file,
                 const Wanted& wanted, const Told& told) {
  for (int64_t next = 0; next < part.samples; ++next) {
    const auto index = static_cast<uint64_t>(next);
    const Lesson lesson = lesson_of(part, settings, index);
    const bool blind = settings.controls && !without_picture(lesson);
    for (size_t k = 0; k < lesson.turns.size(); ++k) {
      if (file.has(key(index, static_cast<int>(k)))) continue;
      const auto ask = [&](const Lesson& shown) {
        const auto going_on = [&](std::string_view) { return wanted(); };
        return engine.ask(request_for(shown, k, engine), going_on).text;
      };
      check(wanted(), Code::cancelled, "interrupted");
      Json line = case_of(part, lesson, k, index, ask(lesson));
      if (blind && !line.contains("turned")) {
        line["blind"] = reading_grade(part.stream, lesson.turns[k], ask(without_objects(lesson)));
      }
      const std::string record = lesson_record(lesson, Split::test, part.stream, index);
      if (!record.empty()) line["record"] = Json::parse(record);
      file.add(std::move(line));
    }
    told(next + 1, part.samples);
  }
}

std::vector<Image> misread(const Part& part, Engine& engine, const CaseFile& file, size_t most) {
  std::vector<Image> images;
  std::set<uint64_t> shown;
  for (const auto& [name, line] : file.cases()) {
    const bool right = line["grade"] == 1 && line.value("exact", true);
    if (right || images.size() >= most || !line.contains("record")) continue;
    if (!shown.insert(index_of(name)).second) continue;
    const Lesson lesson = reading(part.stream, Split::test, index_of(name), 1);
    images.push_back(draw_lesson(lesson, engine.info().vision_image).image);
  }
  return images;
}

void add_reading_figures(const Part& part, const CaseFile& file, std::vector<Figure>& figures) {
  const auto streams = diagram_streams();
  const bool diagrams = std::find(streams.begin(), streams.end(), part.stream) != streams.end();
  if (part.stream == "exists") add_f1(file, figures);
  if (part.stream == "pairs") add_both(file, figures);
  if (part.stream == kChoices) {
    add_circular(file, figures);
    add_letters(file, figures);
  }
  if (diagrams) add_diagrams(part, file, figures);
  Table blind;
  for (const auto& [name, line] : file.cases()) {
    if (!line.contains("blind")) continue;
    blind.add("control: without the objects", line["blind"]);
    if (!diagrams) continue;
    blind.add(line.contains("exact") ? "control: whole, without the objects"
                                     : "control: questions, without the objects",
              line["blind"]);
  }
  for (const Figure& figure : blind.means()) figures.push_back(figure);
}

}  // namespace janus::toyland
