// The part "edits" of the suite: a scene is rendered, the model changes it as it is told, and the
// detector compares with the scene that ought to come out. SPDX-License-Identifier: MIT
#include "apps/toyland_parts.h"
#include "base/error.h"
#include "world/edits.h"
#include "world/render.h"

namespace janus::toyland {
namespace {

using Json = nlohmann::ordered_json;

EditRequest request_for(const EditSample& sample, uint64_t index, const Settings& settings,
                        int size) {
  EditRequest request;
  request.instruction = sample.instruction;
  request.image = render(sample.before, size).image;
  request.drawing.seed = settings.seed + index;
  request.drawing.guidance = settings.guidance;
  return request;
}

Picture edited(Engine& engine, const EditSample& sample, uint64_t index, const Settings& settings,
               const Wanted& wanted) {
  DrawEvents events;
  events.on_step = [&](const Progress&) { return wanted(); };
  return engine.edit(request_for(sample, index, settings, engine.info().image), events).at(0);
}

EditSample sample_of(uint64_t index) { return edit_sample(Split::test, index); }

}  // namespace

void run_edits(const Part& part, Engine& engine, const Settings& settings, CaseFile& file,
               const Wanted& wanted, const Told& told) {
  const int size = engine.info().image;
  const Detector detector(size);
  for (int64_t next = 0; next < part.samples; ++next) {
    const auto index = static_cast<uint64_t>(next);
    const std::string name = std::to_string(index);
    if (file.has(name)) continue;
    const EditSample sample = sample_of(index);
    const Picture picture = edited(engine, sample, index, settings, wanted);
    const Detection found = detector.detect(picture.image);
    file.add({{"case", name},
              {"category", sample.op},
              {"held", sample.held},
              {"instruction", sample.instruction},
              {"seed", picture.seed},
              {"grade", edit_done(sample, found) ? 1 : 0},
              {"preservation",
               edit_preservation(sample, picture.image, render(sample.after, size).image)},
              {"found", found_json(found)},
              {"record", Json::parse(edit_record(sample, Split::test, index))}});
    told(next + 1, part.samples);
  }
}

std::vector<Image> failed_edits(Engine& engine, const Settings& settings, const CaseFile& file,
                                size_t most, const Wanted& wanted) {
  std::vector<Image> images;
  for (const auto& [name, line] : file.cases()) {
    if (line["grade"] == 1 || images.size() + 2 > most) continue;
    const uint64_t index = std::stoull(name);
    const EditSample sample = sample_of(index);
    images.push_back(render(sample.before, engine.info().image).image);
    images.push_back(edited(engine, sample, index, settings, wanted).image);
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
    const EditSample sample = sample_of(std::stoull(name));
    const auto done = [&](const Scene& scene) {
      return edit_done(sample, detector.detect(render(scene, kSize).image)) ? 1 : 0;
    };
    controls.add("control: ideal pictures", done(sample.after));
    controls.add("control: the source unchanged", done(sample.before));
  }
  for (const Table& table : {kept, ops, controls}) {
    for (const Figure& figure : table.means()) figures.push_back(figure);
  }
}

}  // namespace janus::toyland
