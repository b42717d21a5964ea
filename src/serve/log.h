// The log: one line an event, as text or as JSON. No prompts and no keys.
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>

#include "serve/message.h"

namespace janus::serve {

class Log {
 public:
  Log(std::function<void(const std::string&)> sink, bool json)
      : sink_(std::move(sink)), json_(json) {}

  void request(const Outcome& outcome, const std::string& route);
  void failure(const std::string& id, const std::string& reason);
  void note(const std::string& text);

 private:
  std::function<void(const std::string&)> sink_;
  bool json_;
};

}  // namespace janus::serve
