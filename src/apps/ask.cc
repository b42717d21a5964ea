// `januspro ask`: pictures and a question -> an answer, streamed. SPDX-License-Identifier: MIT
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/progress.h"
#include "base/error.h"

namespace janus {

namespace {

const char* finish_name(Answer::Finish finish) {
  switch (finish) {
    case Answer::Finish::end:
      return "end";
    case Answer::Finish::stop:
      return "stop";
    case Answer::Finish::length:
      return "length";
  }
  return "?";
}

class AskVerb {
 public:
  AskVerb(CLI::App& app, const Interrupt& interrupt);
  void run();

 private:
  AskRequest request() const;

  CLI::App& app_;
  const Interrupt& interrupt_;
  ModelFlags model_;
  SamplingFlags sampling_;
  std::vector<std::string> images_;
  std::vector<std::string> texts_;  // the question, and before it images given after one -i
  std::string system_;
  std::vector<std::string> stop_;
  int max_tokens_ = 512;
  bool json_ = false;
  bool quiet_ = false;
};

AskVerb::AskVerb(CLI::App& app, const Interrupt& interrupt) : app_(app), interrupt_(interrupt) {
  sampling_.temperature = 0;
  app.add_option("-i,--image", images_, "A picture, PNG or JPEG; may be given several times")
      ->allow_extra_args(false);
  app.add_option("QUESTION", texts_, "The question; `<image_placeholder>` marks a picture's place")
      ->required();
  app.add_option("--system", system_, "System prompt (default: the model's; empty: none)");
  app.add_option("--max-tokens", max_tokens_, "Longest answer")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--stop", stop_, "Text at which the answer ends; may be given several times")
      ->allow_extra_args(false);
  sampling_.add_to(app);
  app.add_flag("--json", json_, "One JSON object on stdout, at the end");
  app.add_flag("--quiet", quiet_, "No notes on stderr");
  model_.add_to(app);
  app.footer("Example:\n  januspro ask -i photo.jpg 'What is in the picture?'");
}

AskRequest AskVerb::request() const {
  ChatMessage message;
  message.text = texts_.back();
  std::vector<std::string> paths = images_;
  paths.insert(paths.end(), texts_.begin(), texts_.end() - 1);
  for (const std::string& path : paths) message.images.push_back(load_picture(path));
  AskRequest request;
  request.messages.push_back(std::move(message));
  if (app_.count("--system") > 0) request.system = system_;
  request.max_tokens = max_tokens_;
  request.temperature = sampling_.greedy ? 0 : static_cast<float>(sampling_.temperature);
  request.top_k = sampling_.top_k;
  request.top_p = static_cast<float>(sampling_.top_p);
  request.stop = stop_;
  return request;
}

void AskVerb::run() {
  if (texts_.size() > 1 && images_.empty()) {
    throw UsageError("ask: one question is expected; put it in quotes, and -i before pictures");
  }
  AskRequest asked = request();
  if (asked.temperature > 0) asked.seed = sampling_.choose_seed(quiet_);
  ProgressBar bar(quiet_);
  EngineOptions options = model_.options(interrupt_, quiet_);
  options.on_load = [&](double fraction) {
    if (bar.due()) bar.show("loading", static_cast<int64_t>(fraction * 100), 100, "%");
    return !interrupt_.asked();
  };
  Engine engine = Engine::load(options);
  bar.clear();
  const auto started = std::chrono::steady_clock::now();
  AnswerStream stream;
  const Answer answer = engine.ask(asked, [&](std::string_view piece) {
    if (!json_) stream.push(piece);
    return !interrupt_.asked();
  });
  const auto spent = std::chrono::steady_clock::now() - started;
  if (!json_) return print("\n");
  nlohmann::ordered_json line{{"text", answer.text},
                              {"finish", finish_name(answer.finish)},
                              {"prompt_tokens", answer.prompt_tokens},
                              {"cached_tokens", answer.cached_tokens},
                              {"answer_tokens", answer.answer_tokens}};
  if (asked.temperature > 0) line["seed"] = asked.seed;
  line["model"] = engine.info().name;
  line["seconds"] = std::chrono::duration<double>(spent).count();
  print(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace

Run add_ask(CLI::App& app, const Interrupt& interrupt) {
  const auto verb = std::make_shared<AskVerb>(app, interrupt);
  return [verb] { verb->run(); };
}

}  // namespace janus
