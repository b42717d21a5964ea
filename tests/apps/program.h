// Runs the program as a user would, for tests of its manners. SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace janus {

struct Outcome {
  int code = -1;  // exit code; 128 + signal when killed
  std::string out;
  std::string err;
};

// What is typed, or comes through a pipe.
struct Input {
  std::string after = {};  // shown by the program behind what the input before waited for
  std::string text = {};
};

struct Setting {
  std::string program = JANUSPRO_PROGRAM;
  std::map<std::string, std::string> environment = {};
  std::string out = {};    // file that takes stdout; empty: captured
  bool close_out = false;  // stdout is a pipe that nobody reads
  bool terminal = false;   // stderr (and stdin) is a terminal; what it shows comes as `err`
  // On the terminal, else on stdin, which ends after the last.
  std::vector<Input> input = {};
  int signal = 0;                    // sent once `until` says so
  std::function<bool()> until = {};  // asked every 5 ms
};

// JANUSPRO_MODEL, XDG_CACHE_HOME, XDG_STATE_HOME and the variables of the Hub are unset unless
// given.
Outcome run_program(const std::vector<std::string>& arguments, const Setting& setting = {});

// A folder of this test's own, removed afterwards.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path path() const { return path_; }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::vector<std::string> names() const;  // sorted

 private:
  std::filesystem::path path_;
};

std::string golden(const std::string& name);
std::string read_file(const std::string& path);
std::vector<std::string> lines_of(const std::string& text);

}  // namespace janus
