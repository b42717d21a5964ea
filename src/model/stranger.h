// Models that are not Janus, refused by their names: what was given, how it shows, what to take
// instead. SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace janus {

// Ends with Code::not_supported. `kind`: a model_type of config.json, an architecture or a
// projector of a .gguf; `evidence`: how it shows.
[[noreturn]] void refuse_stranger(const std::string& where, std::string_view kind,
                                  const std::string& evidence);

// The same for a folder without config.json that shows what else it is; returns for any other.
void refuse_strange_folder(const std::filesystem::path& folder);

}  // namespace janus
