// See journal.h. SPDX-License-Identifier: MIT
#include "train/journal.h"

#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "io/file.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kMetrics = "metrics.jsonl";
constexpr const char* kSamples = "samples.jsonl";

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// A line that is cut off, as by a crash, goes too.
void forget_after(int64_t step, const fs::path& file) {
  if (!fs::exists(file)) return;
  const std::string text = read_text(file);
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_object() && json.value("step", int64_t{0}) <= step) kept += line + '\n';
  }
  if (kept == text) return;
  AtomicFile out(file);
  out.write(kept);
  out.commit();
}

void append(const fs::path& file, const Json& json) {
  std::ofstream out(file, std::ios::app);
  out << json.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  out.flush();
  check(out.good(), Code::device_failure, file.string(), ": cannot be written: ", system_reason());
}

Json json_of(const Shown& shown) {
  Json json = {{"name", shown.name}};
  if (!shown.picture.empty()) {
    json["picture"] = shown.picture;
    json["columns"] = shown.columns;
    json["prompts"] = shown.prompts;
  }
  for (const Said& said : shown.said) {
    Json one = {{"question", said.question}, {"reply", said.reply}};
    if (!said.wanted.empty()) one["wanted"] = said.wanted;
    json["said"].push_back(std::move(one));
  }
  return json;
}

}  // namespace

Journal::Journal(const fs::path& run, int64_t step, bool tensorboard) : run_(run) {
  for (const char* file : {kMetrics, kSamples}) forget_after(step, run / file);
  if (tensorboard) events_.emplace(run, step, now());
}

void Journal::tell(const std::string& group, int64_t step, const Figures& figures) {
  if (!events_) return;
  const double time = now();
  for (const auto& [name, value] : figures) events_->scalar(group + "/" + name, value, step, time);
}

void Journal::progress(int64_t step, const Figures& figures) {
  Json json = {{"step", step}};
  for (const auto& [name, value] : figures) json[name] = value;
  append(run_ / kMetrics, json);
  tell("train", step, figures);
}

void Journal::report(int64_t step, const Evaluation& evaluation) {
  Json figures = {{"step", step}}, samples = {{"step", step}};
  for (const auto& [name, value] : evaluation.figures) figures["val_" + name] = value;
  append(run_ / kMetrics, figures);
  tell("val", step, evaluation.figures);
  if (evaluation.shown.empty()) return;
  for (const Shown& shown : evaluation.shown) {
    samples["shown"].push_back(json_of(shown));
    if (events_ && !shown.picture.empty()) {
      events_->picture("val/" + shown.name, read_text(run_ / shown.picture), shown.width,
                       shown.height, step, now());
    }
  }
  append(run_ / kSamples, samples);
}

}  // namespace janus::train
