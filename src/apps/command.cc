// See command.h. SPDX-License-Identifier: MIT
#include "apps/command.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "apps/hub_options.h"
#include "base/error.h"
#include "base/free_memory.h"
#include "hub/cache.h"
#include "model/storage.h"

namespace janus {

namespace {

constexpr int kInterrupted = 130;

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGUSR2);  // ours: the watcher may go
  return set;
}

}  // namespace

void write_all(int fd, std::string_view bytes, const char* name) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    check(written >= 0, Code::device_failure, name, ": cannot write: ", std::strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

Interrupt::Interrupt() {
  ::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of write()
  const sigset_t set = watched_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  janus::check(wake_ >= 0, Code::device_failure, "no event descriptor: ", std::strerror(errno));
  watcher_ = std::thread([this, set] {
    for (int signal = 0; sigwait(&set, &signal) == 0 && signal != SIGUSR2;) {
      if (ending()) _exit(kInterrupted);
      if (signal == SIGTERM) ended_ = true;
      asked_ = true;
      eventfd_write(wake_, 1);
    }
  });
}

Interrupt::~Interrupt() {
  pthread_kill(watcher_.native_handle(), SIGUSR2);
  watcher_.join();
  ::close(wake_);
}

// The descriptor first: a signal that comes in between is then seen there, if not by asked().
void Interrupt::forget() {
  if (ending()) return;
  eventfd_t count = 0;
  eventfd_read(wake_, &count);
  asked_ = false;
}

void Interrupt::check() const { janus::check(!asked(), Code::cancelled, "interrupted"); }

void ModelFlags::add_to(CLI::App& app) {
  add_model(app);
  add_backend(app);
  add_types(app);
}

void ModelFlags::add_model(CLI::App& app) {
  app.add_option("-m,--model", model,
                 "Checkpoint directory or .gguf, or org/name[@revision] once pulled (default: "
                 "$JANUSPRO_MODEL, else the one that ships)");
  app.add_option("--mmproj", mmproj,
                 "Vision file to a language .gguf of llama.cpp (default: mmproj*.gguf beside it)");
}

void ModelFlags::add_backend(CLI::App& app) {
  app.add_option("--device", device, "Where to compute")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--backend", backend, "Which implementation computes")
      ->check(CLI::IsMember({"auto", "ref", "cpu", "cuda"}));
  app.add_option("-t,--threads", threads, "Threads (default: physical cores this process may use)")
      ->check(CLI::Range(1, 4096));
  app.add_option("--isa", isa, "Highest instruction set to use")
      ->check(CLI::IsMember({"base", "avx2", "avx512", "avx512vnni", "amx"}));
}

std::vector<std::string> type_names(std::vector<std::string> first, bool of_file) {
  std::vector<std::string> names = std::move(first);
  for (const Dtype type : kWeightTypes) {
    names.emplace_back(traits(type).name);
    if (of_file && type == Dtype::bf16) names.emplace_back(traits(Dtype::f16).name);
  }
  return names;
}

void ModelFlags::add_types(CLI::App& app) {
  add_storage(app);
  app.add_flag("--round-rope", round_rope,
               "Round rotary frequencies to bf16, as the official bf16 scripts do");
}

void ModelFlags::add_storage(CLI::App& app) {
  app.add_option("--type", type, "How weights are held")
      ->check(CLI::IsMember(type_names({"auto"}, false)))
      ->capture_default_str();
  app.add_option("--kv", cache, "How keys and values are held")
      ->check(CLI::IsMember({"auto", "f32", "bf16", "q8"}))
      ->capture_default_str();
}

namespace {

// "6G", "1.5 GiB", "800MB" -> bytes, in place; the empty text, or what is wrong.
std::string read_size(std::string& text) {
  constexpr std::string_view kUnits = "kmgt";
  const std::string wrong = "\"" + text + "\" is not a size, such as 6G, 1.5GiB or 800M";
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string unit(end, static_cast<const char*>(text.data() + text.size()));
  std::erase(unit, ' ');
  for (char& c : unit) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (!unit.empty() && unit.back() == 'b') unit.pop_back();
  const bool binary = unit.size() == 2 && unit.back() == 'i';
  if (binary) unit.pop_back();
  const size_t place = kUnits.find(unit);  // of an empty unit: 0
  if (error != std::errc() || unit.size() > 1 || place == kUnits.npos) return wrong;
  const size_t power = unit.empty() ? 0 : place + 1;
  const double bytes = value * std::pow(binary ? 1024 : 1000, power);
  if (!(bytes >= 1 && bytes < 1e18)) return wrong;
  text = std::to_string(static_cast<int64_t>(bytes));
  return {};
}

}  // namespace

CLI::Validator size_in_bytes() { return CLI::Validator(read_size, "SIZE"); }

void ModelFlags::add_memory(CLI::App& app) {
  app.add_option("--memory", memory,
                 "The most memory to take, as 6G or 800M (default, and never more: what is free)")
      ->transform(size_in_bytes());
}

void ModelFlags::add_ahead(CLI::App& app) {
  app.add_option("--ahead", ahead,
                 "Codes or tokens decided in one pass of the model, with the same result: 1 is one "
                 "at a time, 0 as many as prove to pay")
      ->check(CLI::Range(0, kMostAhead))
      ->capture_default_str();
}

void ModelFlags::add_lora(CLI::App& app) {
  app.add_option("--lora", loras,
                 "LoRA adapter (directory in peft's form) to add to the model, with a scale where "
                 "it is not 1: DIR[:SCALE]; again for several")
      ->allow_extra_args(false);
}

void ModelFlags::add_edit_layout(CLI::App& app) {
  app.add_option("--edit-layout", edit_layout,
                 "How the model was taught to follow instructions; auto: as its files say")
      ->check(CLI::IsMember({"auto", "und+gen", "janus4o"}))
      ->capture_default_str();
}

namespace {

// "DIR" or "DIR:SCALE"; a directory may have a colon in its name.
LoraAdapter read_lora(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || std::filesystem::exists(text)) return {text, 1};
  float scale = 0;
  const char* const end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data() + colon + 1, end, scale);
  check(error == std::errc() && read == end, Code::bad_input, "--lora ", text, ": \"",
        text.substr(colon + 1), "\" is no scale, such as 0.5, and there is no such directory");
  return {text.substr(0, colon), scale};
}

}  // namespace

void ModelFlags::add_verbose(CLI::App& app) {
  app.add_flag("-v,--verbose", verbose, "What was loaded and how long it took, on stderr");
}

void ModelFlags::tell_loaded(const ModelInfo& info, double seconds) const {
  if (!verbose) return;
  char time[32];
  std::snprintf(time, sizeof time, "%.2f", seconds);
  say("model " + shown_name(info) + " (" + path().string() + ", " + info.layout +
      "): " + std::to_string(info.parameters) + " parameters, hash " + info.hash + ", loaded in " +
      time + " s");
  say("computes by " + info.backend + " in " + std::to_string(info.threads) +
      " threads; weights in " + info.weights + ", " + size_text(info.weight_bytes) +
      "; keys and values in " + info.cache + ", " + size_text(info.cache_token_bytes) + " a token");
}

std::string ModelFlags::backend_name() const {
  const std::string name = backend.empty() ? device : backend;
  check(name != "cuda", Code::not_supported,
        "this build has no CUDA backend; use --device cpu (or leave it out)");
  return name;
}

EngineOptions ModelFlags::options(const Interrupt& interrupt, bool quiet) const {
  EngineOptions options;
  options.checkpoint = path();
  options.mmproj = mmproj;
  options.backend = backend_name();
  options.threads = threads;
  options.isa = isa;
  options.weights = type;
  options.cache = cache;
  options.round_rope = round_rope;
  options.memory = memory;
  options.ahead = ahead;
  options.edit_layout = edit_layout;
  for (const std::string& lora : loras) options.adapters.push_back(read_lora(lora));
  options.on_load = [&interrupt](double) { return !interrupt.asked(); };
  if (!quiet) options.on_warning = [](const std::string& line) { say("warning: " + line); };
  return options;
}

std::string ModelFlags::shown_name(const ModelInfo& info) const {
  return name_of_snapshot(path()).value_or(info.name);
}

std::filesystem::path ModelFlags::find_model(const std::string& given) { return model_path(given); }

namespace {

// -1 is how other programs ask for a random one.
std::optional<uint64_t> seed_of(const std::string& text) {
  if (text == "-1") return std::nullopt;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw CLI::ValidationError("--seed",
                               "\"" + text + "\" is not a whole number below 2^64, or -1");
  }
  return value;
}

}  // namespace

void SamplingFlags::add_to(CLI::App& app) {
  app.add_option("--temperature,--temp", temperature, "0: always the likeliest")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  app.add_option("--top-k", top_k, "Choose among the K likeliest; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--top-p", top_p, "Choose among the likeliest that hold this share")
      ->check(CLI::Range(1e-6, 1.0))
      ->capture_default_str();
  app.add_flag("--greedy", greedy, "The same as --temperature 0");
  app.add_option_function<std::string>(
         "-s,--seed", [this](const std::string& text) { seed = seed_of(text); },
         "Seed (default, and -1: random, and printed)")
      ->type_name("UINT");
}

CLI::Validator whole_number() {
  const auto check_digits = [](std::string& text) {
    const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
    return digits ? std::string() : "\"" + text + "\" is not a whole number";
  };
  return CLI::Validator(check_digits, "");
}

uint64_t SamplingFlags::choose_seed(bool quiet) const {
  if (seed) return *seed;
  const uint64_t chosen = std::random_device()();
  if (!quiet) say("seed " + std::to_string(chosen));
  return chosen;
}

namespace {

// A device or a pipe: renaming a file onto it would replace it.
bool is_special(const std::filesystem::path& path) {
  std::error_code none;
  const auto kind = std::filesystem::status(path, none).type();
  return kind == std::filesystem::file_type::character || kind == std::filesystem::file_type::fifo;
}

}  // namespace

void save_result(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  if (!is_special(path)) return save_file(path, bytes);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  check(fd >= 0, Code::device_failure, path.string(), ": cannot write: ", std::strerror(errno));
  const std::unique_ptr<const int, void (*)(const int*)> closing(&fd,
                                                                 [](const int* f) { ::close(*f); });
  write_all(fd, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.c_str());
}

void check_output(const std::filesystem::path& path) {
  if (is_special(path)) return;
  std::error_code none;
  check(!std::filesystem::is_directory(path, none), Code::bad_input, path.string(),
        ": is a directory; a file is to be written, give its name");
  std::filesystem::path folder = path.parent_path();
  if (folder.empty()) folder = ".";
  check(std::filesystem::is_directory(folder, none), Code::bad_input, folder.string(),
        ": no such directory; make it first, or choose another");
  check(::access(folder.c_str(), W_OK) == 0, Code::device_failure, folder.string(),
        ": cannot be written to: ", std::strerror(errno));
}

void print(std::string_view bytes) { write_all(STDOUT_FILENO, bytes, "stdout"); }

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string json_line(const nlohmann::ordered_json& object) {
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void say(const std::string& line) {
  try {
    write_all(STDERR_FILENO, line + "\n", "stderr");
  } catch (const Error&) {
    // There is nowhere left to say it.
  }
}

std::filesystem::path user_folder(const char* variable, const char* below_home) {
  if (const char* named = std::getenv(variable); named && *named) {
    return std::filesystem::path(named) / "januspro";
  }
  const char* home = std::getenv("HOME");
  if (!home || !*home) return {};
  return std::filesystem::path(home) / below_home / "januspro";
}

}  // namespace janus
