// Which files of a folder are taken for pictures. SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>

namespace janus {

// Whether a name ends as files of the kinds do that are read (image.h), in any case of letters.
bool is_picture_name(const std::filesystem::path& path);

}  // namespace janus
