// Jobs in one SQLite file, for one server. SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <memory>

#include "serve/jobs/database.h"

namespace janus::serve {

// Makes the file, its folder and its tables where they lack, for this user alone. What is committed
// is on disk. `FILE.lock` beside it is held while the database is open, so that one server works on
// it. `again`, after a failure: every page of the file is read first. Throws StoreFailure with the
// file, the reason and the cure; Code::busy where another server has the file.
std::unique_ptr<Database> open_sqlite(const std::filesystem::path& path, bool again);

}  // namespace janus::serve
