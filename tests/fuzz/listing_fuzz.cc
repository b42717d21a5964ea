// Any bytes as the Hub's list of files: accepted or refused, never more. A name that is accepted
// stays below its folder, and what would be fetched has a size and a sum.
// SPDX-License-Identifier: MIT
#include "hub/listing.h"

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "hub/files.h"

namespace {

bool stays_below(const std::string& name) {
  const std::filesystem::path place = ("/folder/" + name);
  const auto inside = place.lexically_normal().lexically_relative("/folder");
  return !inside.empty() && *inside.begin() != ".." && *inside.begin() != ".";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const janus::Listing listing = janus::parse_listing(text, "list");
    if (!janus::is_commit(listing.commit)) std::abort();
    std::set<std::string> names;
    for (const janus::RemoteFile& file : listing.files) {
      if (!stays_below(file.name)) std::abort();
      names.insert(file.name);
    }
    janus::needed_files(names, "org/name");
    for (const janus::RemoteFile& file : listing.files) {
      janus::check_promise(file, "list");
      if (file.size < 0 || file.size > janus::kLargestFile) std::abort();
      if (file.sum.find_first_not_of("0123456789abcdef") != std::string::npos) std::abort();
    }
  } catch (const janus::Error& error) {
    if (error.code() == janus::Code::bug || error.code() == janus::Code::device_failure) {
      std::abort();
    }
  }
  return 0;
}
