// See run_report.h. SPDX-License-Identifier: MIT
#include "train/run_report.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "base/error.h"
#include "io/base64.h"
#include "io/file.h"
#include "io/image.h"
#include "train/curves.h"
#include "train/html.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr size_t kEarlier = 5;  // contact sheets before the last one, spread over the run

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --ink: #1d2126; --soft: #68717c; --line: #e3e6ea; --page: #fff;
  --c0: #2463c9; --c1: #c4501b; --c2: #1f8a5b; --c3: #8b3fb5; --c4: #a67c00; --c5: #c2255c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #98a2ae; --line: #30363e;
  --page: #15181c; --c0: #7aa7ff; --c1: #ff9a66; --c2: #5fd3a0; --c3: #cf9bf0; --c4: #e5bd4a;
  --c5: #ff7fa8; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  margin: 2rem auto; padding: 0 1rem; max-width: 1100px; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
.soft, figcaption, summary, text { color: var(--soft); fill: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(320px, 100%), 1fr));
  gap: 1.5rem; }
figure { margin: 0; } svg { width: 100%; height: auto; font-size: 11px; }
svg .grid { stroke: var(--line); } path { fill: none; stroke-width: 1.5; }
ul { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem .9rem; margin: 0; padding: 0;
  font-size: .85rem; }
.c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); }
.c3 { stroke: var(--c3); } .c4 { stroke: var(--c4); } .c5 { stroke: var(--c5); }
circle { fill: var(--page); } li { stroke: none; } li.c0 { color: var(--c0); }
li.c1 { color: var(--c1); } li.c2 { color: var(--c2); } li.c3 { color: var(--c3); }
li.c4 { color: var(--c4); } li.c5 { color: var(--c5); }
.cells { display: grid; gap: .9rem .6rem; }
.cells i { display: block; border-radius: 3px; image-rendering: pixelated; }
.cells span { display: block; font-size: .8rem; line-height: 1.3; margin-top: .2rem;
  overflow-wrap: anywhere; }
details { margin-top: 1rem; } details img { max-width: 100%; display: block; margin: .3rem 0 1rem; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; font-weight: 600; }
td, th { border-bottom: 1px solid var(--line); padding: .35rem .8rem .35rem 0; vertical-align: top; }
pre { overflow-x: auto; font-size: .85rem; }
)";

std::vector<Json> lines_of(const fs::path& file) {
  std::vector<Json> all;
  if (!fs::exists(file)) return all;
  std::istringstream lines(read_text(file));
  for (std::string line; std::getline(lines, line);) {
    Json json = Json::parse(line, nullptr, false);
    if (json.is_object() && json.contains("step") && json["step"].is_number()) {
      all.push_back(std::move(json));
    }
  }
  return all;
}

// --- curves --------------------------------------------------------------------------------------

// Losses share a chart, and so do the scores of one stream; what else there is has its own.
std::string chart_of(const std::string& figure) {
  constexpr std::string_view kVal = "val_";
  if (figure.ends_with("loss")) return "loss";
  if (!figure.starts_with(kVal)) return figure;
  return "val: " + figure.substr(kVal.size(), figure.find('_', kVal.size()) - kVal.size());
}

void write_charts(std::ostringstream& out, const std::vector<Json>& metrics) {
  constexpr size_t kMost = 6;  // curves of a chart
  std::vector<std::string> order;
  std::map<std::string, std::vector<Curve>> charts;
  for (const Json& line : metrics) {
    for (const auto& [name, value] : line.items()) {
      if (name == "step" || !(value.is_number() || value.is_null())) continue;
      const std::string chart = chart_of(name);
      if (!charts.count(chart)) order.push_back(chart);
      std::vector<Curve>& curves = charts[chart];
      auto curve = std::ranges::find(curves, name, &Curve::name);
      if (curve == curves.end()) curve = curves.insert(curve, {name, {}});
      // JSON has no word for what is not finite: null.
      curve->points.emplace_back(line["step"].get<double>(),
                                 value.is_null() ? NAN : value.get<double>());
    }
  }
  std::ranges::stable_partition(order, [](const std::string& name) { return name == "loss"; });
  // Rows that broke and steps that were skipped have a chart where there were any.
  std::erase_if(order, [&](const std::string& name) {
    return std::ranges::all_of(charts[name], [](const Curve& curve) {
      return std::ranges::all_of(curve.points, [](const auto& point) { return point.second == 0; });
    });
  });
  out << "<h2>Curves</h2><div class=charts>";
  for (const std::string& name : order) {
    const std::vector<Curve>& curves = charts[name];
    for (size_t i = 0; i < curves.size(); i += kMost) {
      const auto end = curves.begin() + static_cast<ptrdiff_t>(std::min(i + kMost, curves.size()));
      out << chart_svg(name, {curves.begin() + static_cast<ptrdiff_t>(i), end});
    }
  }
  out << "</div>";
}

// --- samples -------------------------------------------------------------------------------------

struct Report {
  int64_t step;
  Json shown;  // an item of samples.jsonl's "shown"
};

std::string image_url(const std::string& png) {
  return "data:image/png;base64," + to_base64(std::string_view(png));
}

// The last contact sheet cut into its pictures, each over its prompt.
void write_cells(std::ostringstream& out, const Report& report, const std::string& png,
                 size_t number) {
  const Image sheet = decode_image(std::as_bytes(std::span(png)), "the contact sheet");
  const int columns = std::max(report.shown.value("columns", 1), 1);
  const int side = sheet.width / columns;
  const auto prompts = report.shown.value("prompts", std::vector<std::string>());
  out << "<style>.s" << number << " { background-image: url(" << image_url(png)
      << "); width: " << side << "px; height: " << side << "px }</style>"
      << "<div class=cells style=\"grid-template-columns: repeat(auto-fill, " << side << "px)\">";
  const auto count = static_cast<size_t>(columns) * static_cast<size_t>(sheet.height / side);
  for (size_t i = 0; i < (prompts.empty() ? count : prompts.size()); ++i) {
    const size_t x = i % static_cast<size_t>(columns), y = i / static_cast<size_t>(columns);
    out << "<div><i class=s" << number << " style=\"background-position: -"
        << x * static_cast<size_t>(side) << "px -" << y * static_cast<size_t>(side) << "px\"></i>";
    if (i < prompts.size()) out << "<span>" << escaped(prompts[i]) << "</span>";
    out << "</div>";
  }
  out << "</div>";
}

void write_pictures(std::ostringstream& out, const fs::path& run,
                    const std::vector<Report>& reports, size_t number) {
  const auto file = [&](const Report& report) {
    return run / fs::path(report.shown.value("picture", "")).filename();
  };
  std::vector<Report> there;
  for (const Report& report : reports) {
    if (fs::is_regular_file(file(report))) there.push_back(report);
  }
  if (there.empty()) return;
  write_cells(out, there.back(), read_text(file(there.back())), number);
  there.pop_back();
  if (there.empty()) return;
  out << "<details><summary>earlier</summary>";
  const size_t count = std::min(kEarlier, there.size());
  for (size_t i = 0; i < count; ++i) {
    const Report& report = there[i * there.size() / count];
    out << "<span class=soft>step " << report.step << "</span><img alt=\"step " << report.step
        << "\" src=\"" << image_url(read_text(file(report))) << "\">";
  }
  out << "</details>";
}

void write_said(std::ostringstream& out, const Json& said) {
  const bool judged =
      std::ranges::any_of(said, [](const Json& one) { return one.contains("wanted"); });
  out << "<table><tr><th>question<th>reply" << (judged ? "<th>wanted" : "") << "</tr>";
  for (const Json& one : said) {
    out << "<tr><td>" << escaped(one.value("question", "")) << "<td>"
        << escaped(one.value("reply", ""));
    if (judged) out << "<td class=soft>" << escaped(one.value("wanted", ""));
    out << "</tr>";
  }
  out << "</table>";
}

void write_samples(std::ostringstream& out, const fs::path& run) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<Report>> all;
  for (const Json& line : lines_of(run / "samples.jsonl")) {
    for (const Json& shown : line.value("shown", Json::array())) {
      const std::string name = shown.value("name", "");
      if (!all.count(name)) order.push_back(name);
      all[name].push_back({line["step"].get<int64_t>(), shown});
    }
  }
  size_t number = 0;
  for (const std::string& name : order) {
    const std::vector<Report>& reports = all[name];
    out << "<h2>" << escaped(name) << " <span class=soft>at step " << reports.back().step
        << "</span></h2>";
    write_pictures(out, run, reports, number++);
    const Json& last = reports.back().shown;
    if (last.contains("said")) write_said(out, last["said"]);
  }
}

}  // namespace

std::string run_report(const fs::path& run) {
  const std::vector<Json> metrics = lines_of(run / "metrics.jsonl");
  check(!metrics.empty(), Code::bad_input, run.string(),
        ": holds no metrics.jsonl with a line in it; is it the folder of a run that has begun?");
  const std::string name = fs::absolute(run / ".").parent_path().filename().string();
  std::ostringstream out;
  out << "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
         "content=\"width=device-width\"><title>"
      << escaped(name) << "</title><style>" << kStyle << "</style><h1>" << escaped(name)
      << "</h1><div class=soft>januspro-train, step " << metrics.back()["step"] << "</div>";
  write_charts(out, metrics);
  write_samples(out, run);
  if (fs::exists(run / "recipe.toml")) {
    out << "<details><summary>recipe.toml</summary><pre>" << escaped(read_text(run / "recipe.toml"))
        << "</pre></details>";
  }
  out << "</html>\n";
  return out.str();
}

}  // namespace janus::train
