// Lines from the user: with editing, history and completed file names on a terminal, as they are
// from a pipe or a file. A signal wakes whoever waits here. SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "apps/command.h"

namespace janus {

class LineReader {
 public:
  enum class Kind { line, end, interrupted };
  struct Line {
    Kind kind = Kind::line;
    std::string text = {};  // without the end of the line
  };

  // `history`: a file with one entry a line, read now and added to with every line; empty: none is
  // kept. It is used where lines are edited only.
  LineReader(const Interrupt& interrupt, std::filesystem::path history);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // Somebody types: there are prompts, and Ctrl-C is about the line.
  bool is_terminal() const { return terminal_; }
  // Throws Code::device_failure when there is no reading, Code::bad_input for a line without end.
  Line read(const std::string& prompt);

 private:
  class Editor;
  Line read_plain(const std::string& prompt);

  const Interrupt& interrupt_;
  bool terminal_;
  std::unique_ptr<Editor> editor_;  // none: plain lines
  std::string ahead_;               // read, but not yet a line
};

}  // namespace janus
