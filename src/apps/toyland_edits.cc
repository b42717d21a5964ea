// The part "edits" of the suite: a scene is rendered, the model changes it as it is told, and the
// detector compares with the scene that ought to come out. SPDX-License-Identifier: MIT
#include "apps/toyland_parts.h"
#include "base/error.h"
#include "world/edits.h"
#include "world/render.h"

namespace janus::toyland {
namespace {

using Json = nlohmann::ordered_json;

std::vector<EditSample> turns_of(uint64_t index) { return edit_turns(Split::test, index); }

// After the last turn; each changes what the one before made.
Picture edited(Engine& engine, const std::vector<EditSample>& turns, uint64_t index,
               const Settings& settings, const Wanted& wanted) {
  DrawEvents events;
  events.on_step = [&](const Progress&) { return wanted(); };
  Picture picture;
  picture.image = render(turns.front().before, engine.info().image).image;
  for (const EditSample& turn : turns) {
    EditRequest request;
    request.instruction = turn.instruction;
    request.image = std::move(picture.image);
    request.drawing.seed = settings.seed + index;
    request.drawing.guidance = settings.guidance;
    picture = engine.edit(request, events).at(0);
  }
  return picture;
}

Json edited_case(const std::vector<EditSample>& turns, uint64_t index, const Picture& picture,
                 const Detection& found) {
  const EditSample& last = turns.back();
  Json instructions = Json::array(), records = Json::array();
  bool held = false;
  for (const EditSample& turn : turns) {
    instructions.push_back(turn.instruction);
    records.push_back(Json::parse(edit_record(turn, Split::test, index)));
    held |= turn.held;
  }
  return {{"case", std::to_string(index)},
          {"category", turns.size() > 1 ? "two turns" : last.op},
          {"held", held},
          {"instructions", instructions},
          {"seed", picture.seed},
          {"grade", edit_done(last, found) ? 1 : 0},
          {"preservation",
           edit_preservation(last, picture.image, render(last.after, picture.image.width).image)},
          {"found", found_json(found)},
          {"records", records}};
}

}  // namespace

void run_edits(const Part& part, Engine& engine, const Settings& settings, CaseFile& file,
               const Wanted& wanted, const Told& told) {
  const Detector detector(engine.info().image);
  for (int64_t next = 0; next < part.samples; ++next) {
    const auto index = static_cast<uint64_t>(next);
    if (file.has(std::to_string(index))) continue;
    const std::vector<EditSample> turns = turns_of(index);
    const Picture picture = edited(engine, turns, index, settings, wanted);
    file.add(edited_case(turns, index, picture, detector.detect(picture.image)));
    told(next + 1, part.samples);
  }
}

std::vector<Image> failed_edits(Engine& engine, const Settings& settings, const CaseFile& file,
                                size_t most, const Wanted& wanted) {
  std::vector<Image> images;
  for (const auto& [name, line] : file.cases()) {
    if (line["grade"] == 1 || images.size() + 2 > most) continue;
    const uint64_t index = std::stoull(name);
    const std::vector<EditSample> turns = turns_of(index);
    images.push_back(render(turns.front().before, engine.info().image).image);
    images.push_back(edited(engine, turns, index, settings, wanted).image);
  }
  return images;
}

void add_edit_figures(const CaseFile& file, std::vector<Figure>& figures) {
  constexpr int kSize = 96;
  const Detector detector(kSize);
  Table kept, ops, controls;
  for (const auto& [name, line] : file.cases()) {
    const double preservation = line["preservation"];
    kept.add("preservation, dB", preservation);
    ops.add("preservation, dB: " + line["category"].get<std::string>(), preservation);
    const std::vector<EditSample> turns = turns_of(std::stoull(name));
    const auto done = [&](const Scene& scene) {
      return edit_done(turns.back(), detector.detect(render(scene, kSize).image)) ? 1 : 0;
    };
    controls.add("control: ideal pictures", done(turns.back().after));
    controls.add("control: the source unchanged", done(turns.front().before));
  }
  for (const Table& table : {kept, ops, controls}) {
    for (const Figure& figure : table.means()) figures.push_back(figure);
  }
}

}  // namespace janus::toyland
