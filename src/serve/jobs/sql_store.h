// The store of jobs in an SQL database. SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "serve/jobs/store.h"

namespace janus::serve {

// `db`: a postgresql:// address, on which any number of servers work, or the path of an SQLite
// file, for one. At the first opening of a process leases in a file are void, as they are of the
// server before: its items wait again. At an opening `again`, after a failure, they are this one's
// and stay. In PostgreSQL they end by their time. `clock`: seconds since 1970; empty: the
// database's own. Throws StoreFailure; Code::busy where another server has the file.
std::unique_ptr<Store> open_store(const std::string& db, bool again,
                                  std::function<double()> clock = {});

}  // namespace janus::serve
