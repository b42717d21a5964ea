// SPDX-License-Identifier: MIT
#include "api/c/guard.h"

#include <exception>
#include <new>
#include <string>
#include <utility>

namespace janus::c {

namespace {

// A thread's own, as errno is: texts of several threads, and of several engines, do not meet.
std::string& last_text() {
  thread_local std::string text;
  return text;
}

}  // namespace

januspro_code code_of(Code code) {
  switch (code) {
    case Code::bad_input:
      return JANUSPRO_BAD_INPUT;
    case Code::bad_checkpoint:
      return JANUSPRO_BAD_CHECKPOINT;
    case Code::not_supported:
      return JANUSPRO_NOT_SUPPORTED;
    case Code::out_of_memory:
      return JANUSPRO_OUT_OF_MEMORY;
    case Code::device_failure:
      return JANUSPRO_DEVICE_FAILURE;
    case Code::cancelled:
      return JANUSPRO_CANCELLED;
    case Code::busy:
      return JANUSPRO_BUSY;
    case Code::bug:
      break;
  }
  return JANUSPRO_BUG;
}

Failure present_failure() {
  try {
    throw;
  } catch (const Error& error) {
    return {code_of(error.code()), error.what()};
  } catch (const std::bad_alloc&) {
    return {JANUSPRO_OUT_OF_MEMORY, "there is no memory left for this call"};
  } catch (const std::exception& error) {
    return {JANUSPRO_BUG, error.what()};
  } catch (...) {
    return {JANUSPRO_BUG, "a callback threw something that is no std::exception"};
  }
}

januspro_code keep_failure() noexcept {
  try {
    Failure failure = present_failure();
    last_text() = std::move(failure.text);
    return failure.code;
  } catch (...) {  // no memory for the words: the code must do
    last_text().clear();
    return JANUSPRO_OUT_OF_MEMORY;
  }
}

}  // namespace janus::c

const char* januspro_last_error(void) { return janus::c::last_text().c_str(); }

const char* januspro_version(void) { return JANUSPRO_VERSION; }
