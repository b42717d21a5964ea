// What every verb shares: flags that choose the model, wrong command lines, results on stdout,
// and the interrupt. A verb is one file with one add_…() that names its flags and returns what runs
// when it is chosen. SPDX-License-Identifier: MIT
#pragma once

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "januspro/januspro.hpp"
#include "model/checkpoint.h"

namespace janus {

// A command line that parses but makes no sense: exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What --type takes: `first`, then the types that weights are held in; of files f16 as well.
std::vector<std::string> type_names(std::vector<std::string> first, bool of_file);

// Ctrl-C and SIGTERM as a flag that long work looks at. Made before any other thread, so that all
// inherit the blocked signals. The second signal ends the program at once.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool asked() const { return asked_.load(); }
  void check() const;  // throws Code::cancelled when asked

  // For a conversation, where Ctrl-C stops only what is being done: from now on Ctrl-C alone never
  // ends the program, and forget() takes it back. SIGTERM stays as it was.
  void outlive() { outlives_ = true; }
  void forget();
  bool terminated() const { return ended_.load(); }  // by SIGTERM
  // The program is to end.
  bool ending() const { return outlives_ ? ended_.load() : asked_.load(); }
  // Can be read, for poll(), from a signal until it is forgotten.
  int fd() const { return wake_; }

 private:
  std::atomic<bool> asked_{false};
  std::atomic<bool> ended_{false};  // by SIGTERM
  std::atomic<bool> outlives_{false};
  int wake_ = -1;
  std::thread watcher_;
};

// Flags that choose and load a model, the same for every verb.
struct ModelFlags {
  std::string model;  // empty: the default one
  std::string mmproj;
  std::string device = "auto";
  std::string backend;  // empty: what the device says
  int threads = 0;
  bool verbose = false;
  std::string type = "auto";
  std::string cache = "auto";
  std::string isa;
  bool round_rope = false;
  int64_t memory = 0;              // bytes; 0: what is free
  int ahead = 0;                   // as EngineOptions::ahead
  std::vector<std::string> loras;  // each DIR[:SCALE]
  std::string edit_layout = "auto";

  void add_to(CLI::App& app);  // all of them, in three groups
  void add_model(CLI::App& app);
  void add_backend(CLI::App& app);
  void add_types(CLI::App& app);
  void add_verbose(CLI::App& app);
  void add_storage(CLI::App& app);  // of these, those that decide how much memory is taken
  void add_memory(CLI::App& app);   // for verbs that run an Engine
  void add_ahead(CLI::App& app);    // … and give it requests
  void add_lora(CLI::App& app);     // … of what people make with it
  void add_edit_layout(CLI::App& app);
  std::string backend_name() const;  // throws Code::not_supported for cuda
  std::filesystem::path path() const { return find_model(model); }
  Checkpoint checkpoint() const { return Checkpoint(path(), mmproj); }
  EngineOptions options(const Interrupt& interrupt, bool quiet) const;
  // Where --verbose was given: what was loaded, how it computes, and how long loading took.
  void tell_loaded(const ModelInfo& info, double seconds) const;
  // What a result says it was made by: `org/name@commit` of a pulled model, else its folder's name.
  std::string shown_name(const ModelInfo& info) const;

  // `given`, else $JANUSPRO_MODEL, each a directory or the name of a pulled model (hub_options.h);
  // else the model that ships with the program: beside the executable, in share/januspro, in the
  // source tree. Throws Code::bad_input with the places.
  static std::filesystem::path find_model(const std::string& given);
};

// Sampling flags, the same for drawing and answering.
struct SamplingFlags {
  double temperature = 1;
  int top_k = 0;
  double top_p = 1;
  bool greedy = false;
  std::optional<uint64_t> seed;

  void add_to(CLI::App& app);
  // The given seed, or a random one, which is then said on stderr unless `quiet`.
  uint64_t choose_seed(bool quiet) const;
};

// Digits alone: CLI11 would read "-3" as a huge seed.
CLI::Validator whole_number();

// "6G", "1.5 GiB", "800MB" -> bytes.
CLI::Validator size_in_bytes();

// Writes all of it. Throws Code::device_failure with `name` and the reason.
void write_all(int fd, std::string_view bytes, const char* name);
// Writes to stdout at once. Throws Code::device_failure naming the reason (closed pipe, full disk).
void print(std::string_view bytes);
double seconds_since(std::chrono::steady_clock::time_point start);

// An object as one line of JSON. Names of files need not be UTF-8: what is not becomes U+FFFD.
std::string json_line(const nlohmann::ordered_json& object);
// A result: written beside `path` and renamed; a device or pipe is written to directly.
void save_result(const std::filesystem::path& path, std::span<const std::byte> bytes);
// Throws when a result could not go to `path`: found out before minutes are spent on it.
void check_output(const std::filesystem::path& path);
// A line on stderr, after taking any progress bar away.
void say(const std::string& line);
// $VARIABLE/januspro, else ~/BELOW_HOME/januspro; empty where neither variable is set. (XDG base
// directories)
std::filesystem::path user_folder(const char* variable, const char* below_home);

using Run = std::function<void()>;
Run add_draw(CLI::App& app, const Interrupt& interrupt);
Run add_edit(CLI::App& app, const Interrupt& interrupt);
Run add_ask(CLI::App& app, const Interrupt& interrupt);
Run add_chat(CLI::App& app, Interrupt& interrupt);
Run add_info(CLI::App& app, const Interrupt& interrupt);
Run add_trace(CLI::App& app, const Interrupt& interrupt);
Run add_convert(CLI::App& app, const Interrupt& interrupt);
Run add_random_model(CLI::App& app, const Interrupt& interrupt);
Run add_bench(CLI::App& app, const Interrupt& interrupt);
Run add_pull(CLI::App& app, const Interrupt& interrupt);
Run add_list(CLI::App& app, const Interrupt& interrupt);
Run add_rm(CLI::App& app, const Interrupt& interrupt);
Run add_eval(CLI::App& app, const Interrupt& interrupt);
Run add_doctor(CLI::App& app, const Interrupt& interrupt);
Run add_completion(CLI::App& app, const Interrupt& interrupt);
Run add_serve(CLI::App& app, const Interrupt& interrupt);
Run add_manual(CLI::App& app, const Interrupt& interrupt);

}  // namespace janus
