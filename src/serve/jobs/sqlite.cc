// SPDX-License-Identifier: MIT
#include "serve/jobs/sqlite.h"

#include <filesystem>
#include <system_error>

#include "serve/jobs/store.h"

namespace janus::serve {

namespace {

constexpr int kPatience = 250;  // milliseconds that another program's lock is waited for

struct Fault {
  const char* reason;
  const char* cure;
  bool lasting;
};

Fault fault_of(int code) {
  if (code == SQLITE_READONLY_DBMOVED) {
    return {"the database of jobs was removed while it was in use",
            "put it back, or restart to begin a new one", true};
  }
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return {"the disk that holds the jobs is full", "make room on it", false};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {"another program has locked the database of jobs", "end that program", false};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {"the database of jobs is damaged",
              "it is no SQLite database, or damaged: move it away, and a new one is begun", true};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return {"the database of jobs cannot be written",
              "it and its folder must be writable; name another file with --db", true};
    case SQLITE_IOERR:
      return {"the disk that holds the jobs cannot be read or written",
              "make room on it, or look for its faults", false};
    default:
      return {"the database of jobs does not serve", "name another file with --db", true};
  }
}

}  // namespace

Sqlite::Sqlite(const std::string& path) : path_(path) {
  std::error_code error;
  const bool fresh = !std::filesystem::exists(path, error);
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) failed(code);
  // Prompts and pictures are nobody else's; the files beside it take its permissions.
  using std::filesystem::perms;
  if (fresh) std::filesystem::permissions(path, perms::owner_read | perms::owner_write, error);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kPatience);
  run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
      "PRAGMA journal_size_limit=67108864");
}

void Sqlite::failed(int code) const {
  const Fault fault = fault_of(code);
  const char* const words = handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
  throw StoreFailure("the database of jobs " + path_ + ": " + words + "; " + fault.cure,
                     fault.reason, fault.lasting);
}

void Sqlite::run(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) failed(code);
}

void Sqlite::check_place() const {
  int moved = 0;
  sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  if (moved == 0) return;
  const Fault fault = fault_of(SQLITE_READONLY_DBMOVED);
  throw StoreFailure(path_ + ": " + fault.reason + "; " + fault.cure, fault.reason, fault.lasting);
}

void Sqlite::check_pages() {
  Query query(*this, "PRAGMA quick_check(1)");
  if (!query.next() || query.text(0) == "ok") return;
  const Fault fault = fault_of(SQLITE_CORRUPT);
  throw StoreFailure("the database of jobs " + path_ + ": " + query.text(0) + "; " + fault.cure,
                     fault.reason, fault.lasting);
}

Query::Query(Sqlite& database, std::string_view sql) : database_(database) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database.handle_.get(), sql.data(),
                                      static_cast<int>(sql.size()), &statement, nullptr);
  statement_.reset(statement);
  if (code != SQLITE_OK) database.failed(code);
}

Query& Query::bound(int code) {
  if (code != SQLITE_OK) database_.failed(code);
  return *this;
}

Query& Query::with(int64_t value) {
  return bound(sqlite3_bind_int64(statement_.get(), ++values_, value));
}

Query& Query::with(double value) {
  return bound(sqlite3_bind_double(statement_.get(), ++values_, value));
}

// A null pointer would be NULL, which an empty text is not.
Query& Query::with(std::string_view value) {
  return bound(sqlite3_bind_text64(statement_.get(), ++values_, value.data() ? value.data() : "",
                                   value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

Query& Query::with_bytes(std::string_view value) {
  return bound(sqlite3_bind_blob64(statement_.get(), ++values_, value.data() ? value.data() : "",
                                   value.size(), SQLITE_STATIC));
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

// An error of the disk may have ended it already; then this has nothing to undo.
Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.run("ROLLBACK");
  } catch (const StoreFailure&) {
  }
}

}  // namespace janus::serve
