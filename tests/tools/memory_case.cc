// One load and one work, what was told of its memory, and what it then took at its peak: a line of
// JSON. Each case is a process of its own, since a peak is never taken back.
//   memory_case model=DIR work=draw|edit|ask|both [halves=] [type=] [kv=] [images=N] [at_once=N]
//               [words=N] [answer=N] [steps=N]
// `words`: of the prompt; `steps`: drawing ends after so many codes of each picture.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>

#include "januspro/januspro.hpp"

namespace {

int64_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  }
  return 0;
}

class Case {
 public:
  explicit Case(std::map<std::string, std::string> settings) : settings_(std::move(settings)) {}

  std::string text(const std::string& key, const std::string& otherwise) const {
    const auto found = settings_.find(key);
    return found == settings_.end() ? otherwise : found->second;
  }
  int number(const std::string& key, int otherwise) const {
    return std::stoi(text(key, std::to_string(otherwise)));
  }
  std::string words() const {
    std::string prompt = "a red ball";
    for (int i = 3; i < number("words", 3); ++i) prompt += " red";
    return prompt;
  }

  janus::EngineOptions options() const {
    janus::EngineOptions options;
    options.checkpoint = text("model", "");
    options.halves = text("halves", "auto");
    options.weights = text("type", "auto");
    options.cache = text("kv", "auto");
    options.threads = number("threads", 0);
    options.pictures_at_once = number("at_once", 8);
    return options;
  }

  janus::MemoryPlan draw(janus::Engine& engine) const {
    const janus::DrawRequest request{.prompt = words(), .images = number("images", 1), .seed = 1};
    const janus::MemoryPlan plan = engine.plan(request);
    until_enough([&](const janus::DrawEvents& events) { engine.draw(request, events); });
    return plan;
  }

  janus::MemoryPlan edit(janus::Engine& engine) const {
    janus::EditRequest request;
    request.drawing = {.prompt = words(), .images = number("images", 1), .seed = 1};
    request.image = grey(engine.info().image);
    request.keep = .9f;
    const janus::MemoryPlan plan = engine.plan(request);
    until_enough([&](const janus::DrawEvents& events) { engine.edit(request, events); });
    return plan;
  }

  janus::MemoryPlan ask(janus::Engine& engine) const {
    janus::ChatMessage message{.role = "user", .text = words(), .images = {}};
    message.images.assign(static_cast<size_t>(number("images", 1)),
                          grey(engine.info().vision_image));
    janus::AskRequest request;
    request.messages.push_back(std::move(message));
    request.max_tokens = number("answer", 16);
    const janus::MemoryPlan plan = engine.plan(request);
    engine.ask(request);
    return plan;
  }

 private:
  static janus::Image grey(int side) {
    janus::Image image{.width = side, .height = side, .rgb = {}};
    image.rgb.assign(static_cast<size_t>(side * side * 3), 127);
    return image;
  }

  template <class Work>
  void until_enough(const Work& work) const {
    janus::DrawEvents events;
    const int64_t most = int64_t{number("steps", 0)} * number("images", 1);
    events.on_step = [&](const janus::Progress& progress) {
      return most == 0 || progress.done < most;
    };
    try {
      work(events);
    } catch (const janus::Error& error) {
      if (error.code() != janus::Code::cancelled) throw;
    }
  }

  std::map<std::string, std::string> settings_;
};

void run(const Case& asked) {
  janus::Engine engine = janus::Engine::load(asked.options());
  const std::string work = asked.text("work", "draw");
  janus::MemoryPlan plan;
  if (work == "edit") plan = asked.edit(engine);
  if (work == "ask" || work == "both") plan = asked.ask(engine);
  if (work == "draw" || work == "both") {
    const janus::MemoryPlan drawing = asked.draw(engine);
    if (drawing.total() > plan.total()) plan = drawing;
  }
  const int64_t peak = peak_bytes();
  std::printf(
      "{\"program\":%lld,\"weights\":%lld,\"cache\":%lld,\"scratch\":%lld,\"pictures\":%lld,"
      "\"at_once\":%d,\"told\":%lld,\"peak\":%lld,\"ratio\":%.3f}\n",
      static_cast<long long>(plan.program), static_cast<long long>(plan.weights),
      static_cast<long long>(plan.cache), static_cast<long long>(plan.scratch),
      static_cast<long long>(plan.pictures), plan.pictures_at_once,
      static_cast<long long>(plan.total()), static_cast<long long>(peak),
      static_cast<double>(plan.total()) / static_cast<double>(peak));
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> settings;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const size_t at = word.find('=');
    settings[word.substr(0, at)] = at == std::string::npos ? "" : word.substr(at + 1);
  }
  try {
    run(Case(std::move(settings)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "memory_case: %s\n", error.what());
    return 1;
  }
  return 0;
}
