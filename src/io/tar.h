// The files in a tar, found without unpacking: POSIX ustar, with the long names and sizes of pax
// and GNU tar (IEEE 1003.1-2017, pax "ustar Interchange Format"; GNU tar manual, "Basic Tar
// Format"). SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace janus {

struct TarFile {
  std::string name;                  // as stored, with its folders
  std::span<const std::byte> bytes;  // within those given
};

struct TarListing {
  std::vector<TarFile> files;  // in the order they lie in; links, folders and devices are left out
  std::string fault;  // why it ended before its end, and at which byte; empty where it did not
};

// `bytes`: the whole archive, which must outlive what is returned. `name` appears in messages.
// Throws Code::bad_input where it is no tar from its first byte on, naming the cure for a packed
// one.
TarListing list_tar(std::span<const std::byte> bytes, const std::string& name);

}  // namespace janus
