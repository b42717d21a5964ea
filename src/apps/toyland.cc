// Pictures are judged as they come and only their verdicts are kept; a failure is drawn again from
// its seed when it is to be seen. SPDX-License-Identifier: MIT
#include "apps/toyland.h"

#include <algorithm>
#include <sstream>

#include "apps/toyland_parts.h"
#include "base/error.h"
#include "base/rng.h"
#include "world/geneval.h"
#include "world/streams.h"

namespace janus::toyland {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kTogether = 4;  // prompts in one call

// The test sets of the world: samples of each stream.
const std::vector<Part>& all_parts() {
  using enum Asks;
  static const std::vector<Part> all = {
      {"prompts", to_draw, 600},  {"dense", to_draw, 300},    {"open", to_read, 1000},
      {"captions", to_read, 500}, {"exists", to_read, 1500},  {"pairs", to_read, 240},
      {"choices", to_read, 3000}, {"talk", to_read, 600},     {"flows", to_read, 300},
      {"charts", to_read, 300},   {"circuits", to_read, 300}, {"edits", to_edit, 600},
      {"single", to_draw, 200},   {"short", to_read, 500}};
  return all;
}

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

// What no better drawing could have: the verdict on the true scene as the codec brings it back.
double codec_grade(Engine& engine, const Detector& detector, const DrawSample& sample) {
  const Image truth = render(sample.scene, engine.info().image).image;
  return grade_of(sample, detector.detect(engine.decode(engine.encode(truth))));
}

// … and what drawing blindly has: that on a picture of random codes.
double noise_grade(Engine& engine, const Detector& detector, const DrawSample& sample,
                   uint64_t seed) {
  Philox random(seed, 0);
  std::vector<int32_t> codes(static_cast<size_t>(engine.info().image_tokens));
  for (int32_t& code : codes) code = random.below(engine.info().codes);
  return grade_of(sample, detector.detect(engine.decode(codes)));
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
      const DrawSample& sample = samples[at];
      Json line = drawn_case(part, sample, indices[at], picture, detector.detect(picture.image));
      if (picture.index == 0) {
        if (engine.info().edits) line["codec"] = codec_grade(engine, detector, sample);
        line["noise"] = noise_grade(engine, detector, sample, picture.seed);
      }
      file.add(line);
    }
    told(next, part.samples);
  }
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
    if (line.contains("codec")) table.add("control: true scenes by the codec", line["codec"]);
    if (line.contains("noise")) table.add("control: random codes", line["noise"]);
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
  if (part.asks == Asks::to_read) return misread(part, engine, file, most);
  std::vector<DrawRequest> requests;
  std::vector<Image> images;
  for (const auto& [name, line] : file.cases()) {
    if (line["grade"] == 1 || requests.size() >= most) continue;
    DrawRequest request;
    request.prompt = line["prompt"];
    request.seed = line["seed"];
    request.guidance = settings.guidance;
    requests.push_back(std::move(request));
  }
  if (requests.empty()) return images;
  DrawEvents events;
  events.on_step = [&](const Progress&) { return wanted(); };
  for (Picture& picture : engine.draw(requests, events)) images.push_back(std::move(picture.image));
  return images;
}

std::vector<Figure> figures(const Part& part, const CaseFile& file) {
  Table all, categories;
  for (const auto& [name, line] : file.cases()) {
    if (line.contains("turned")) continue;  // a question that was there before
    const double grade = line["grade"];
    const std::string category = line["category"];
    all.add("all", grade);
    if (part.asks == Asks::to_draw)
      all.add("all, and no other objects", line["exact"] == true ? 1 : 0);
    categories.add(category, grade);
    categories.add(category + (line["held"] == true ? ", held out" : ", seen"), grade);
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
  if (part.asks == Asks::to_read) add_reading_figures(part, file, figures);
  if (part.asks == Asks::to_draw) add_drawing_controls(part, file, figures);
  if (part.asks == Asks::to_edit) add_edit_figures(file, figures);
  return figures;
}

}  // namespace janus::toyland
