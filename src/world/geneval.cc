// Entries of `include` in order: for a relation the reference comes first, as in the published
// file. SPDX-License-Identifier: MIT
#include "world/geneval.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "world/relation.h"

namespace janus {
namespace {

using Json = nlohmann::ordered_json;
using Group = std::vector<const Found*>;

// One entry of include.
struct Wanted {
  int shape, count, colour;
  int relation = -1;  // to the entry before
};

std::vector<Wanted> wanted_of(const DrawSample& sample) {
  std::vector<Wanted> wanted;
  for (const Mention& m : sample.said.mentions) {
    wanted.push_back({m.shape, m.count, m.colour, -1});
  }
  if (sample.category == "position") {
    std::swap(wanted[0], wanted[1]);
    wanted[1].relation = sample.said.mentions[0].relation;
  }
  return wanted;
}

// The most confident `count` of the class.
Group most_confident(const Detection& picture, const Wanted& wanted) {
  Group group;
  for (const Found& found : picture.objects) {
    if (found.shape == wanted.shape) group.push_back(&found);
  }
  std::stable_sort(group.begin(), group.end(),
                   [](const Found* a, const Found* b) { return a->confidence > b->confidence; });
  if (group.size() > static_cast<size_t>(wanted.count)) {
    group.resize(static_cast<size_t>(wanted.count));
  }
  return group;
}

bool all_related(Relation relation, const Group& subjects, const Group& references) {
  return std::all_of(subjects.begin(), subjects.end(), [&](const Found* a) {
    return std::all_of(references.begin(), references.end(), [&](const Found* b) {
      return is_related(relation, as_object(*a), as_object(*b));
    });
  });
}

int64_t count_of(const Detection& picture, int shape) {
  return std::count_if(picture.objects.begin(), picture.objects.end(),
                       [&](const Found& found) { return found.shape == shape; });
}

}  // namespace

std::string geneval_line(const DrawSample& sample) {
  Json include = Json::array();
  for (const Wanted& wanted : wanted_of(sample)) {
    Json entry = {{"class", shape_name(wanted.shape).one}, {"count", wanted.count}};
    if (wanted.colour >= 0) entry["color"] = colour_name(wanted.colour);
    if (wanted.relation >= 0) {
      entry["position"] = {kRelations[static_cast<size_t>(wanted.relation)], 0};
    }
    include.push_back(entry);
  }
  Json line = {{"tag", sample.category}, {"include", include}};
  if (sample.category == "counting") {
    const Mention& m = sample.said.mentions.front();
    line["exclude"] = Json::array({{{"class", shape_name(m.shape).one}, {"count", m.count + 1}}});
  }
  line["prompt"] = sample.prompt;
  return line.dump();
}

std::string detection_line(const std::string& filename, const Detection& picture, int size) {
  const double pixels = size / kCanvas;
  Json detections = Json::array();
  for (const Found& found : picture.objects) {
    const std::string_view name = found.shape < 0 ? "unknown" : shape_name(found.shape).one;
    detections.push_back({{"class", name},
                          {"box",
                           {(found.cx - found.r) * pixels, (found.cy - found.r) * pixels,
                            (found.cx + found.r) * pixels, (found.cy + found.r) * pixels}},
                          {"score", found.confidence},
                          {"color", colour_name(found.colour)}});
  }
  return Json{{"filename", filename}, {"detections", detections}}.dump();
}

std::string geneval_reason(const DrawSample& sample, const Detection& picture) {
  const std::vector<Wanted> wanted = wanted_of(sample);
  std::string reason;
  const auto add = [&](const std::string& text) { reason += (reason.empty() ? "" : "; ") + text; };
  std::optional<Group> before;
  for (const Wanted& one : wanted) {
    const std::string name(shape_name(one.shape).one);
    const Group group = most_confident(picture, one);
    std::optional<Group> matched = group;
    if (group.size() < static_cast<size_t>(one.count)) {
      add("expected " + name + " >= " + std::to_string(one.count) + ", found " +
          std::to_string(group.size()));
      matched.reset();
    } else if (one.colour >= 0 && !std::all_of(group.begin(), group.end(), [&](const Found* f) {
                 return f->colour == one.colour;
               })) {
      add("expected " + std::string(colour_name(one.colour)) + ' ' + name);
      matched.reset();
    } else if (one.relation >= 0) {
      const auto relation = static_cast<Relation>(one.relation);
      const std::string word(kRelations[static_cast<size_t>(one.relation)]);
      if (!before) {
        add("no target for " + name + " to be " + word);
      } else if (!all_related(relation, group, *before)) {
        add("expected " + name + ' ' + word + " target");
      }
    }
    before = matched;
  }
  if (sample.category == "counting" && count_of(picture, wanted[0].shape) > wanted[0].count) {
    add("expected " + std::string(shape_name(wanted[0].shape).one) + " < " +
        std::to_string(wanted[0].count + 1) + ", found " +
        std::to_string(count_of(picture, wanted[0].shape)));
  }
  return reason;
}

}  // namespace janus
