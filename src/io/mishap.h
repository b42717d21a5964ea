// What a failed download leaves where a file of a checkpoint should be, told by its first bytes.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace janus {

// Enough of a file's beginning to tell.
inline constexpr size_t kMishapBytes = 512;

// Throws Code::bad_checkpoint with the cure for a file that is empty, a Git LFS pointer, a web page
// or another server's answer, or room that was made and never filled.
void refuse_mishap(const std::filesystem::path& path, std::string_view head);
// The same for a file of weights, which no text can be: a server's plain words are shown.
void refuse_weight_mishap(const std::filesystem::path& path, std::string_view head);

// "; unfinished in the same folder: NAME, …" by the names that programs give to a file while they
// download it; "" where there is none.
std::string unfinished_downloads(const std::filesystem::path& folder);

}  // namespace janus
