// SqliteStore: jobs in one file, for one server. SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>

#include "serve/jobs/store.h"

namespace janus::serve {

// Leases of the server before are void from here on: its items wait again. `now`: seconds since
// 1970. Throws Error naming the file, and the cure; Code::bad_input where another server has it.
std::unique_ptr<Store> open_sqlite_store(const std::string& path, std::function<double()> now);

}  // namespace janus::serve
