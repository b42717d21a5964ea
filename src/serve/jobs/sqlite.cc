// SPDX-License-Identifier: MIT
#include "serve/jobs/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <system_error>

#include "base/error.h"
#include "io/file.h"
#include "serve/jobs/store.h"

namespace janus::serve {

namespace {

constexpr int kPatience = 250;  // milliseconds that another program's lock is waited for
constexpr int kLayout = 1;

// Results are the last table, so that walking the others does not step over pictures.
constexpr const char* kTables = R"(
CREATE TABLE jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL,
  type TEXT NOT NULL, metadata TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL,
  status TEXT NOT NULL, created REAL NOT NULL, started REAL NOT NULL, finished REAL NOT NULL);
CREATE UNIQUE INDEX jobs_key ON jobs (owner, key) WHERE key <> '';
CREATE INDEX jobs_owner ON jobs (owner, number);
CREATE INDEX jobs_status ON jobs (status, finished);
CREATE TABLE requests (
  job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE, place INTEGER NOT NULL,
  body TEXT NOT NULL, UNIQUE (job, place));
CREATE TABLE items (
  job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE, place INTEGER NOT NULL,
  request INTEGER NOT NULL, seed INTEGER NOT NULL, status TEXT NOT NULL, due REAL NOT NULL,
  tries INTEGER NOT NULL, lease INTEGER NOT NULL, until REAL NOT NULL, error TEXT NOT NULL,
  PRIMARY KEY (job, place))
  WITHOUT ROWID;
CREATE INDEX items_due ON items (status, due, job, place);
CREATE INDEX items_status ON items (status, job);
CREATE TABLE results (
  job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE, place INTEGER NOT NULL,
  type TEXT NOT NULL, digest TEXT NOT NULL, bytes BLOB NOT NULL, UNIQUE (job, place));
)";

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

// Held until the process ends, however it ends. Not the database itself: closing a second
// descriptor of that would give SQLite's own locks back.
Descriptor take_lock(const std::filesystem::path& path) {
  if (path.empty()) {
    throw StoreFailure("there is no home folder to keep jobs in; name a file with --db",
                       "this server has no place to keep jobs", true);
  }
  std::error_code ignored;  // opening says what is wrong
  std::filesystem::create_directories(path.parent_path(), ignored);
  Descriptor lock(::open((path.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const bool held = lock.get() >= 0 && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0;
  if (held) return lock;
  check(lock.get() < 0 || errno != EWOULDBLOCK, Code::busy, "the database of jobs ", path.string(),
        " is another server's; end that one, or name another file with --db");
  throw StoreFailure("the database of jobs " + path.string() + ": " + system_reason() +
                         "; its folder must be writable, or name another file with --db",
                     "the database of jobs cannot be written", true);
}

class SqliteDatabase : public Database {
 public:
  SqliteDatabase(const std::filesystem::path& path, bool again);

  std::unique_ptr<Rows> execute(const std::string& sql,
                                const std::vector<SqlValue>& values) override;
  double now() override;
  void check_place() override;
  bool shared() const override { return false; }
  const char* begin() const override { return "BEGIN IMMEDIATE"; }

  [[noreturn]] void failed(int code) const;

 private:
  void run(const char* sql);
  void check_pages();
  void make_tables();

  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  const Descriptor lock_;
  const std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

class SqliteRows : public Rows {
 public:
  SqliteRows(const SqliteDatabase& database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}
  void bind(const std::vector<SqlValue>& values);

  bool next() override {
    const int code = sqlite3_step(statement_.get());
    if (code != SQLITE_ROW && code != SQLITE_DONE) database_.failed(code);
    return code == SQLITE_ROW;
  }
  int64_t whole(int column) const override {
    return sqlite3_column_int64(statement_.get(), column);
  }
  double number(int column) const override {
    return sqlite3_column_double(statement_.get(), column);
  }
  std::string text(int column) const override;
  int64_t changed() const override { return sqlite3_changes(sqlite3_db_handle(statement_.get())); }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  const SqliteDatabase& database_;
  const std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

SqliteDatabase::SqliteDatabase(const std::filesystem::path& path, bool again)
    : lock_(take_lock(path)), path_(path.string()) {
  std::error_code error;
  const bool fresh = !std::filesystem::exists(path, error);
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path_.c_str(), &handle,
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
  if (again) check_pages();
  make_tables();
}

void SqliteDatabase::make_tables() {
  Transaction whole(*this);
  int64_t layout = 0;
  {
    Query query(*this, "PRAGMA user_version");
    if (query.next()) layout = query.whole(0);
  }
  if (layout > kLayout) {
    throw StoreFailure("the database of jobs " + path_ + " is of a newer januspro (layout " +
                           std::to_string(layout) + ", this one knows " + std::to_string(kLayout) +
                           "); use that one, or name another file with --db",
                       "the database of jobs is of a newer version", true);
  }
  if (layout == 0) {
    run(kTables);
    run(("PRAGMA user_version=" + std::to_string(kLayout)).c_str());
  }
  whole.commit();
}

void SqliteDatabase::failed(int code) const {
  const Fault fault = fault_of(code);
  const char* const words = handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
  throw StoreFailure("the database of jobs " + path_ + ": " + words + "; " + fault.cure,
                     fault.reason, fault.lasting);
}

// Several statements, without values.
void SqliteDatabase::run(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) failed(code);
}

double SqliteDatabase::now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// What is written to a removed file is lost.
void SqliteDatabase::check_place() {
  int moved = 0;
  sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  if (moved == 0) return;
  const Fault fault = fault_of(SQLITE_READONLY_DBMOVED);
  throw StoreFailure(path_ + ": " + fault.reason + "; " + fault.cure, fault.reason, fault.lasting);
}

void SqliteDatabase::check_pages() {
  Query query(*this, "PRAGMA quick_check(1)");
  if (!query.next() || query.text(0) == "ok") return;
  const Fault fault = fault_of(SQLITE_CORRUPT);
  throw StoreFailure("the database of jobs " + path_ + ": " + query.text(0) + "; " + fault.cure,
                     fault.reason, fault.lasting);
}

std::unique_ptr<Rows> SqliteDatabase::execute(const std::string& sql,
                                              const std::vector<SqlValue>& values) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      &statement, nullptr);
  auto rows = std::make_unique<SqliteRows>(*this, statement);
  if (code != SQLITE_OK) failed(code);
  rows->bind(values);
  return rows;
}

void SqliteRows::bind(const std::vector<SqlValue>& values) {
  sqlite3_stmt* const to = statement_.get();
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string name = "$" + std::to_string(i + 1);
    const int place = sqlite3_bind_parameter_index(to, name.c_str());
    // A null pointer would be NULL, which an empty text is not.
    const auto at = [](std::string_view text) { return text.data() ? text.data() : ""; };
    int code = SQLITE_OK;
    if (const auto* const whole = std::get_if<int64_t>(&values[i])) {
      code = sqlite3_bind_int64(to, place, *whole);
    } else if (const auto* const number = std::get_if<double>(&values[i])) {
      code = sqlite3_bind_double(to, place, *number);
    } else if (const auto* const bytes = std::get_if<Bytes>(&values[i])) {
      code = sqlite3_bind_blob64(to, place, at(bytes->of), bytes->of.size(), SQLITE_STATIC);
    } else {
      const auto text = std::get<std::string_view>(values[i]);
      code = sqlite3_bind_text64(to, place, at(text), text.size(), SQLITE_STATIC, SQLITE_UTF8);
    }
    if (code != SQLITE_OK) database_.failed(code);
  }
}

std::string SqliteRows::text(int column) const {
  const void* const bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes ? std::string(static_cast<const char*>(bytes), static_cast<size_t>(size))
               : std::string();
}

}  // namespace

std::unique_ptr<Database> open_sqlite(const std::filesystem::path& path, bool again) {
  return std::make_unique<SqliteDatabase>(path, again);
}

}  // namespace janus::serve
