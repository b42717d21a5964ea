// SqliteStore: jobs in one file, for one server. SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "serve/jobs/store.h"

namespace janus::serve {

// Makes the file and its folder where they lack; `FILE.lock` beside it is held while the store is
// open, so that one server works on it. `now`: seconds since 1970. At the first opening of a
// process leases of the server before are void: its items wait again. At an opening `again`, after
// a failure, they are this one's and stay, and every page of the file is read. Throws StoreFailure;
// Code::busy where another server has the file.
std::unique_ptr<Store> open_sqlite_store(const std::filesystem::path& path,
                                         std::function<double()> now, bool again = false);

}  // namespace janus::serve
