// How januspro fails: one exception with a small code, so that the C interface, the programs and a
// server can map it. The text says what went wrong, where, and the likely cure. Part of the public
// interface (januspro.hpp) and used by every room inside. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "januspro/export.h"

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

class JANUSPRO_API Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& text) : std::runtime_error(text), code_(code) {}
  Code code() const { return code_; }

 private:
  Code code_;
};

// A prompt that leaves no room in the model's context; Code::bad_input with the counts.
class JANUSPRO_API TooLong : public Error {
 public:
  TooLong(const std::string& text, int64_t tokens, int64_t limit)
      : Error(Code::bad_input, text), tokens_(tokens), limit_(limit) {}
  int64_t tokens() const { return tokens_; }  // of the prompt, its pictures included
  int64_t limit() const { return limit_; }    // the most that a prompt of this kind may have

 private:
  int64_t tokens_;
  int64_t limit_;
};

}  // namespace janus
