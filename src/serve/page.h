// The files of the page, embedded into the program. SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>

namespace janus::serve {

struct PageFile {
  std::string_view name;  // "index.html"
  std::string_view type;
  std::string_view bytes;
};

std::span<const PageFile> page_files();

}  // namespace janus::serve
