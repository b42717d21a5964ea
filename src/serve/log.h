// The log: one line an event, as text or as JSON. No prompts and no keys.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "serve/message.h"

namespace janus::serve {

class Log {
 public:
  // `sink` takes a line, at most kLongestLogLine bytes, and is false where it could not, which must
  // not keep it: the listener waits for it. Lines that were lost are counted and told when one is
  // taken again. From any thread.
  Log(std::function<bool(const std::string&)> sink, bool json)
      : sink_(std::move(sink)), json_(json) {}

  void request(const Outcome& outcome, const std::string& route);
  void failure(const std::string& id, const std::string& reason);
  void note(const std::string& text);
  int64_t lost() const { return lost_; }  // lines, so far

 private:
  void put(std::string line);
  std::string note_line(const std::string& text) const;

  std::function<bool(const std::string&)> sink_;
  std::atomic<int64_t> lost_{0};
  std::atomic<int64_t> untold_{0};
  bool json_;
};

}  // namespace janus::serve
