// SPDX-License-Identifier: MIT
#include "serve/jobs/database.h"

#include "serve/jobs/store.h"

namespace janus::serve {

Query& Query::with(const SqlValue& value) {
  values_.push_back(value);
  return *this;
}

bool Query::next() {
  if (!rows_) rows_ = database_.execute(sql_, values_);
  return rows_->next();
}

int64_t Query::run() {
  while (next()) {
  }
  return rows_->changed();
}

Transaction::Transaction(Database& database) : database_(database) {
  Query(database_, database_.begin()).run();
}

void Transaction::commit() {
  Query(database_, "COMMIT").run();
  open_ = false;
}

// A failure may have ended it already; then this has nothing to undo.
Transaction::~Transaction() {
  if (!open_) return;
  try {
    Query(database_, "ROLLBACK").run();
  } catch (const StoreFailure&) {
  }
}

}  // namespace janus::serve
