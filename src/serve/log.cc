// SPDX-License-Identifier: MIT
#include "serve/log.h"

#include <chrono>
#include <cmath>
#include <ctime>

#include "serve/fields.h"
#include "serve/options.h"

namespace janus::serve {

namespace {

std::string time_text() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto part =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::string thousandths = std::to_string(part);
  return std::string(text) + "." + std::string(3 - thousandths.size(), '0') + thousandths + "Z";
}

// A line is a line, whatever a client sends.
std::string one_line(const std::string& text) {
  std::string out;
  for (const char c : text.substr(0, 256)) {
    out += static_cast<unsigned char>(c) < ' ' || c == 127 ? '?' : c;
  }
  return out;
}

}  // namespace

void Log::request(const Outcome& outcome, const std::string& route) {
  const double seconds = std::round(outcome.seconds * 1e6) / 1e6;
  if (json_) {
    return put(dump({{"time", time_text()},
                     {"event", "request"},
                     {"id", outcome.id},
                     {"method", one_line(outcome.method)},
                     {"route", route},
                     {"status", outcome.status},
                     {"seconds", seconds},
                     {"bytes", outcome.bytes},
                     {"peer", outcome.peer},
                     {"caller", outcome.caller},
                     {"gone", outcome.gone}}));
  }
  const std::string time = Json(std::round(outcome.seconds * 1e3) / 1e3).dump();
  put(time_text() + " " + one_line(outcome.method) + " " + route + " " +
      std::to_string(outcome.status) + " " + time + " s " + std::to_string(outcome.bytes) +
      " bytes " + outcome.id + (outcome.gone ? " (client went away)" : ""));
}

void Log::failure(const std::string& id, const std::string& reason) {
  if (json_) {
    return put(dump({{"time", time_text()},
                     {"event", "failure"},
                     {"id", id},
                     {"reason", reason.substr(0, kLongestLogLine / 2)}}));
  }
  put(time_text() + " failed: " + one_line(reason) + " " + id);
}

void Log::note(const std::string& text) { put(note_line(text)); }

std::string Log::note_line(const std::string& text) const {
  if (json_) return dump({{"time", time_text()}, {"event", "note"}, {"text", one_line(text)}});
  return time_text() + " " + one_line(text);
}

void Log::put(std::string line) {
  if (line.size() > kLongestLogLine) line.resize(kLongestLogLine);
  if (!sink_(line)) {
    ++lost_;
    ++untold_;
    return;
  }
  const int64_t untold = untold_.exchange(0);
  if (untold == 0) return;
  const std::string lines = std::to_string(untold) + (untold == 1 ? " line" : " lines");
  if (!sink_(note_line(lines + " before this one were lost: nobody took them"))) untold_ += untold;
}

}  // namespace janus::serve
