// See program.h. SPDX-License-Identifier: MIT
#include "program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace janus {

namespace {

constexpr auto kPatience = std::chrono::seconds(120);

// What the child does between fork and exec.
[[noreturn]] void become(const std::vector<std::string>& arguments, const Setting& setting, int in,
                         int out, int err) {
  for (const char* name :
       {"JANUSPRO_MODEL", "XDG_CACHE_HOME", "XDG_STATE_HOME", "HF_HOME", "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN",
        "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_IMPLICIT_TOKEN",
        "HF_HUB_DOWNLOAD_TIMEOUT"}) {
    unsetenv(name);
  }
  for (const auto& [name, value] : setting.environment) setenv(name.c_str(), value.c_str(), 1);
  if (!setting.out.empty()) out = open(setting.out.c_str(), O_WRONLY | O_CREAT, 0644);
  dup2(out, STDOUT_FILENO);
  if (!setting.terminal) dup2(err, STDERR_FILENO);
  if (!setting.terminal && !setting.input.empty()) dup2(in, STDIN_FILENO);
  std::vector<char*> argv{const_cast<char*>("januspro")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execv(setting.program.c_str(), argv.data());
  _exit(127);
}

// Reads until the end; false when there is no more.
bool drain(int fd, std::string& text) {
  char buffer[65536];
  const ssize_t count = read(fd, buffer, sizeof buffer);
  if (count <= 0) return false;  // a terminal whose program has gone gives an error
  text.append(buffer, static_cast<size_t>(count));
  return true;
}

// Hands the program its input, each piece when its time has come.
class Typist {
 public:
  Typist(const std::vector<Input>& input, int fd) : input_(input), fd_(fd) {}

  // False once all of it was given.
  bool go_on(const Outcome& shown) {
    for (; next_ < input_.size(); ++next_) {
      const auto& [after, text] = input_[next_];
      if (!pass(after, shown.err, err_) && !pass(after, shown.out, out_)) return true;
      const ssize_t taken = write(fd_, text.data(), text.size());
      if (taken < 0 && errno == EPIPE) return false;  // the program has ended and will say why
      EXPECT_EQ(taken, static_cast<ssize_t>(text.size())) << text;
    }
    return false;
  }

 private:
  static bool pass(const std::string& after, const std::string& shown, size_t& seen) {
    const size_t at = shown.find(after, seen);
    if (at == std::string::npos) return false;
    seen = at + after.size();
    return true;
  }

  const std::vector<Input>& input_;
  int fd_;
  size_t next_ = 0;
  size_t out_ = 0, err_ = 0;  // how far what was waited for reaches
};

int wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Outcome run_program(const std::vector<std::string>& arguments, const Setting& setting) {
  int in[2], out[2], err[2];
  EXPECT_EQ(pipe2(in, O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(err, O_CLOEXEC), 0);
  signal(SIGPIPE, SIG_IGN);  // a program that ends before its input does is no end of the tests
  int terminal = -1;
  const winsize size{50, 120, 0, 0};
  const pid_t child = setting.terminal ? forkpty(&terminal, nullptr, nullptr, &size) : fork();
  if (child == 0) become(arguments, setting, in[0], out[1], err[1]);
  close(in[0]);
  close(out[1]);
  close(err[1]);
  if (setting.close_out) close(out[0]);

  Outcome outcome;
  pollfd sources[2] = {{setting.close_out ? -1 : out[0], POLLIN, 0},
                       {setting.terminal ? terminal : err[0], POLLIN, 0}};
  std::string* texts[2] = {&outcome.out, &outcome.err};
  const auto start = std::chrono::steady_clock::now();
  bool signalled = setting.signal == 0;
  Typist typist(setting.input, setting.terminal ? terminal : in[1]);
  bool typing = true;
  while (sources[0].fd >= 0 || sources[1].fd >= 0) {
    poll(sources, 2, 5);
    for (int i = 0; i < 2; ++i) {
      if (sources[i].fd >= 0 && sources[i].revents && !drain(sources[i].fd, *texts[i])) {
        sources[i].fd = -1;
      }
    }
    if (typing && !typist.go_on(outcome)) {
      typing = false;
      close(in[1]);
    }
    if (!signalled && setting.until()) {
      kill(child, setting.signal);
      signalled = true;
    }
    if (std::chrono::steady_clock::now() - start > kPatience) {
      ADD_FAILURE() << "the program did not end";
      kill(child, SIGKILL);
      break;
    }
  }
  outcome.code = wait_for(child);
  if (typing) close(in[1]);
  if (!setting.close_out) close(out[0]);
  close(err[0]);
  if (terminal >= 0) close(terminal);
  return outcome;
}

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "januspro-test-XXXXXX").string();
  EXPECT_NE(mkdtemp(name.data()), nullptr);
  path_ = name;
}

Folder::~Folder() {
  std::error_code none;
  std::filesystem::remove_all(path_, none);
}

std::vector<std::string> Folder::names() const {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    found.push_back(entry.path().filename().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string golden(const std::string& name) {
  return std::string(JANUSPRO_SOURCE_DIR) + "/tests/golden/" + name;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace janus
