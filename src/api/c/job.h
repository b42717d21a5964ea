// A job of C: the handle of C++ and what C was shown of it by pointer.
// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "api/c/guard.h"
#include "januspro/januspro.h"
#include "januspro/januspro.hpp"

struct januspro_job {
  janus::Job job;
  std::mutex mutex = {};  // of everything below
  std::map<int64_t, januspro_image> images = {};
  std::optional<janus::Answer> answer = {};
  std::optional<janus::Embedding> embedding = {};
  std::optional<janus::c::Failure> failure = {};
};
