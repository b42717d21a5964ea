// How code fails: check() and fail() build the one exception (januspro/error.hpp). The text says
// what went wrong, where, and the likely cure.
// SPDX-License-Identifier: MIT
#pragma once

#include <sstream>
#include <string>

#include "januspro/error.hpp"

namespace janus {

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
