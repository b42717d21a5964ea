// What the Hub says about one revision of a model: its commit, and every file with its size and the
// sum that its content must have. Nothing of it is trusted before it is checked.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hub/name.h"

namespace janus {

// No model file is larger: sums of sizes cannot overflow.
constexpr int64_t kLargestFile = int64_t{1} << 42;

struct RemoteFile {
  std::string name;   // a plain path below the repository
  int64_t size = -1;  // unknown
  // Names the file in the cache and says what it must contain: SHA-256 in 64 digits for a file in
  // large-file storage, git's name of the blob in 40 for any other.
  std::string sum;
};

struct Listing {
  std::string commit;
  std::vector<RemoteFile> files;
};

// {endpoint}/api/models/{repo}/revision/{revision}?blobs=true
std::string listing_url(const std::string& endpoint, const ModelName& name);
// {endpoint}/{repo}/resolve/{commit}/{file}
std::string file_url(const std::string& endpoint, const std::string& repo,
                     const std::string& commit, const std::string& file);

// Throws Code::bad_checkpoint naming `url`: not what the Hub answers, or a name that leads out of
// the folder. Size and sum are as they came.
Listing parse_listing(const std::string& answer, const std::string& url);
// Throws Code::bad_checkpoint where size or sum of a file that is wanted cannot be.
void check_promise(const RemoteFile& file, const std::string& url);

// A server's words for a message: control characters and the like as `?`, cut where they are long.
std::string printable(std::string_view text);

}  // namespace janus
