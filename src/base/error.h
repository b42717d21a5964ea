// The only way to fail: one exception with a small code, so that the C interface and the programs
// can map it. The text says what went wrong, where, and the likely cure.
// SPDX-License-Identifier: MIT
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace janus {

enum class Code {
  bad_input,       // a request, image, prompt or flag cannot be used as given
  bad_checkpoint,  // a model file is damaged, incomplete or of another kind
  not_supported,   // well formed, but outside what this program does
  out_of_memory,   // the request does not fit in the memory allowed
  device_failure,  // disk, pipe or processor refused
  cancelled,       // the caller asked to stop
  busy,            // no room now; the same request may succeed later
  bug,             // a broken invariant of ours; input must never reach it
};

class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& text) : std::runtime_error(text), code_(code) {}
  Code code() const { return code_; }

 private:
  Code code_;
};

// Throws Error; the parts are streamed one after another into its text.
template <class... Parts>
[[noreturn]] void fail(Code code, const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw Error(code, text.str());
}

template <class... Parts>
void check(bool ok, Code code, const Parts&... parts) {
  if (!ok) fail(code, parts...);
}

}  // namespace janus
