// Newer versions of huggingface_hub keep the contents of large files once for all models, in
// `blobs/XX/HASH` of the cache itself, beside a list of who links there (its _shared_blobs.py). A
// model's blob is then a link. This is for taking such a link away without losing the room it took.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace janus {

// Where a blob's content lies, if in the common store of that cache.
std::optional<std::filesystem::path> shared_content(const std::filesystem::path& cache,
                                                    const std::filesystem::path& blob);

// Removes the content if nobody links to it any more; bytes that this freed. In doubt it stays.
int64_t sweep_shared(const std::filesystem::path& cache, const std::filesystem::path& content);

}  // namespace janus
