// How code fails: check() and fail() build the one exception (januspro/error.hpp). The text says
// what went wrong, where, and the likely cure.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
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

// For a prompt of `tokens` where `limit` would fit.
template <class... Parts>
[[noreturn]] void too_long(int64_t tokens, int64_t limit, const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw TooLong(text.str(), tokens, limit);
}

}  // namespace janus
