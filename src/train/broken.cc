// See broken.h.
// SPDX-License-Identifier: MIT
#include "train/broken.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/utf8.h"
#include "train/row_source.h"

namespace janus::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kTried = 8;  // rows of a source

}  // namespace

int64_t broken_limit(const Source& source, int64_t count) {
  return source.max_broken >= 0 ? source.max_broken : count / 100;
}

void try_rows(const Recipe& recipe, const RowSources& sources) {
  for (size_t i = 0; i < sources.size(); ++i) {
    const int64_t tried = std::min(sources[i]->count(), kTried);  // none of the world's
    int64_t broken = 0;
    std::string first;
    for (int64_t k = 0; k < tried; ++k) {
      const auto at = static_cast<uint64_t>(k * sources[i]->count() / tried);
      try {
        usable_row(recipe, *sources[i], at);
      } catch (const Error& error) {
        if (broken++ == 0) first = sources[i]->place(at) + ": " + error.what();
      }
    }
    check(broken == 0 || broken < tried, Code::bad_input, recipe.data[i].path, ": of ",
          sources[i]->count(), " rows ", tried, " were tried and none can be used; ", first,
          "; `januspro-train check` looks at all of them");
  }
}

std::string broken_text(std::span<const BrokenRow> rows) {
  if (rows.empty()) return "";
  Json all = Json::array();
  for (const BrokenRow& row : rows) {
    all.push_back({row.source, row.row, as_utf8(row.place), as_utf8(row.reason)});
  }
  return all.dump();
}

std::vector<BrokenRow> broken_rows_of(const std::string& text) {
  std::vector<BrokenRow> rows;
  if (text.empty()) return rows;
  for (const Json& row : Json::parse(text)) {
    rows.push_back({row[0].get<size_t>(), row[1].get<int64_t>(), row[2].get<std::string>(),
                    row[3].get<std::string>()});
  }
  return rows;
}

BrokenRows::BrokenRows(const Recipe& recipe, const RowSources& sources, std::filesystem::path file,
                       bool writes)
    : file_(std::move(file)), writes_(writes), met_(sources.size()) {
  for (size_t i = 0; i < sources.size(); ++i) {
    paths_.push_back(as_utf8(recipe.data[i].path));
    limits_.push_back(broken_limit(recipe.data[i], sources[i]->count()));
  }
  std::ifstream in(file_);
  for (std::string line; std::getline(in, line);) {
    const Json row = Json::parse(line, nullptr, false);
    if (!row.is_object()) continue;  // cut off with the sitting
    written_.emplace(row.value("path", ""), row.value("place", ""));
  }
}

void BrokenRows::note(std::span<const BrokenRow> rows) {
  for (const BrokenRow& row : rows) {
    if (!met_[row.source].insert(row.row).second) continue;
    ++count_;
    const std::string place = as_utf8(row.place);  // which stays where it is when others are mended
    if (writes_ && written_.emplace(paths_[row.source], place).second) {
      const Json line = {{"path", paths_[row.source]},
                         {"row", row.row},
                         {"place", place},
                         {"reason", as_utf8(row.reason)}};
      std::ofstream out(file_, std::ios::app);
      out << line.dump() << std::endl;
      check(out.good(), Code::device_failure, file_.string(), ": cannot be written");
    }
    check(std::ssize(met_[row.source]) <= limits_[row.source], Code::bad_input, paths_[row.source],
          ": more than ", limits_[row.source], " rows cannot be used, the last one ", row.place,
          ": ", row.reason, "; ", file_.string(),
          " names them all: mend them, or allow more with data.max_broken");
  }
}

}  // namespace janus::train
