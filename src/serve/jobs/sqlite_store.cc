// SPDX-License-Identifier: MIT
#include "serve/jobs/sqlite_store.h"

#include <mutex>

#include "base/error.h"
#include "serve/jobs/sqlite.h"
#include "serve/refusal.h"

namespace janus::serve {

namespace {

constexpr int kLayout = 1;

// An item waits, is leased, or has its end. Numbers of jobs rise and are never used again.
constexpr const char* kTables = R"(
CREATE TABLE jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL,
  type TEXT NOT NULL, body TEXT NOT NULL, metadata TEXT NOT NULL, key TEXT NOT NULL,
  digest TEXT NOT NULL, status TEXT NOT NULL, created REAL NOT NULL, started REAL NOT NULL,
  finished REAL NOT NULL);
CREATE UNIQUE INDEX keys ON jobs (owner, key) WHERE key <> '';
CREATE INDEX owners ON jobs (owner, number);
CREATE TABLE items (
  job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE, place INTEGER NOT NULL,
  request INTEGER NOT NULL, seed INTEGER NOT NULL, status TEXT NOT NULL, tries INTEGER NOT NULL,
  lease INTEGER NOT NULL, until REAL NOT NULL, error TEXT NOT NULL,
  PRIMARY KEY (job, place)) WITHOUT ROWID;
CREATE INDEX open_items ON items (job, place) WHERE status IN ('waiting', 'leased');
CREATE TABLE results (
  job INTEGER NOT NULL, place INTEGER NOT NULL, type TEXT NOT NULL, digest TEXT NOT NULL,
  bytes BLOB NOT NULL, PRIMARY KEY (job, place),
  FOREIGN KEY (job, place) REFERENCES items (job, place) ON DELETE CASCADE);
CREATE TABLE leases (last INTEGER NOT NULL);
INSERT INTO leases VALUES (0);
)";

constexpr std::string_view kJobColumns =
    "SELECT number, id, type, status, metadata, created, started, finished FROM jobs ";

constexpr std::string_view kTooOften =
    R"({"message":"it was tried 3 times, and each time the server ended; see the server's log",)"
    R"("type":"server_error","param":null,"code":"internal_error"})";

class SqliteStore : public Store {
 public:
  SqliteStore(const std::string& path, std::function<double()> now);

  Accepted accept(const NewJob& job) override;
  std::optional<KeptJob> find(const std::string& owner, const std::string& id) override;
  std::vector<KeptJob> list(const std::string& owner, const std::string& after,
                            const std::string& status, int limit) override;
  std::optional<ResultFile> result(const std::string& owner, const std::string& id,
                                   int index) override;
  bool cancel(const std::string& owner, const std::string& id) override;
  bool remove(const std::string& owner, const std::string& id) override;
  int remove_old(double seconds) override;
  std::map<std::string, int64_t> counts() override;
  std::optional<Lease> lease(double seconds) override;
  bool renew(const Lease& lease, double seconds) override;
  bool finish(const Lease& lease, const ResultFile& file) override;
  bool fail(const Lease& lease, const std::string& error) override;
  bool give_back(const Lease& lease) override;

 private:
  void begin();
  void void_leases(double before);
  void settle();
  KeptJob read(Query& row);
  bool end(const Lease& lease, const char* status, std::string_view error, const ResultFile* file);

  std::function<double()> now_;
  std::mutex mutex_;  // of what follows
  Sqlite database_;
};

SqliteStore::SqliteStore(const std::string& path, std::function<double()> now)
    : now_(std::move(now)), database_(path) {
  begin();
}

void SqliteStore::begin() {
  Transaction whole(database_);
  int64_t layout = 0;
  {
    Query query(database_, "PRAGMA user_version");
    if (query.next()) layout = query.whole(0);
  }
  check(layout <= kLayout, Code::bad_input, "the database of jobs is of a newer januspro (layout ",
        layout, ", this one knows ", kLayout, "); use that one, or name another file with --db");
  if (layout == 0) {
    database_.run(kTables);
    database_.run(("PRAGMA user_version=" + std::to_string(kLayout)).c_str());
  }
  void_leases(1e300);
  whole.commit();
}

// Items whose lease ends before that wait again, or have been tried too often.
void SqliteStore::void_leases(double before) {
  const int failed = Query(database_,
                           "UPDATE items SET status = 'failed', error = ? "
                           "WHERE status = 'leased' AND until < ? AND tries >= ?")
                         .with(kTooOften)
                         .with(before)
                         .with(int64_t{kMostTries})
                         .run();
  const int waiting =
      Query(database_, "UPDATE items SET status = 'waiting' WHERE status = 'leased' AND until < ?")
          .with(before)
          .run();
  if (failed + waiting > 0) settle();
}

// Running jobs that are at their end, or that nobody works on any more.
void SqliteStore::settle() {
  Query(database_,
        "UPDATE jobs SET finished = ?, status = CASE WHEN EXISTS (SELECT 1 FROM items WHERE "
        "job = number AND items.status = 'failed') THEN 'failed' ELSE 'done' END "
        "WHERE status IN ('queued', 'running') AND NOT EXISTS (SELECT 1 FROM items WHERE "
        "job = number AND items.status IN ('waiting', 'leased'))")
      .with(now_())
      .run();
  Query(database_,
        "UPDATE jobs SET status = 'queued' WHERE status = 'running' AND NOT EXISTS "
        "(SELECT 1 FROM items WHERE job = number AND items.status = 'leased')")
      .run();
}

// --- for clients ---------------------------------------------------------------------------------

Store::Accepted SqliteStore::accept(const NewJob& job) {
  const std::lock_guard lock(mutex_);
  Transaction whole(database_);
  if (!job.key.empty()) {
    Query same(database_, "SELECT id, digest FROM jobs WHERE owner = ? AND key = ?");
    same.with(job.owner).with(job.key);
    if (same.next()) {
      if (same.text(1) == job.digest) return {same.text(0), true};
      throw Refusal(409, "idempotency_conflict",
                    "this Idempotency-Key was used for another request; take a new one for a new "
                    "job")
          .with("x-should-retry", "false");
    }
  }
  Query open(database_, "SELECT count(*) FROM items WHERE status IN ('waiting', 'leased')");
  open.next();
  if (open.whole(0) + std::ssize(job.items) > kMostItems) {
    throw Refusal(429, "queue_full",
                  std::to_string(open.whole(0)) + " pictures and answers wait already, of at most " +
                      std::to_string(kMostItems) + "; try again later")
        .with("Retry-After", "60");
  }
  Query(database_, "INSERT INTO jobs VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, 0, 0)")
      .with(job.id)
      .with(job.owner)
      .with(job.type)
      .with(job.body)
      .with(job.metadata)
      .with(job.key)
      .with(job.digest)
      .with(now_())
      .run();
  const int64_t number = sqlite3_last_insert_rowid(database_.handle());
  for (int64_t place = 0; place < std::ssize(job.items); ++place) {
    const NewJob::Item& item = job.items[static_cast<size_t>(place)];
    Query(database_, "INSERT INTO items VALUES (?, ?, ?, ?, 'waiting', 0, 0, 0, '')")
        .with(number)
        .with(place)
        .with(int64_t{item.request})
        .with(static_cast<int64_t>(item.seed))
        .run();
  }
  whole.commit();
  return {job.id, false};
}

KeptJob SqliteStore::read(Query& row) {
  KeptJob job;
  const int64_t number = row.whole(0);
  job.id = row.text(1);
  job.type = row.text(2);
  job.status = row.text(3);
  job.metadata = row.text(4);
  job.created = row.number(5);
  job.started = row.number(6);
  job.finished = row.number(7);
  Query items(database_,
              "SELECT place, request, seed, status, tries, error FROM items WHERE job = ? "
              "ORDER BY place");
  items.with(number);
  while (items.next()) {
    const std::string status = items.text(3);
    job.items.push_back({static_cast<int>(items.whole(0)), static_cast<int>(items.whole(1)),
                         static_cast<uint64_t>(items.whole(2)),
                         status == "leased" ? "waiting" : status, static_cast<int>(items.whole(4)),
                         items.text(5)});
  }
  if (job.status != "queued") return job;
  Query ahead(database_,
              "SELECT count(*) FROM items WHERE job < ? AND status IN ('waiting', 'leased')");
  ahead.with(number).next();
  job.position = ahead.whole(0);
  return job;
}

std::optional<KeptJob> SqliteStore::find(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  Query row(database_, std::string(kJobColumns) + "WHERE owner = ? AND id = ?");
  row.with(owner).with(id);
  if (!row.next()) return {};
  return read(row);
}

std::vector<KeptJob> SqliteStore::list(const std::string& owner, const std::string& after,
                                       const std::string& status, int limit) {
  const std::lock_guard lock(mutex_);
  Query row(database_, std::string(kJobColumns) +
                           "WHERE owner = ?1 AND (?2 = '' OR number < (SELECT number FROM jobs "
                           "WHERE owner = ?1 AND id = ?2)) AND (?3 = '' OR status = ?3) "
                           "ORDER BY number DESC LIMIT ?4");
  row.with(owner).with(after).with(status).with(int64_t{limit});
  std::vector<KeptJob> jobs;
  while (row.next()) jobs.push_back(read(row));
  return jobs;
}

std::optional<ResultFile> SqliteStore::result(const std::string& owner, const std::string& id,
                                              int index) {
  const std::lock_guard lock(mutex_);
  Query row(database_,
            "SELECT results.type, results.digest, bytes FROM results JOIN jobs ON job = number "
            "WHERE owner = ? AND id = ? AND place = ?");
  row.with(owner).with(id).with(int64_t{index});
  if (!row.next()) return {};
  return ResultFile{row.text(0), row.text(1), row.text(2)};
}

bool SqliteStore::cancel(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  Transaction whole(database_);
  const int changed = Query(database_,
                            "UPDATE jobs SET status = 'cancelled', finished = ? WHERE owner = ? "
                            "AND id = ? AND status IN ('queued', 'running')")
                          .with(now_())
                          .with(owner)
                          .with(id)
                          .run();
  // Its leases are worth nothing from now on, and nobody waits behind it.
  if (changed > 0) {
    Query(database_,
          "UPDATE items SET status = 'cancelled' WHERE status IN ('waiting', 'leased') AND "
          "job = (SELECT number FROM jobs WHERE id = ?)")
        .with(id)
        .run();
  }
  whole.commit();
  return changed > 0;
}

bool SqliteStore::remove(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  return Query(database_,
               "DELETE FROM jobs WHERE owner = ? AND id = ? AND status NOT IN ('queued', "
               "'running')")
             .with(owner)
             .with(id)
             .run() > 0;
}

int SqliteStore::remove_old(double seconds) {
  const std::lock_guard lock(mutex_);
  return Query(database_,
               "DELETE FROM jobs WHERE status NOT IN ('queued', 'running') AND finished <= ?")
      .with(now_() - seconds)
      .run();
}

std::map<std::string, int64_t> SqliteStore::counts() {
  const std::lock_guard lock(mutex_);
  std::map<std::string, int64_t> counts = {
      {"queued", 0}, {"running", 0}, {"done", 0}, {"failed", 0}, {"cancelled", 0}};
  Query row(database_, "SELECT status, count(*) FROM jobs GROUP BY status");
  while (row.next()) counts[row.text(0)] = row.whole(1);
  return counts;
}

// --- for workers ---------------------------------------------------------------------------------

std::optional<Lease> SqliteStore::lease(double seconds) {
  const std::lock_guard lock(mutex_);
  Transaction whole(database_);
  void_leases(now_());
  Query row(database_,
            "SELECT job, place, request, seed, id, type, body FROM items JOIN jobs ON "
            "job = number WHERE items.status = 'waiting' ORDER BY job, place LIMIT 1");
  Lease lease;
  if (!row.next()) {
    whole.commit();
    return {};
  }
  const int64_t job = row.whole(0), place = row.whole(1);
  lease.index = static_cast<int>(place);
  lease.request = static_cast<int>(row.whole(2));
  lease.seed = static_cast<uint64_t>(row.whole(3));
  lease.job = row.text(4);
  lease.type = row.text(5);
  lease.body = row.text(6);
  Query(database_, "UPDATE leases SET last = last + 1").run();
  Query last(database_, "SELECT last FROM leases");
  last.next();
  lease.number = last.whole(0);
  Query(database_,
        "UPDATE items SET status = 'leased', tries = tries + 1, lease = ?, until = ? WHERE "
        "job = ? AND place = ?")
      .with(lease.number)
      .with(now_() + seconds)
      .with(job)
      .with(place)
      .run();
  Query(database_,
        "UPDATE jobs SET status = 'running', started = CASE started WHEN 0 THEN ? ELSE started "
        "END WHERE number = ?")
      .with(now_())
      .with(job)
      .run();
  whole.commit();
  return lease;
}

bool SqliteStore::renew(const Lease& lease, double seconds) {
  const std::lock_guard lock(mutex_);
  return Query(database_, "UPDATE items SET until = ? WHERE lease = ? AND status = 'leased'")
             .with(now_() + seconds)
             .with(lease.number)
             .run() > 0;
}

bool SqliteStore::end(const Lease& lease, const char* status, std::string_view error,
                      const ResultFile* file) {
  const std::lock_guard lock(mutex_);
  Transaction whole(database_);
  Query held(database_,
             "UPDATE items SET status = ?, error = ? WHERE lease = ? AND status = 'leased' "
             "RETURNING job, place");
  held.with(status).with(error).with(lease.number);
  if (!held.next()) return false;
  const int64_t job = held.whole(0), place = held.whole(1);
  held.run();
  if (file) {
    Query(database_, "INSERT INTO results VALUES (?, ?, ?, ?, ?)")
        .with(job)
        .with(place)
        .with(file->type)
        .with(file->digest)
        .with(file->bytes)
        .run();
  }
  // Between two of its items a job goes on running.
  Query(database_,
        "UPDATE jobs SET finished = ?, status = CASE WHEN EXISTS (SELECT 1 FROM items WHERE "
        "job = number AND items.status = 'failed') THEN 'failed' ELSE 'done' END "
        "WHERE number = ? AND NOT EXISTS (SELECT 1 FROM items WHERE "
        "job = number AND items.status IN ('waiting', 'leased'))")
      .with(now_())
      .with(job)
      .run();
  whole.commit();
  return true;
}

bool SqliteStore::finish(const Lease& lease, const ResultFile& file) {
  return end(lease, "done", "", &file);
}

bool SqliteStore::fail(const Lease& lease, const std::string& error) {
  return end(lease, "failed", error, nullptr);
}

bool SqliteStore::give_back(const Lease& lease) {
  const std::lock_guard lock(mutex_);
  Transaction whole(database_);
  const int changed = Query(database_,
                            "UPDATE items SET status = 'waiting', tries = tries - 1 WHERE "
                            "lease = ? AND status = 'leased'")
                          .with(lease.number)
                          .run();
  if (changed > 0) settle();
  whole.commit();
  return changed > 0;
}

}  // namespace

std::unique_ptr<Store> open_sqlite_store(const std::string& path, std::function<double()> now) {
  return std::make_unique<SqliteStore>(path, std::move(now));
}

}  // namespace janus::serve
