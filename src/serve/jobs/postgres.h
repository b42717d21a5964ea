// Jobs in PostgreSQL, for any number of servers. SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "serve/jobs/database.h"

namespace janus::serve {

// Whether it is an address of PostgreSQL's, postgresql://….
bool is_postgres(const std::string& db);

// Makes the tables, in a schema `januspro`, where they lack. What an address leaves out is taken
// from PGHOST, PGPASSFILE and so on, as psql takes it. A server that does not answer for some
// seconds is as good as gone. Throws StoreFailure.
std::unique_ptr<Database> open_postgres(const std::string& address);

}  // namespace janus::serve
