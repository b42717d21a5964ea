// A model from the Hub into the cache. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/log.h"
#include "hub/name.h"
#include "hub/options.h"

namespace janus {

struct PullProgress {
  enum Stage { checking, fetching };
  Stage stage = checking;  // reading what an earlier pull left, then the network
  int64_t done = 0;        // bytes, of files that are not whole here
  int64_t total = 0;
};

struct PullEvents {
  // Called several times a second; false ends the pull with Code::cancelled.
  std::function<bool(const PullProgress&)> on_progress = {};
  Log log = {};
};

struct Pulled {
  std::string commit;
  std::filesystem::path path;  // the snapshot: a checkpoint directory
  int files = 0;
  int64_t bytes = 0;    // of all of them
  int64_t fetched = 0;  // of them, asked of the network now
};

// Asks which files the revision has, fetches what is not here, checks every sum, and links them as
// the revision's snapshot. Offline, or for what is whole already, nothing is fetched. Cut anywhere,
// by the network, the disk or the caller, it goes on from there when called again. Throws as
// Fetcher::get does; Code::not_supported for a repository that holds no Janus-Pro checkpoint;
// Code::device_failure when the disk has too little room, before anything is fetched.
Pulled pull_model(const ModelName& name, const HubOptions& options, const PullEvents& events);

}  // namespace janus
