// SPDX-License-Identifier: MIT
#include "serve/jobs/sqlite.h"

#include <filesystem>
#include <system_error>

#include "base/error.h"

namespace janus::serve {

namespace {

const char* cure_of(int code) {
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return "make room on its disk";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "end the other program that has it open";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "it is damaged or no database: move it away, and a new one is begun";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return "it and its folder must be writable; name another with --db";
    default:
      return "look at its disk, or name another file with --db";
  }
}

}  // namespace

Sqlite::Sqlite(const std::string& path) : path_(path) {
  std::error_code ignored;  // opening says what is wrong
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) failed(code);
  sqlite3_extended_result_codes(handle, 1);
  // Exclusive: the operating system gives the lock back when a server dies, so that the next one
  // knows that no lease is anybody's.
  run("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
      "PRAGMA foreign_keys=ON; BEGIN IMMEDIATE; COMMIT");
}

void Sqlite::failed(int code) const {
  const char* const reason = handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
  const bool taken = (code & 0xFF) == SQLITE_BUSY;
  fail(taken ? Code::bad_input : Code::device_failure, "the database of jobs ", path_, ": ", reason,
       "; ", cure_of(code));
}

void Sqlite::run(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) failed(code);
}

Query::Query(Sqlite& database, std::string_view sql) : database_(database) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database.handle(), sql.data(), static_cast<int>(sql.size()),
                                      &statement, nullptr);
  statement_.reset(statement);
  if (code != SQLITE_OK) database.failed(code);
}

Query& Query::with(int64_t value) {
  const int code = sqlite3_bind_int64(statement_.get(), ++bound_, value);
  if (code != SQLITE_OK) database_.failed(code);
  return *this;
}

Query& Query::with(double value) {
  const int code = sqlite3_bind_double(statement_.get(), ++bound_, value);
  if (code != SQLITE_OK) database_.failed(code);
  return *this;
}

Query& Query::with(std::string_view value) {
  // Not null for an empty text; bytes after a zero count too.
  const int code = sqlite3_bind_text64(statement_.get(), ++bound_, value.data() ? value.data() : "",
                                       value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (code != SQLITE_OK) database_.failed(code);
  return *this;
}

bool Query::next() {
  const int code = sqlite3_step(statement_.get());
  if (code != SQLITE_ROW && code != SQLITE_DONE) database_.failed(code);
  return code == SQLITE_ROW;
}

int Query::run() {
  while (next()) {
  }
  return database_.changes();
}

std::string Query::text(int column) const {
  const void* const bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes ? std::string(static_cast<const char*>(bytes), static_cast<size_t>(size))
               : std::string();
}

Transaction::Transaction(Sqlite& database) : database_(database) {
  database_.run("BEGIN IMMEDIATE");
}

void Transaction::commit() {
  database_.run("COMMIT");
  open_ = false;
}

Transaction::~Transaction() {
  // An error of the disk may have ended it already; then this one has nothing to say.
  if (open_) sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace janus::serve
