// See line_reader.h. Editing is libedit's (editline(3)). Its own handling of signals is left off:
// they are blocked in this program and come through Interrupt. SPDX-License-Identifier: MIT
#include "apps/line_reader.h"

#include <fcntl.h>
#include <histedit.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <exception>
#include <span>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "io/file.h"

namespace janus {

namespace {

constexpr size_t kLongestLine = 1 << 20;
constexpr int kEntries = 1000;  // of the history

enum class Woken { ready, signal, other };

// Until there is something on stdin or a signal was caught.
Woken wait_for_input(const Interrupt& interrupt) {
  if (interrupt.ending()) return Woken::signal;
  std::array<pollfd, 2> sources{{{STDIN_FILENO, POLLIN, 0}, {interrupt.fd(), POLLIN, 0}}};
  const int found = poll(sources.data(), sources.size(), -1);
  if (found < 0) {
    check(errno == EINTR, Code::device_failure, "stdin: cannot wait: ", std::strerror(errno));
    return Woken::other;
  }
  return sources[1].revents != 0 ? Woken::signal : Woken::ready;
}

bool is_dumb() {
  const char* kind = std::getenv("TERM");
  return !kind || !*kind || std::string_view(kind) == "dumb";
}

// The last entries of a history file, which is made shorter when it has grown too long. A missing
// file is an empty one.
std::vector<std::string> read_history(const std::filesystem::path& file) {
  std::error_code none;
  if (!std::filesystem::exists(file, none)) return {};
  std::vector<std::string> entries;
  std::istringstream lines(read_text(file));
  for (std::string line; std::getline(lines, line);) entries.push_back(line);
  const size_t count = entries.size();
  if (count > kEntries) entries.erase(entries.begin(), entries.end() - kEntries);
  if (count > 2 * kEntries) {
    std::string text;
    for (const std::string& entry : entries) text += entry + "\n";
    write_atomically(file, std::as_bytes(std::span(text)));
  }
  return entries;
}

// Open for adding lines, with folders that only the user can look into. -1: why is in errno.
int open_history(const std::filesystem::path& file) {
  std::error_code none;
  const auto folder = file.parent_path();
  std::filesystem::create_directories(folder.parent_path(), none);
  if (std::filesystem::create_directory(folder, none)) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, none);
  }
  return ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

}  // namespace

class LineReader::Editor {
 public:
  // `screen`: the descriptor of the terminal that shows the line.
  Editor(const Interrupt& interrupt, int screen, const std::filesystem::path& history);
  ~Editor();
  Editor(const Editor&) = delete;
  Editor& operator=(const Editor&) = delete;

  Line read(const std::string& prompt);

 private:
  static Editor& of(EditLine* line);
  static int next_character(EditLine* line, wchar_t* out);
  int next_character(wchar_t* out) noexcept;
  int wait_for_character(wchar_t* out);
  void draw_again();
  void bind_keys();
  void load_history(const std::filesystem::path& file);
  void remember(const std::string& text);

  const Interrupt& interrupt_;
  std::unique_ptr<FILE, int (*)(FILE*)> screen_;
  EditLine* line_ = nullptr;
  History* history_ = nullptr;
  int history_fd_ = -1;
  std::string prompt_;
  std::string last_;  // entry of the history
  bool interrupted_ = false;
  std::exception_ptr failure_;  // while libedit, which is C, stands in between
  std::array<void (*)(int), 2> old_handlers_{};
};

LineReader::Editor::Editor(const Interrupt& interrupt, int screen,
                           const std::filesystem::path& history)
    : interrupt_(interrupt), screen_(fdopen(fcntl(screen, F_DUPFD_CLOEXEC, 0), "w"), &fclose) {
  check(screen_ != nullptr, Code::device_failure, "terminal: ", std::strerror(errno));
  // Text of the model is UTF-8 whatever the user's locale.
  if (!std::setlocale(LC_CTYPE, "C.UTF-8")) std::setlocale(LC_CTYPE, "");
  line_ = el_init("januspro", stdin, screen_.get(), screen_.get());
  check(line_ != nullptr, Code::device_failure, "terminal: its lines cannot be edited");
  history_ = history_init();
  check(history_ != nullptr, Code::out_of_memory, "no memory for the history");
  HistEvent event;
  ::history(history_, &event, H_SETSIZE, kEntries);
  el_set(line_, EL_CLIENTDATA, this);
  el_set(line_, EL_GETCFN, static_cast<int (*)(EditLine*, wchar_t*)>(&Editor::next_character));
  el_set(
      line_, EL_PROMPT, +[](EditLine* line) { return of(line).prompt_.data(); });
  el_set(line_, EL_HIST, &::history, history_);
  bind_keys();
  if (!history.empty()) load_history(history);
  // They need only end a poll().
  old_handlers_ = {::signal(SIGWINCH, [](int) {}), ::signal(SIGCONT, [](int) {})};
}

LineReader::Editor::~Editor() {
  ::signal(SIGWINCH, old_handlers_[0]);
  ::signal(SIGCONT, old_handlers_[1]);
  if (history_fd_ >= 0) ::close(history_fd_);
  if (line_) el_end(line_);
  if (history_) history_end(history_);
}

void LineReader::Editor::bind_keys() {
  el_set(line_, EL_EDITOR, "emacs");
  el_wset(line_, EL_ADDFN, L"complete-name", L"Complete the name of a file", &_el_fn_complete);
  el_set(line_, EL_BIND, "^I", "complete-name", nullptr);
  el_set(line_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  el_source(line_, nullptr);  // ~/.editrc has the last word
}

LineReader::Editor& LineReader::Editor::of(EditLine* line) {
  void* self = nullptr;
  el_get(line, EL_CLIENTDATA, &self);
  return *static_cast<Editor*>(self);
}

int LineReader::Editor::next_character(EditLine* line, wchar_t* out) {
  return of(line).next_character(out);
}

int LineReader::Editor::next_character(wchar_t* out) noexcept {
  try {
    return wait_for_character(out);
  } catch (...) {
    failure_ = std::current_exception();
    return -1;
  }
}

// As libedit wants it: 1 for a character, 0 where input ends, -1 for an error. A signal ends it.
int LineReader::Editor::wait_for_character(wchar_t* out) {
  std::mbstate_t state{};
  while (true) {
    const Woken woken = wait_for_input(interrupt_);
    if (woken == Woken::signal) {
      interrupted_ = true;
      return 0;
    }
    if (woken == Woken::other) {
      draw_again();
      continue;
    }
    char byte = 0;
    const ssize_t count = ::read(STDIN_FILENO, &byte, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return static_cast<int>(count);
    const size_t length = std::mbrtowc(out, &byte, 1, &state);
    if (length <= 1) return 1;
    if (length == static_cast<size_t>(-1)) state = {};  // no character of this locale: left out
  }
}

// After the window changed or the program was brought back: the terminal may have other settings.
void LineReader::Editor::draw_again() {
  el_resize(line_);
  el_set(line_, EL_PREP_TERM, 0);
  el_set(line_, EL_PREP_TERM, 1);
  el_set(line_, EL_REFRESH);
}

void LineReader::Editor::load_history(const std::filesystem::path& file) {
  HistEvent event;
  try {
    for (const std::string& entry : read_history(file)) {
      ::history(history_, &event, H_ENTER, entry.c_str());
      last_ = entry;
    }
    history_fd_ = open_history(file);
    check(history_fd_ >= 0, Code::device_failure, file.string(), ": ", std::strerror(errno));
  } catch (const Error& error) {
    say(std::string("warning: lines are not remembered: ") + error.what());
  }
}

void LineReader::Editor::remember(const std::string& text) {
  if (text.find_first_not_of(" \t") == std::string::npos || text == last_) return;
  last_ = text;
  HistEvent event;
  ::history(history_, &event, H_ENTER, text.c_str());
  if (history_fd_ < 0) return;
  const std::string entry = text + "\n";  // in one write: another program may add to it as well
  if (::write(history_fd_, entry.data(), entry.size()) == static_cast<ssize_t>(entry.size()))
    return;
  say(std::string("warning: lines are not remembered from here on: ") + std::strerror(errno));
  ::close(std::exchange(history_fd_, -1));
}

LineReader::Line LineReader::Editor::read(const std::string& prompt) {
  prompt_ = prompt;
  interrupted_ = false;
  int count = 0;
  el_resize(line_);                // the window may have changed while nobody read
  el_set(line_, EL_PREP_TERM, 1);  // before the prompt: what is typed behind it is for the editor
  const char* text = el_gets(line_, &count);
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  if (!text) {
    std::fputs(interrupted_ ? "^C\n" : "\n", screen_.get());  // the cursor stands in the line
    std::fflush(screen_.get());
    return {interrupted_ ? Kind::interrupted : Kind::end, {}};
  }
  std::string line(text, static_cast<size_t>(count));
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  remember(line);
  return {Kind::line, line};
}

LineReader::LineReader(const Interrupt& interrupt, std::filesystem::path history)
    : interrupt_(interrupt), terminal_(isatty(STDIN_FILENO) == 1) {
  if (!terminal_ || is_dumb()) return;
  // stdout may be a file that takes the answers.
  for (const int screen : {STDERR_FILENO, STDOUT_FILENO}) {
    if (editor_ || isatty(screen) != 1) continue;
    editor_ = std::make_unique<Editor>(interrupt, screen, history);
  }
}

LineReader::~LineReader() = default;

LineReader::Line LineReader::read(const std::string& prompt) {
  return editor_ ? editor_->read(prompt) : read_plain(prompt);
}

LineReader::Line LineReader::read_plain(const std::string& prompt) {
  if (terminal_) static_cast<void>(::write(STDERR_FILENO, prompt.data(), prompt.size()) < 0);
  size_t looked = 0;
  while (true) {
    const size_t end = ahead_.find('\n', looked);
    if (end != std::string::npos) {
      Line line{Kind::line, ahead_.substr(0, end)};
      ahead_.erase(0, end + 1);
      if (!line.text.empty() && line.text.back() == '\r') line.text.pop_back();
      return line;
    }
    looked = ahead_.size();
    check(looked <= kLongestLine, Code::bad_input, "stdin: a line of more than ", kLongestLine,
          " bytes; is this a text file?");
    const Woken woken = wait_for_input(interrupt_);
    if (woken == Woken::signal) {
      if (terminal_) say("");
      ahead_.clear();
      return {Kind::interrupted, {}};
    }
    if (woken == Woken::other) continue;
    std::array<char, 65536> buffer;
    const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    check(count >= 0, Code::device_failure, "stdin: cannot be read: ", std::strerror(errno));
    if (count == 0) {
      if (ahead_.empty()) return {Kind::end, {}};
      return {Kind::line, std::exchange(ahead_, {})};
    }
    ahead_.append(buffer.data(), static_cast<size_t>(count));
  }
}

}  // namespace janus
