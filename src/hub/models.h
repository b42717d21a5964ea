// What models the cache holds, and taking some of them away. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hub/cache.h"

namespace janus {

struct CachedRevision {
  std::string commit;
  std::vector<std::string> refs;  // branches and tags that mean it
  std::filesystem::path path;
  int64_t bytes = 0;                 // of its files, each content once
  std::vector<std::string> missing;  // what a whole checkpoint would have (files.h)
};

struct CachedModel {
  std::string repo;
  std::vector<CachedRevision> revisions;
  int64_t partial_bytes = 0;  // of files that are not whole yet
};

std::vector<CachedModel> list_models(const Cache& cache);

struct Removed {
  std::vector<std::string> commits;
  int64_t freed = 0;  // bytes
};

// The whole model, or where a revision is given that one, with the files that no other revision
// needs. Throws Code::bad_input when there is none; Code::busy while another program fetches files
// of it; Code::device_failure for what the disk refuses.
Removed remove_model(const Cache& cache, const ModelName& name);

}  // namespace janus
