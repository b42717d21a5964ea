// What the parts of the suite share (toyland.h). SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/toyland.h"
#include "world/detect.h"

namespace janus::toyland {

using Wanted = std::function<bool()>;
using Told = std::function<void(int64_t done, int64_t total)>;

// What the detector found, in a case's line, and back.
nlohmann::ordered_json found_json(const Detection& picture);
Detection found_of(const nlohmann::ordered_json& json);

// The name of a case, and the sample it is of.
inline std::string key(uint64_t index, int k) {
  return std::to_string(index) + '/' + std::to_string(k);
}
inline uint64_t index_of(const std::string& name) { return std::stoull(name); }

// Means by name, in the order in which names come.
class Table {
 public:
  void add(const std::string& name, double value) {
    auto row =
        std::find_if(rows_.begin(), rows_.end(), [&](const Figure& f) { return f.name == name; });
    if (row == rows_.end()) row = rows_.insert(rows_.end(), {name, 0, 0});
    row->value += value;
    ++row->count;
  }
  std::vector<Figure> means() const {
    std::vector<Figure> all = rows_;
    for (Figure& figure : all) figure.value /= static_cast<double>(figure.count);
    return all;
  }

 private:
  std::vector<Figure> rows_;
};

// Questions, one case each.
void run_reading(const Part& part, Engine& engine, const Settings& settings, CaseFile& file,
                 const Wanted& wanted, const Told& told);
// The first `most` pictures that were asked about and answered wrongly.
std::vector<Image> misread(const Part& part, Engine& engine, const CaseFile& file, size_t most);
// What the parts have besides their grades: F1 of yes, both questions of a picture, every rotation,
// whole diagrams, and controls.
void add_reading_figures(const Part& part, const CaseFile& file, std::vector<Figure>& figures);

// Edits by instruction, one picture each.
void run_edits(const Part& part, Engine& engine, const Settings& settings, CaseFile& file,
               const Wanted& wanted, const Told& told);
// Sources and what came of them, in turn, of the first `most` / 2 that failed.
std::vector<Image> failed_edits(Engine& engine, const Settings& settings, const CaseFile& file,
                                size_t most, const Wanted& wanted);
// How much of what was to stay did, and the controls: ideal pictures, and sources left as they are.
void add_edit_figures(const CaseFile& file, std::vector<Figure>& figures);

}  // namespace janus::toyland
