// `januspro ask`: pictures and a question -> an answer, streamed; or one question about every
// picture of a folder. SPDX-License-Identifier: MIT
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>

#include "apps/answer.h"
#include "apps/command.h"
#include "apps/drawing.h"
#include "apps/folder.h"
#include "apps/progress.h"
#include "base/error.h"

namespace janus {

namespace {

using Clock = std::chrono::steady_clock;

class AskVerb {
 public:
  AskVerb(CLI::App& app, const Interrupt& interrupt);
  void run();

 private:
  void settle_question();
  void check_use() const;
  AskRequest request() const;
  Engine load(const AskRequest& asked, ProgressBar& bar) const;
  void answer_one();
  void answer_folder();
  nlohmann::ordered_json answer_picture(Engine& engine, AskRequest& asked,
                                        const std::filesystem::path& picture) const;
  void keep(const std::filesystem::path& picture, const nlohmann::ordered_json& line,
            AnswerFile* file) const;

  CLI::App& app_;
  const Interrupt& interrupt_;
  ModelFlags model_;
  SamplingFlags sampling_;
  std::vector<std::string> images_;
  std::vector<std::string> texts_;  // the question, unless named, and images given after one -i
  std::string prompt_;              // the question by its name
  std::string question_;
  std::string folder_;
  std::string output_;
  bool recursive_ = false;
  std::string system_;
  std::vector<std::string> stop_;
  int max_tokens_ = 512;
  bool json_ = false;
  bool quiet_ = false;
};

AskVerb::AskVerb(CLI::App& app, const Interrupt& interrupt) : app_(app), interrupt_(interrupt) {
  sampling_.temperature = 0;
  app.add_option("-i,--image", images_,
                 "A picture: PNG, JPEG, WebP, GIF or BMP; may be given several times")
      ->allow_extra_args(false);
  app.add_option("--images", folder_,
                 "A folder: the question is asked about each picture in it, in the order of names");
  app.add_flag("--recursive", recursive_, "… and in the folders within it");
  app.add_option("-o,--output", output_,
                 "With --images: JSON lines are added to this file, and pictures that it answers "
                 "already are passed over");
  app.add_option("QUESTION", texts_, "The question; `<image_placeholder>` marks a picture's place");
  app.add_option("-p,--prompt", prompt_, "The question, by a name");
  app.add_option("--system,--system-prompt", system_,
                 "System prompt (default: the model's; empty: none)");
  app.add_option("--max-tokens,--n-predict", max_tokens_, "Longest answer")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--stop", stop_, "Text at which the answer ends; may be given several times")
      ->allow_extra_args(false);
  sampling_.add_to(app);
  app.add_flag("--json", json_,
               "One JSON object on stdout, at the end; with --images, one a picture");
  app.add_flag("--quiet", quiet_, "No notes on stderr");
  model_.add_verbose(app);
  model_.add_to(app);
  model_.add_memory(app);
  model_.add_ahead(app);
  model_.add_lora(app);
  app.footer(
      "Example:\n  januspro ask -i photo.jpg 'What is in the picture?'\n"
      "  januspro ask --images photos -o captions.jsonl 'Describe the picture.'");
}

AskRequest AskVerb::request() const {
  ChatMessage message;
  message.text = question_;
  std::vector<std::string> paths = images_;
  paths.insert(paths.end(), texts_.begin(), texts_.end());
  for (const std::string& path : paths) message.images.push_back(load_picture(path));
  AskRequest request;
  request.messages.push_back(std::move(message));
  if (app_.count("--system") > 0 || !system_.empty()) request.system = system_;
  request.max_tokens = max_tokens_;
  request.temperature = sampling_.greedy ? 0 : static_cast<float>(sampling_.temperature);
  request.top_k = sampling_.top_k;
  request.top_p = static_cast<float>(sampling_.top_p);
  request.stop = stop_;
  return request;
}

// From here on all that is left of texts_ is pictures.
void AskVerb::settle_question() {
  const bool named = app_.count("--prompt") > 0;
  if (named || texts_.empty()) {
    if (!named && prompt_.empty()) throw UsageError("ask: a question is missing");
    question_ = prompt_;
    return;
  }
  question_ = texts_.back();
  texts_.pop_back();
}

void AskVerb::check_use() const {
  if (!folder_.empty()) {
    if (images_.empty() && texts_.empty()) return;
    throw UsageError("ask: --images asks one question about each picture; leave -i out");
  }
  if (recursive_ || !output_.empty()) {
    throw UsageError("ask: --recursive and -o go with --images FOLDER");
  }
  if (!texts_.empty() && images_.empty()) {
    throw UsageError("ask: one question is expected; put it in quotes, and -i before pictures");
  }
}

// For a request that is known: what does not fit is refused before minutes are spent on loading.
Engine AskVerb::load(const AskRequest& asked, ProgressBar& bar) const {
  EngineOptions options = model_.options(interrupt_, quiet_);
  options.halves = "read";
  const MemoryPlan plan = Engine::plan(options, asked);
  check(plan.fits(), Code::out_of_memory, plan.refusal);
  return load_engine(std::move(options), model_, quiet_, interrupt_, bar);
}

void tell_times(const Answer& answer, double seconds) {
  char text[128];
  std::snprintf(text, sizeof text, "%lld tokens read and %lld written in %.2f s",
                static_cast<long long>(answer.prompt_tokens),
                static_cast<long long>(answer.answer_tokens), seconds);
  say(text);
}

void AskVerb::answer_one() {
  AskRequest asked = request();
  if (asked.temperature > 0) asked.seed = sampling_.choose_seed(quiet_);
  ProgressBar bar(quiet_);
  Engine engine = load(asked, bar);
  AnswerStream stream;
  const auto started = Clock::now();
  const Answer answer = engine.ask(asked, [&](std::string_view piece) {
    if (!json_) stream.push(piece);
    return !interrupt_.asked();
  });
  const double seconds = seconds_since(started);
  const std::string name = model_.shown_name(engine.info());
  print(json_ ? json_line(answer_json(answer, asked, name, seconds)) : "\n");
  if (model_.verbose && !quiet_) tell_times(answer, seconds);
}

// The line of one picture: its answer, or why it could not be read. What goes wrong in the engine
// would go wrong with every picture, and is thrown.
nlohmann::ordered_json AskVerb::answer_picture(Engine& engine, AskRequest& asked,
                                               const std::filesystem::path& picture) const {
  nlohmann::ordered_json line{{"image", shown(picture)}, {"question", question_}};
  const auto started = Clock::now();
  try {
    asked.messages.back().images = {load_picture(picture)};
  } catch (const Error& error) {
    if (error.code() == Code::bug) throw;
    line["error"] = error.what();
    return line;
  } catch (const std::bad_alloc&) {
    line["error"] = picture.string() + " takes more memory than there is; make it smaller";
    return line;
  }
  Answer answer = engine.ask(asked, [&](std::string_view) { return !interrupt_.asked(); });
  answer.text.erase(0, answer.text.find_first_not_of(kAnswerSpace));
  line.update(answer_json(answer, asked, model_.shown_name(engine.info()), seconds_since(started)));
  return line;
}

// Into the file; else to stdout, as JSON or as a name and a text of one line.
void AskVerb::keep(const std::filesystem::path& picture, const nlohmann::ordered_json& line,
                   AnswerFile* file) const {
  const bool failed = line.contains("error");
  if (failed && !quiet_) say("januspro: " + line["error"].get<std::string>());
  if (file) return file->append(line);
  if (json_) return print(json_line(line));
  if (failed) return;
  std::string text = line["text"];
  std::replace_if(
      text.begin(), text.end(), [](char c) { return kAnswerSpace.find(c) != kAnswerSpace.npos; },
      ' ');
  print(picture.string() + "\t" + text + "\n");
}

void AskVerb::answer_folder() {
  std::vector<std::filesystem::path> pictures = pictures_in(folder_, recursive_);
  std::unique_ptr<AnswerFile> file;
  if (!output_.empty()) {
    check_output(output_);
    file = std::make_unique<AnswerFile>(output_);
    const size_t answered = std::erase_if(pictures, [&](const std::filesystem::path& picture) {
      return file->answers(shown(picture), question_);
    });
    if (answered > 0 && !quiet_) {
      say(output_ + ": answers " + std::to_string(answered) + " of " +
          std::to_string(answered + pictures.size()) + " pictures already");
    }
  }
  size_t failed = 0;
  if (!pictures.empty()) {
    AskRequest asked = request();
    if (asked.temperature > 0) asked.seed = sampling_.choose_seed(quiet_);
    ProgressBar bar(quiet_);
    AskRequest planned = asked;  // a picture each, not read yet
    planned.messages.back().images = {{.width = 1, .height = 1, .rgb = {0, 0, 0}}};
    Engine engine = load(planned, bar);
    for (size_t i = 0; i < pictures.size(); ++i) {
      interrupt_.check();
      bar.show("asking", static_cast<int64_t>(i), static_cast<int64_t>(pictures.size()),
               "pictures");
      const nlohmann::ordered_json line = answer_picture(engine, asked, pictures[i]);
      bar.clear();
      keep(pictures[i], line, file.get());
      failed += line.contains("error") ? 1 : 0;
    }
  }
  if (file) print(output_ + "\n");
  check(failed == 0, Code::bad_input, failed, " of ", pictures.size(),
        " pictures could not be read; the others are answered");
}

void AskVerb::run() {
  settle_question();
  check_use();
  folder_.empty() ? answer_one() : answer_folder();
}

}  // namespace

Run add_ask(CLI::App& app, const Interrupt& interrupt) {
  const auto verb = std::make_shared<AskVerb>(app, interrupt);
  return [verb] { verb->run(); };
}

}  // namespace janus
