// Pictures are judged as they come and only their verdicts are kept; a failure is drawn again from
// its seed when it is to be seen. SPDX-License-Identifier: MIT
#include "apps/toyland.h"

#include <algorithm>
#include <sstream>

#include "apps/toyland_parts.h"
#include "base/error.h"
#include "world/geneval.h"
#include "world/streams.h"
#include "world/yes_no.h"

namespace janus::toyland {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kTogether = 4;     // prompts in one call
constexpr int kLongestAnswer = 96;  // tokens
constexpr int kTurns = 2;

// The test sets of the world: samples of each stream.
const std::vector<Part>& all_parts() {
  using enum Asks;
  static const std::vector<Part> all = {
      {"prompts", to_draw, 600},  {"dense", to_draw, 300},   {"open", to_read, 1000},
      {"captions", to_read, 500}, {"exists", to_read, 1500}, {"pairs", to_read, 240},
      {"choices", to_read, 2600}, {"talk", to_read, 600},    {"edits", to_edit, 600},
      {"single", to_draw, 200},   {"short", to_read, 500}};
  return all;
}

std::string key(uint64_t index, int k) { return std::to_string(index) + '/' + std::to_string(k); }

DrawRequest request_for(const DrawSample& sample, uint64_t index, const Settings& settings) {
  DrawRequest request;
  request.prompt = sample.prompt;
  request.images = settings.images;
  request.seed = settings.seed + index * static_cast<uint64_t>(settings.images);
  request.guidance = settings.guidance;
  return request;
}

// GenEval's verdict, and of dense prompts the share of facts.
double grade_of(const DrawSample& sample, const Detection& picture) {
  return sample.category == "dense" ? drawing_grade(sample, picture)
                                    : (geneval_reason(sample, picture).empty() ? 1 : 0);
}

Json drawn_case(const Part& part, const DrawSample& sample, uint64_t index, const Picture& picture,
                const Detection& found) {
  Json line = {{"case", key(index, picture.index)},
               {"category", sample.category},
               {"held", sample.held},
               {"prompt", sample.prompt},
               {"seed", picture.seed},
               {"grade", grade_of(sample, found)},
               {"exact", draw_right(found, sample)}};
  if (sample.category != "dense") line["reason"] = geneval_reason(sample, found);
  line["found"] = found_json(found);
  line["record"] = Json::parse(scene_record(sample.scene, Split::test, part.stream, index));
  return line;
}

void run_drawing(const Part& part, Engine& engine, const Settings& settings, CaseFile& file,
                 const std::function<bool()>& wanted,
                 const std::function<void(int64_t, int64_t)>& told) {
  const Detector detector(engine.info().image);
  for (int64_t next = 0; next < part.samples;) {
    std::vector<uint64_t> indices;
    std::vector<DrawSample> samples;
    std::vector<DrawRequest> requests;
    for (; next < part.samples && requests.size() < kTogether; ++next) {
      const auto index = static_cast<uint64_t>(next);
      if (file.has(key(index, settings.images - 1))) continue;
      indices.push_back(index);
      samples.push_back(drawing(part.stream, Split::test, index));
      requests.push_back(request_for(samples.back(), index, settings));
    }
    if (requests.empty()) break;
    DrawEvents events;
    events.on_step = [&](const Progress&) { return wanted(); };
    for (const Picture& picture : engine.draw(requests, events)) {
      const auto at = static_cast<size_t>(picture.request);
      if (file.has(key(indices[at], picture.index))) continue;
      file.add(drawn_case(part, samples[at], indices[at], picture, detector.detect(picture.image)));
    }
    told(next, part.samples);
  }
}

// The picture of a lesson; `blind`: its backdrop alone.
Image shown(const Lesson& lesson, int size, bool blind) {
  if (!blind) return draw_lesson(lesson, size).image;
  Lesson empty = lesson;
  std::get<Scene>(empty.picture).objects.clear();
  return draw_lesson(empty, size).image;
}

// The question of turn k. Turns of text go on from the true answers before; of a picture each
// question is asked afresh.
AskRequest request_for(const Lesson& lesson, size_t k, const Engine& engine, bool blind) {
  AskRequest request;
  request.max_tokens = kLongestAnswer;
  if (std::holds_alternative<std::monostate>(lesson.picture)) {
    for (size_t i = 0; i < k; ++i) {
      request.messages.push_back({"user", lesson.turns[i].question, {}});
      request.messages.push_back({"assistant", lesson.turns[i].answer, {}});
    }
    request.messages.push_back({"user", lesson.turns[k].question, {}});
  } else {
    request.messages.push_back(
        {"user", lesson.turns[k].question, {shown(lesson, engine.info().vision_image, blind)}});
  }
  return request;
}

void run_reading(const Part& part, Engine& engine, const Settings& settings, CaseFile& file,
                 const std::function<bool()>& wanted,
                 const std::function<void(int64_t, int64_t)>& told) {
  const bool blind = settings.controls && part.stream != "talk";
  for (int64_t next = 0; next < part.samples; ++next) {
    const auto index = static_cast<uint64_t>(next);
    const Lesson lesson = reading(part.stream, Split::test, index,
                                  part.stream == "open" || part.stream == "short" ? 1 : kTurns);
    for (size_t k = 0; k < lesson.turns.size(); ++k) {
      const std::string name = key(index, static_cast<int>(k));
      if (file.has(name)) continue;
      const Turn& turn = lesson.turns[k];
      const auto ask = [&](bool without) {
        return engine
            .ask(request_for(lesson, k, engine, without),
                 [&](std::string_view) { return wanted(); })
            .text;
      };
      check(wanted(), Code::cancelled, "interrupted");
      const std::string answer = ask(false);
      Json line = {{"case", name},
                   {"category", turn.category},
                   {"held", turn.held},
                   {"question", turn.question},
                   {"truth", turn.answer},
                   {"answer", answer},
                   {"grade", reading_grade(part.stream, turn, answer)}};
      if (blind) line["blind"] = reading_grade(part.stream, turn, ask(true));
      if (const auto* scene = std::get_if<Scene>(&lesson.picture)) {
        line["record"] = Json::parse(scene_record(*scene, Split::test, part.stream, index));
      }
      file.add(std::move(line));
    }
    told(next + 1, part.samples);
  }
}

uint64_t index_of(const std::string& name) { return std::stoull(name); }

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

// Both questions of a picture right, as MME's acc+.
void add_both(const CaseFile& file, std::vector<Figure>& figures) {
  std::map<std::string, double> least;
  for (const auto& [name, line] : file.cases()) {
    const std::string picture = name.substr(0, name.find('/'));
    const double grade = line["grade"];
    const auto [at, fresh] = least.emplace(picture, grade);
    if (!fresh) at->second = std::min(at->second, grade);
  }
  double sum = 0;
  for (const auto& [picture, grade] : least) sum += grade;
  figures.push_back({"both questions of a picture (acc+)",
                     least.empty() ? 0 : sum / static_cast<double>(least.size()),
                     static_cast<int64_t>(least.size())});
}

void add_drawing_controls(const Part& part, const CaseFile& file, std::vector<Figure>& figures) {
  Table table;
  std::map<std::string, double> tags;
  for (const auto& [name, line] : file.cases()) {
    const Detection picture = found_of(line["found"]);
    const uint64_t other = (index_of(name) + 7) % static_cast<uint64_t>(part.samples);
    const DrawSample own = drawing(part.stream, Split::test, index_of(name));
    table.add("control: shuffled prompts",
              grade_of(drawing(part.stream, Split::test, other), picture));
    const bool unknown = std::any_of(picture.objects.begin(), picture.objects.end(),
                                     [](const Found& f) { return f.shape < 0; });
    table.add("pictures with an unknown thing", unknown ? 1 : 0);
    if (!name.ends_with("/0")) continue;
    const Detection truth = Detector(96).detect(render(own.scene, 96).image);
    table.add("control: true scenes", grade_of(own, truth));
  }
  for (const Figure& figure : table.means()) figures.push_back(figure);
}

}  // namespace

Json found_json(const Detection& picture) {
  Json objects = Json::array();
  for (const Found& f : picture.objects) {
    objects.push_back(Json::array({f.shape, f.colour, f.cx, f.cy, f.r, f.confidence}));
  }
  return {{"palette", picture.palette}, {"backdrop", picture.backdrop}, {"objects", objects}};
}

Detection found_of(const Json& json) {
  Detection picture{json["palette"], json["backdrop"], {}};
  for (const Json& f : json["objects"]) {
    picture.objects.push_back({f.at(0), f.at(1), f.at(2), f.at(3), f.at(4), f.at(5)});
  }
  return picture;
}

std::string why_not(const Part& part, const ModelInfo& info) {
  if (part.asks == Asks::to_draw && !info.draws)
    return "this checkpoint has not the half that draws";
  if (part.asks == Asks::to_read && !info.reads)
    return "this checkpoint has not the half that reads";
  if (part.asks == Asks::to_edit && info.edit_layout == "none") {
    return "this model was not taught to edit by instruction";
  }
  return "";
}

std::vector<Part> parts(const std::string& names) {
  if (names.empty()) return all_parts();
  std::vector<Part> chosen;
  std::istringstream list(names);
  std::string name, known;
  for (const Part& part : all_parts()) known += (known.empty() ? "" : ", ") + part.stream;
  while (std::getline(list, name, ',')) {
    const auto found = std::find_if(all_parts().begin(), all_parts().end(),
                                    [&](const Part& part) { return part.stream == name; });
    check(found != all_parts().end(), Code::bad_input, "toyland has no part \"", name,
          "\"; there are ", known);
    chosen.push_back(*found);
  }
  return chosen;
}

void run(const Part& part, Engine& engine, const Settings& settings, CaseFile& file,
         const std::function<bool()>& wanted, const std::function<void(int64_t, int64_t)>& told) {
  const auto run = part.asks == Asks::to_draw   ? run_drawing
                   : part.asks == Asks::to_edit ? run_edits
                                                : run_reading;
  run(part, engine, settings, file, wanted, told);
}

std::vector<Image> failures(const Part& part, Engine& engine, const Settings& settings,
                            const CaseFile& file, size_t most,
                            const std::function<bool()>& wanted) {
  if (part.asks == Asks::to_edit) return failed_edits(engine, settings, file, most, wanted);
  std::vector<DrawRequest> requests;
  std::vector<Image> images;
  for (const auto& [name, line] : file.cases()) {
    if (line["grade"] == 1 || requests.size() + images.size() >= most) continue;
    if (part.asks == Asks::to_draw) {
      DrawRequest request;
      request.prompt = line["prompt"];
      request.seed = line["seed"];
      request.guidance = settings.guidance;
      requests.push_back(std::move(request));
    } else if (line.contains("record")) {
      const Lesson lesson = reading(part.stream, Split::test, index_of(name), 1);
      images.push_back(draw_lesson(lesson, engine.info().vision_image).image);
    }
  }
  if (requests.empty()) return images;
  DrawEvents events;
  events.on_step = [&](const Progress&) { return wanted(); };
  for (Picture& picture : engine.draw(requests, events)) images.push_back(std::move(picture.image));
  return images;
}

std::vector<Figure> figures(const Part& part, const CaseFile& file) {
  Table all, categories, blind;
  for (const auto& [name, line] : file.cases()) {
    const double grade = line["grade"];
    const std::string category = line["category"];
    all.add("all", grade);
    if (part.asks == Asks::to_draw)
      all.add("all, and no other objects", line["exact"] == true ? 1 : 0);
    categories.add(category, grade);
    categories.add(category + (line["held"] == true ? ", held out" : ", seen"), grade);
    if (line.contains("blind")) blind.add("control: without the objects", line["blind"]);
  }
  std::vector<Figure> figures = all.means();
  std::vector<Figure> rows = categories.means();
  std::sort(rows.begin(), rows.end(),
            [](const Figure& a, const Figure& b) { return a.name < b.name; });
  if (part.stream == "prompts") {
    double sum = 0, tags = 0;
    for (const Figure& row : rows) {
      if (row.name.find(',') == row.name.npos) sum += row.value, ++tags;
    }
    if (tags > 0)
      figures.push_back({"overall: mean of the categories", sum / tags, all.means()[0].count});
  }
  figures.insert(figures.end(), rows.begin(), rows.end());
  if (part.stream == "exists") add_f1(file, figures);
  if (part.stream == "pairs") add_both(file, figures);
  if (part.asks == Asks::to_draw) add_drawing_controls(part, file, figures);
  if (part.asks == Asks::to_edit) add_edit_figures(file, figures);
  for (const Figure& figure : blind.means()) figures.push_back(figure);
  return figures;
}

}  // namespace janus::toyland
