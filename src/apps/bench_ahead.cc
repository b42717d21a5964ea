// See bench_ahead.h. SPDX-License-Identifier: MIT
#include "apps/bench_ahead.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "base/error.h"

namespace janus {

namespace {

constexpr const char* kPrompts[] = {"a red ball",    "a blue star",    "a yellow fish",
                                    "a green tree",  "a purple heart", "an orange car",
                                    "a pink flower", "a white cloud"};

}  // namespace

AheadResult measure_ahead(const Drawing& drawing, std::vector<std::vector<int32_t>>& expected,
                          const std::function<bool()>& wanted) {
  using Clock = std::chrono::steady_clock;
  AheadResult result{.codes = drawing.model.config().image_tokens(), .gained = {}};
  const bool first = expected.empty();
  std::vector<DrawRequest> requests;
  for (const char* prompt : kPrompts) {
    requests.push_back({.prompt = prompt, .seed = requests.size()});
  }
  int64_t before = 0, passes = 0;
  Clock::time_point since;
  const auto on_step = [&](const Progress& progress) {
    const auto now = Clock::now();
    // A picture's first code is the prompt's.
    if (progress.phase == Progress::Phase::codes && progress.done % result.codes != 1) {
      const auto gained = static_cast<size_t>(progress.done - before);
      result.gained.resize(std::max(result.gained.size(), gained));
      ++result.gained[gained - 1];
      ++passes;
      result.seconds += std::chrono::duration<double>(now - since).count();
    }
    before = progress.done;
    since = now;
    return wanted();
  };
  const auto on_picture = [&](const Picture& picture) {
    if (first) expected.push_back(picture.codes);
    const auto number = static_cast<size_t>(picture.request);
    check(picture.codes == expected[number], Code::bug, "a window of ", drawing.ahead,
          " draws other codes of \"", requests[number].prompt, "\"");
    since = Clock::now();
  };
  draw(drawing, requests, on_picture, on_step);
  const auto pictures = static_cast<double>(requests.size());
  result.passes = static_cast<double>(passes) / pictures;
  result.seconds /= pictures;
  return result;
}

std::string ahead_line(const AheadResult& result, int window, double plain, bool json) {
  if (json) {
    const nlohmann::ordered_json values{{"work", "ahead"},           {"window", window},
                                        {"codes", result.codes},     {"passes", result.passes},
                                        {"seconds", result.seconds}, {"gained", result.gained}};
    return json_line(values);
  }
  char text[120];
  std::snprintf(text, sizeof text,
                "ahead, window %3s: %6.1f passes for %lld codes, %8.1f ms a picture, %.2f x\n",
                window == 0 ? "any" : std::to_string(window).c_str(), result.passes,
                static_cast<long long>(result.codes), result.seconds * 1e3, plain / result.seconds);
  return text;
}

}  // namespace janus
