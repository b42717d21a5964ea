// Where C++ ends: nothing thrown leaves guarded(), it becomes a code and the text of
// januspro_last_error(). SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/error.h"
#include "januspro/januspro.h"

namespace janus::c {

januspro_code code_of(Code code);
// What the exception that is being handled is in C.
struct Failure {
  januspro_code code = JANUSPRO_OK;
  std::string text = {};
};
Failure present_failure();

// The same, its text kept for this thread.
januspro_code keep_failure() noexcept;

template <class F>
januspro_code guarded(const F& call) noexcept {
  try {
    call();
    return JANUSPRO_OK;
  } catch (...) {
    return keep_failure();
  }
}

// What a call gives goes where `out` says, and nothing after a failure.
template <class T, class F>
januspro_code guarded_into(T** out, const char* name, const F& make) noexcept {
  if (out) *out = nullptr;
  return guarded([&] {
    check(out != nullptr, Code::bad_input, name, " is NULL; it is where the result goes");
    *out = make();
  });
}

}  // namespace janus::c
