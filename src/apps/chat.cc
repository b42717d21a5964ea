// `januspro chat`: a conversation in the terminal or from a script, with pictures that are read and
// drawn in it. Lines are read by line_reader.h; what was said is transcript.h.
// SPDX-License-Identifier: MIT
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <random>

#include "apps/answer.h"
#include "apps/command.h"
#include "apps/drawing.h"
#include "apps/line_reader.h"
#include "apps/progress.h"
#include "apps/recipe.h"
#include "apps/transcript.h"
#include "base/error.h"

namespace janus {

namespace {

using Clock = std::chrono::steady_clock;

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(kAnswerSpace);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(kAnswerSpace) - first + 1);
}

// A path as people and terminals write it: in quotes, with backslashes before spaces, from `~/`.
std::filesystem::path path_of(std::string text) {
  const bool quoted = text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
                      text.back() == text.front();
  if (quoted) return text.substr(1, text.size() - 2);
  for (size_t at = text.find('\\'); at != std::string::npos; at = text.find('\\', at + 1)) {
    text.erase(at, 1);
  }
  const char* home = std::getenv("HOME");
  if (home && text.starts_with("~/")) return std::filesystem::path(home) / text.substr(2);
  return text;
}

// FOLDER/STEM.EXTENSION, or with a number where that is taken.
std::filesystem::path free_path(const std::filesystem::path& folder, const std::string& stem,
                                const std::string& extension) {
  std::error_code none;
  std::filesystem::path path = folder / (stem + extension);
  for (int i = 2; std::filesystem::exists(path, none); ++i) {
    path = folder / (stem + "-" + std::to_string(i) + extension);
  }
  return path;
}

struct ChatFlags {
  ModelFlags model;
  SamplingFlags sampling;
  std::vector<std::string> images;
  std::string system;
  std::vector<std::string> stop;
  int max_tokens = 512;
  std::string load;
  std::string folder;  // for drawn pictures
  bool no_preview = false;
  bool json = false;
  bool quiet = false;
};

class ChatVerb {
 public:
  ChatVerb(CLI::App& app, Interrupt& interrupt);
  void run();

 private:
  struct Command {
    const char* name;
    const char* argument;
    const char* about;
    void (ChatVerb::*run)(const std::string& argument);
  };
  static const std::vector<Command>& commands();

  void prepare();  // what the command line asks for, before the model is loaded
  void greet() const;
  void loop(LineReader& reader);
  std::string prompt() const;
  void turn(const std::string& line);
  void obey(const std::string& line);

  void ask(const std::string& text);
  void end_answer(const Answer& answer, double first) const;
  void image(const std::string& path);
  void draw(const std::string& prompt);
  void seed(const std::string& number);
  void save(const std::string& path);
  void help(const std::string&);
  void clear(const std::string&);
  void quit(const std::string&) { done_ = true; }

  std::string name() const { return flags_.model.shown_name(engine_->info()); }
  void show(std::string_view text);  // on stdout
  void note(const std::string& line) const;

  CLI::App& app_;
  Interrupt& interrupt_;
  ChatFlags flags_;
  Transcript chat_;
  std::string held_with_;  // hash of the model of a loaded conversation
  std::filesystem::path saved_;
  std::optional<uint64_t> seed_;
  std::unique_ptr<ProgressBar> bar_;
  std::optional<Engine> engine_;
  std::optional<DrawingView> view_;
  bool terminal_ = false;
  bool writing_ = false;  // and still so after stdout has failed
  bool done_ = false;
  int failed_ = 0;  // turns
};

ChatVerb::ChatVerb(CLI::App& app, Interrupt& interrupt) : app_(app), interrupt_(interrupt) {
  flags_.sampling.temperature = 0;
  app.add_option(
         "-i,--image", flags_.images,
         "A picture of the first question: PNG, JPEG, WebP, GIF or BMP; may be given several "
         "times")
      ->allow_extra_args(false);
  app.add_option("--system,--system-prompt", flags_.system,
                 "System prompt (default: the model's; empty: none)");
  app.add_option("--max-tokens,--n-predict", flags_.max_tokens, "Longest answer")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--stop", flags_.stop, "Text at which an answer ends; may be given several times")
      ->allow_extra_args(false);
  flags_.sampling.add_to(app);
  app.add_option("--load", flags_.load, "Go on with a conversation that /save has written");
  app.add_option("-o,--output", flags_.folder, "Folder for drawn pictures (default: this one)");
  app.add_flag("--no-preview", flags_.no_preview, "No pictures in the terminal while they grow");
  app.add_flag("--json", flags_.json,
               "Answers, drawn pictures and saved files as JSON, one a line");
  app.add_flag("--quiet", flags_.quiet, "No progress, no notes on stderr");
  flags_.model.add_verbose(app);
  flags_.model.add_to(app);
  flags_.model.add_memory(app);
  flags_.model.add_ahead(app);
  flags_.model.add_lora(app);
  app.footer(
      "Example:\n  januspro chat -i photo.jpg\n"
      "then type questions, or /draw a red ball and ask about that; /help lists the commands.\n"
      "From a pipe, each line is a turn:\n"
      "  printf '%s\\n' '/draw a red ball' 'What colour is it?' | januspro chat");
}

const std::vector<ChatVerb::Command>& ChatVerb::commands() {
  static const std::vector<Command> list = {
      {"/image", "PATH", "Show a picture with the next question", &ChatVerb::image},
      {"/draw", "PROMPT", "Draw a picture; the next question is about it", &ChatVerb::draw},
      {"/seed", "N", "Seed of drawings and sampled answers; without N: random", &ChatVerb::seed},
      {"/save", "[PATH]", "Write the conversation as JSON, for --load", &ChatVerb::save},
      {"/clear", "", "Begin a new conversation", &ChatVerb::clear},
      {"/help", "", "List the commands", &ChatVerb::help},
      {"/quit", "", "End; so does Ctrl-D", &ChatVerb::quit},
  };
  return list;
}

void ChatVerb::show(std::string_view text) {
  writing_ = true;
  print(text);
  writing_ = false;
}

void ChatVerb::note(const std::string& line) const {
  if (!flags_.quiet) say(line);
}

void ChatVerb::help(const std::string&) {
  std::string text;
  for (const Command& command : commands()) {
    char line[120];
    const std::string usage = std::string(command.name) + " " + command.argument;
    std::snprintf(line, sizeof line, "%-14s %s\n", usage.c_str(), command.about);
    text += line;
  }
  text +=
      "Anything else is a question; one that begins with / has a space before it.\n"
      "Ctrl-C stops an answer or a drawing and leaves the conversation as it is.\n";
  flags_.json ? say(text) : show(text);
}

void ChatVerb::image(const std::string& text) {
  check(!text.empty(), Code::bad_input, "/image wants the path of a picture: /image photo.jpg");
  const std::filesystem::path path = path_of(text);
  Image picture = load_picture(path);
  const std::string size = std::to_string(picture.width) + " x " + std::to_string(picture.height);
  chat_.add_picture(path, std::move(picture));
  note("picture " + std::to_string(chat_.pictures()) + ": " + path.string() + ", " + size);
}

void ChatVerb::draw(const std::string& prompt) {
  check(!prompt.empty(), Code::bad_input, "/draw wants a prompt: /draw a red ball");
  Recipe recipe;
  recipe.prompt = prompt;
  recipe.seed = seed_ ? *seed_ : std::random_device()();
  recipe.guidance = engine_->info().guidance;
  recipe.drawn_by(name(), engine_->info(), flags_.model.round_rope);
  if (!seed_) note("seed " + std::to_string(recipe.seed));
  const auto path = free_path(flags_.folder, "januspro-" + std::to_string(recipe.seed), ".png");
  check_output(path);
  DrawEvents events;
  events.on_step = [&](const Progress& progress) { return view_->on_step(progress); };
  view_->prepare();
  const Clock::time_point start = Clock::now();
  std::vector<Picture> pictures = engine_->draw(recipe.request(), events);
  bar_->clear();
  save_result(path, encode_picture(pictures[0].image, recipe.as_text()));
  chat_.add_picture(path, std::move(pictures[0].image));
  nlohmann::ordered_json line{{"path", path.string()}};
  line.update(recipe.to_json());
  line["seconds"] = seconds_since(start);
  show(flags_.json ? json_line(line) : path.string() + "\n");
  note("picture " + std::to_string(chat_.pictures()) + "; the next question is about it");
}

void ChatVerb::seed(const std::string& number) {
  if (number.empty()) {
    seed_.reset();
    chat_.request.seed = std::random_device()();
    return note("random seeds");
  }
  uint64_t value = 0;
  const char* end = number.data() + number.size();
  const auto [stopped, error] = std::from_chars(number.data(), end, value);
  check(error == std::errc() && stopped == end, Code::bad_input,
        "/seed wants a whole number below ", "2^64, not \"", number, "\"");
  seed_ = value;
  chat_.request.seed = value;
}

void ChatVerb::save(const std::string& text) {
  std::filesystem::path path = text.empty() ? saved_ : path_of(text);
  if (path.empty()) path = free_path({}, "januspro-chat", ".json");
  check(path.extension() == ".json", Code::bad_input, path.string(),
        ": a conversation is written as JSON; name it .json");
  check_output(path);
  chat_.save(path, name(), engine_->info());
  saved_ = path;
  show(flags_.json ? json_line({{"saved", path.string()}}) : path.string() + "\n");
}

void ChatVerb::clear(const std::string&) {
  chat_.clear();
  note("a new conversation");
}

// `first`: seconds until the answer began.
void ChatVerb::end_answer(const Answer& answer, double first) const {
  const int64_t context = engine_->info().context;
  const int64_t used = answer.prompt_tokens + answer.answer_tokens;
  if (flags_.model.verbose && !flags_.quiet) {
    char line[200];
    std::snprintf(
        line, sizeof line,
        "tokens: %lld of the prompt (%lld as before), %lld of the answer, of %lld; began "
        "after %.3f s",
        static_cast<long long>(answer.prompt_tokens), static_cast<long long>(answer.cached_tokens),
        static_cast<long long>(answer.answer_tokens), static_cast<long long>(context), first);
    say(line);
  }
  if (answer.finish != Answer::Finish::length) return;
  if (used < context) return note("cut at --max-tokens " + std::to_string(flags_.max_tokens));
  note("the model's context of " + std::to_string(context) +
       " tokens is full; /clear begins a new conversation");
}

void ChatVerb::ask(const std::string& text) {
  chat_.question(text);
  AnswerStream stream;
  std::string said;
  std::optional<double> first;
  const Clock::time_point start = Clock::now();
  const auto on_text = [&](std::string_view piece) {
    if (piece.empty()) return !interrupt_.asked();
    if (!first) first = seconds_since(start);
    said += piece;
    writing_ = true;
    if (!flags_.json) stream.push(piece);
    writing_ = false;
    return !interrupt_.asked();
  };
  Answer answer;
  try {
    answer = engine_->ask(chat_.request, on_text);
  } catch (const Error& error) {
    if (writing_) throw;
    const bool spoke = !trimmed(said).empty();
    if (spoke && !flags_.json) show("\n");
    // What a stopped answer had said is part of the conversation: it was read.
    if (spoke && error.code() == Code::cancelled) {
      chat_.answer(said);
    } else {
      chat_.take_back();
    }
    if (error.code() != Code::bad_input || chat_.turns() + chat_.waiting() == 0) throw;
    fail(Code::bad_input, error.what(),
         "\nThe conversation is as it was before this question; /clear begins a new one.");
  } catch (...) {
    chat_.take_back();
    throw;
  }
  const double spent = seconds_since(start);
  chat_.answer(answer.text);
  show(flags_.json ? json_line(answer_json(answer, chat_.request, name(), spent)) : "\n");
  end_answer(answer, first.value_or(spent));
}

void ChatVerb::obey(const std::string& line) {
  const size_t space = std::min(line.find_first_of(" \t"), line.size());
  const std::string name = line.substr(0, space);
  for (const Command& command : commands()) {
    if (name == command.name) return (this->*command.run)(trimmed(line.substr(space)));
  }
  fail(Code::bad_input, "no command ", name,
       "; /help lists them (a question that begins with / has a space before it)");
}

// One line; what fails ends the turn and not the conversation.
void ChatVerb::turn(const std::string& line) {
  try {
    if (line.starts_with("/")) {
      obey(line);
    } else if (!trimmed(line).empty()) {
      ask(line);
    }
  } catch (const Error& error) {
    bar_->clear();
    if (writing_ || interrupt_.ending()) throw;
    ++failed_;
    if (error.code() != Code::cancelled) return say(std::string("januspro: ") + error.what());
    interrupt_.forget();
    note("stopped");
  } catch (const std::bad_alloc&) {
    bar_->clear();
    ++failed_;
    say("januspro: out of memory; /clear begins a new conversation, which needs less");
  }
}

void ChatVerb::prepare() {
  chat_.request.max_tokens = flags_.max_tokens;
  chat_.request.temperature =
      flags_.sampling.greedy ? 0 : static_cast<float>(flags_.sampling.temperature);
  chat_.request.top_k = flags_.sampling.top_k;
  chat_.request.top_p = static_cast<float>(flags_.sampling.top_p);
  chat_.request.stop = flags_.stop;
  seed_ = flags_.sampling.seed;
  if (!flags_.load.empty()) {
    held_with_ = chat_.load(flags_.load);
    saved_ = flags_.load;
  }
  if (app_.count("--system") > 0) chat_.request.system = flags_.system;
  if (!flags_.folder.empty()) check_output(std::filesystem::path(flags_.folder) / "picture.png");
  for (const std::string& path : flags_.images) chat_.add_picture(path, load_picture(path));
  if (chat_.request.temperature > 0) {
    chat_.request.seed = flags_.sampling.choose_seed(flags_.quiet);
  }
}

void ChatVerb::greet() const {
  const ModelInfo& info = engine_->info();
  if (!held_with_.empty() && held_with_ != info.hash) {
    note("warning: " + flags_.load + " was held with another model than " + name());
  }
  if (!terminal_) return;
  note("Chat with " + name() + ". /help lists the commands, Ctrl-D ends.");
  if (chat_.turns() > 0) note(std::to_string(chat_.turns()) + " turns were loaded.");
}

std::string ChatVerb::prompt() const {
  const size_t count = chat_.waiting();
  if (count == 0) return "> ";
  return "(" + std::to_string(count) + (count == 1 ? " picture) > " : " pictures) > ");
}

void ChatVerb::loop(LineReader& reader) {
  while (!done_) {
    const LineReader::Line line = reader.read(prompt());
    if (line.kind == LineReader::Kind::end) return;
    if (line.kind == LineReader::Kind::line) {
      turn(line.text);
    } else if (interrupt_.ending()) {
      interrupt_.check();
    } else {
      interrupt_.forget();
    }
  }
}

void ChatVerb::run() {
  prepare();
  bar_ = std::make_unique<ProgressBar>(flags_.quiet);
  engine_ = load_engine(flags_.model.options(interrupt_, flags_.quiet), flags_.model, flags_.quiet,
                        interrupt_, *bar_);
  view_.emplace(*engine_, interrupt_, *bar_, !flags_.no_preview);
  const auto folder = user_folder("XDG_STATE_HOME", ".local/state");
  LineReader reader(interrupt_, folder.empty() ? folder : folder / "chat_history");
  terminal_ = reader.is_terminal();
  if (terminal_) interrupt_.outlive();
  greet();
  loop(reader);
  check(terminal_ || failed_ == 0, Code::bad_input, failed_, failed_ == 1 ? " turn" : " turns",
        " failed; the messages above say why");
}

}  // namespace

Run add_chat(CLI::App& app, Interrupt& interrupt) {
  const auto verb = std::make_shared<ChatVerb>(app, interrupt);
  return [verb] { verb->run(); };
}

}  // namespace janus
