// See together.h. SPDX-License-Identifier: MIT
#include "train/together.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace janus::train {

using Json = nlohmann::ordered_json;

void add_up(Processes& processes, TargetCounts& counts, std::vector<double>& more) {
  std::vector<double> all = {static_cast<double>(counts.rows)};
  for (size_t kind = 0; kind < kKinds; ++kind) {
    all.push_back(static_cast<double>(counts.kinds[kind]));
    all.push_back(static_cast<double>(counts.targets[kind]));
  }
  const size_t own = all.size();
  all.insert(all.end(), more.begin(), more.end());
  processes.sum(all);
  counts.rows = std::lround(all[0]);
  for (size_t kind = 0; kind < kKinds; ++kind) {
    counts.kinds[kind] = std::lround(all[1 + 2 * kind]);
    counts.targets[kind] = std::lround(all[2 + 2 * kind]);
  }
  for (size_t i = 0; i < more.size(); ++i) more[i] = all[own + i];
}

void note_all(Processes& processes, BrokenRows& broken, const std::vector<BrokenRow>& rows) {
  if (processes.alone()) return broken.note(rows);
  if (!processes.any(!rows.empty())) return;
  for (const std::string& text : processes.texts(broken_text(rows))) {
    broken.note(broken_rows_of(text));
  }
}

FigureSums add_up(Processes& processes, const FigureSums& mine) {
  if (processes.alone()) return mine;
  Json json = Json::object();
  for (const auto& [name, figure] : mine) {
    // JSON has no word for what is not finite; such steps are skipped and none is in a sum.
    json[name] = {figure.sum, figure.steps};
  }
  FigureSums all;
  for (const std::string& text : processes.texts(json.dump())) {
    const Json theirs = Json::parse(text);
    for (const auto& [name, figure] : theirs.items()) {
      all[name].sum += figure[0].is_number() ? figure[0].get<double>() : NAN;
      for (const Json& step : figure[1]) all[name].steps.insert(step.get<int64_t>());
    }
  }
  return all;
}

}  // namespace janus::train
