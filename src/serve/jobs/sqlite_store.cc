// See store.h for what is promised. Each call is one transaction. SPDX-License-Identifier: MIT
#include "serve/jobs/sqlite_store.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <mutex>
#include <system_error>

#include "base/error.h"
#include "io/file.h"
#include "serve/jobs/sqlite.h"
#include "serve/refusal.h"

namespace janus::serve {

namespace {

constexpr int kLayout = 1;
constexpr double kStepBack = 600;  // seconds that an interrupted item gives way to later ones

// Numbers of jobs rise and are never used again. Items are taken by when they are due: as they were
// accepted, those that were interrupted later, so that one that ends the server holds no line up.
// Requests go when their job is over. Results are the last table, so that walking the others does
// not step over pictures.
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
  tries INTEGER NOT NULL, deaths INTEGER NOT NULL, lease INTEGER NOT NULL, until REAL NOT NULL, error TEXT NOT NULL, PRIMARY KEY (job, place))
  WITHOUT ROWID;
CREATE INDEX items_due ON items (status, due, job, place);
CREATE INDEX items_status ON items (status, job);
CREATE INDEX items_lease ON items (lease);
CREATE TABLE leases (last INTEGER NOT NULL);
INSERT INTO leases VALUES (0);
CREATE TABLE results (
  job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE, place INTEGER NOT NULL,
  type TEXT NOT NULL, digest TEXT NOT NULL, bytes BLOB NOT NULL, UNIQUE (job, place));
)";

constexpr std::string_view kJobColumns =
    "SELECT number, id, type, status, metadata, created, started, finished FROM jobs ";

constexpr std::string_view kTooOften =
    R"({"message":"it was tried 3 times by itself, and each time the server ended; see its log",)"
    R"("type":"server_error","param":null,"code":"internal_error"})";

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

class SqliteStore : public Store {
 public:
  SqliteStore(const std::filesystem::path& path, std::function<double()> now, bool again);

  Accepted accept(const NewJob& job) override;
  std::optional<KeptJob> find(const std::string& owner, const std::string& id) override;
  std::vector<KeptJob> list(const std::string& owner, const std::string& after,
                            const std::string& status, int limit) override;
  std::optional<ResultFile> result(const std::string& owner, const std::string& id,
                                   int index) override;
  bool cancel(const std::string& owner, const std::string& id) override;
  bool remove(const std::string& owner, const std::string& id) override;
  int remove_old(double seconds) override;
  JobCounts counts() override;
  std::optional<Lease> lease(double seconds) override;
  bool renew(const Lease& lease, double seconds) override;
  bool finish(const Lease& lease, const ResultFile& file) override;
  bool fail(const Lease& lease, const std::string& error) override;
  bool give_back(const Lease& lease) override;

 private:
  std::optional<Accepted> earlier(const NewJob& job);
  void check_room(int64_t items);
  void void_leases(double before);
  void settle(int64_t job);
  KeptJob read(Query& row);
  bool end(const Lease& lease, std::string_view status, std::string_view error,
           const ResultFile* file);
  int64_t next_lease();

  std::function<double()> now_;
  Descriptor lock_;
  std::mutex mutex_;  // of what follows
  Sqlite database_;
};

SqliteStore::SqliteStore(const std::filesystem::path& path, std::function<double()> now, bool again)
    : now_(std::move(now)), lock_(take_lock(path)), database_(path.string()) {
  if (again) database_.check_pages();
  Transaction whole(database_);
  int64_t layout = 0;
  {
    Query query(database_, "PRAGMA user_version");
    if (query.next()) layout = query.whole(0);
  }
  if (layout > kLayout) {
    throw StoreFailure("the database of jobs " + path.string() +
                           " is of a newer januspro (layout " + std::to_string(layout) +
                           ", this one knows " + std::to_string(kLayout) +
                           "); use that one, or name another file with --db",
                       "the database of jobs is of a newer version", true);
  }
  if (layout == 0) {
    database_.run(kTables);
    database_.run(("PRAGMA user_version=" + std::to_string(kLayout)).c_str());
  }
  if (!again) void_leases(1e300);
  whole.commit();
}

// Items whose lease ends before that wait again, or have been tried too often. Of several that
// ended together nobody knows which was at fault: each is tried alone the next time, and that
// counts.
void SqliteStore::void_leases(double before) {
  std::vector<int64_t> jobs;
  int64_t items = 0;
  {
    Query row(database_,
              "SELECT job, count(*) FROM items WHERE status = 'leased' AND until < ? GROUP BY job");
    row.with(before);
    for (; row.next(); items += row.whole(1)) jobs.push_back(row.whole(0));
  }
  if (jobs.empty()) return;
  Query(database_,
        "UPDATE items SET status = 'waiting', due = due + ?, deaths = deaths + ? "
        "WHERE status = 'leased' AND until < ?")
      .with(kStepBack)
      .with(int64_t{items == 1})
      .with(before)
      .run();
  Query(database_,
        "UPDATE items SET status = 'failed', error = ? WHERE status = 'waiting' AND deaths >= ?")
      .with(kTooOften)
      .with(int64_t{kMostTries})
      .run();
  for (const int64_t job : jobs) settle(job);
}

// A job that is at its end, or that nobody works on any more.
void SqliteStore::settle(int64_t job) {
  std::map<std::string, int64_t> items;
  {
    Query row(database_, "SELECT status, count(*) FROM items WHERE job = ? GROUP BY status");
    row.with(job);
    while (row.next()) items[row.text(0)] = row.whole(1);
  }
  if (items["leased"] > 0) return;
  if (items["waiting"] > 0) {
    Query(database_, "UPDATE jobs SET status = 'queued' WHERE number = ? AND status = 'running'")
        .with(job)
        .run();
    return;
  }
  Query(database_,
        "UPDATE jobs SET status = ?, finished = ? WHERE number = ? AND status IN ('queued', "
        "'running')")
      .with(items["failed"] > 0 ? "failed" : "done")
      .with(now_())
      .with(job)
      .run();
  Query(database_, "DELETE FROM requests WHERE job = ?").with(job).run();
}

// --- for clients ---------------------------------------------------------------------------------

std::optional<Store::Accepted> SqliteStore::earlier(const NewJob& job) {
  if (job.key.empty()) return {};
  Query same(database_, "SELECT id, digest FROM jobs WHERE owner = ? AND key = ?");
  same.with(job.owner).with(job.key);
  if (!same.next()) return {};
  if (same.text(1) == job.digest) return Accepted{same.text(0), true};
  throw Refusal(409, "idempotency_conflict",
                "this Idempotency-Key was used for another request; take a new one for a new job")
      .with("x-should-retry", "false");
}

void SqliteStore::check_room(int64_t items) {
  Query open(database_, "SELECT count(*) FROM items WHERE status IN ('waiting', 'leased')");
  open.next();
  if (open.whole(0) + items <= kMostItems) return;
  throw Refusal(429, "queue_full",
                std::to_string(open.whole(0)) + " pictures and answers wait already, of at most " +
                    std::to_string(kMostItems) + "; try again later")
      .with("Retry-After", "60");
}

Store::Accepted SqliteStore::accept(const NewJob& job) {
  const std::lock_guard lock(mutex_);
  database_.check_place();
  Transaction whole(database_);
  if (const auto before = earlier(job)) return *before;
  check_room(std::ssize(job.items));
  const double now = now_();
  Query(database_, "INSERT INTO jobs VALUES (NULL, ?, ?, ?, ?, ?, ?, 'queued', ?, 0, 0)")
      .with(job.id)
      .with(job.owner)
      .with(job.type)
      .with(job.metadata)
      .with(job.key)
      .with(job.digest)
      .with(now)
      .run();
  const int64_t number = database_.last_row();
  for (int64_t place = 0; place < std::ssize(job.requests); ++place) {
    Query(database_, "INSERT INTO requests VALUES (?, ?, ?)")
        .with(number)
        .with(place)
        .with(job.requests[static_cast<size_t>(place)])
        .run();
  }
  for (int64_t place = 0; place < std::ssize(job.items); ++place) {
    const NewJob::Item& item = job.items[static_cast<size_t>(place)];
    Query(database_, "INSERT INTO items VALUES (?, ?, ?, ?, 'waiting', ?, 0, 0, 0, 0, '')")
        .with(number)
        .with(place)
        .with(int64_t{item.request})
        .with(static_cast<int64_t>(item.seed))
        .with(now)
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
    job.items.push_back({static_cast<int>(items.whole(0)), static_cast<int>(items.whole(1)),
                         static_cast<uint64_t>(items.whole(2)), items.text(3),
                         static_cast<int>(items.whole(4)), items.text(5)});
  }
  if (job.status != "queued") return job;
  Query ahead(database_,
              "SELECT count(*) FROM items WHERE status IN ('waiting', 'leased') AND job < ?");
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
  int64_t number = 0;
  {
    Query row(database_,
              "UPDATE jobs SET status = 'cancelled', finished = ? WHERE owner = ? AND id = ? AND "
              "status IN ('queued', 'running') RETURNING number");
    row.with(now_()).with(owner).with(id);
    if (!row.next()) return false;
    number = row.whole(0);
    row.run();
  }
  // Its leases are worth nothing from now on, and nobody waits behind it.
  Query(database_,
        "UPDATE items SET status = 'cancelled' WHERE job = ? AND status IN ('waiting', 'leased')")
      .with(number)
      .run();
  Query(database_, "DELETE FROM requests WHERE job = ?").with(number).run();
  whole.commit();
  return true;
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
               "DELETE FROM jobs WHERE status IN ('done', 'failed', 'cancelled') AND finished <= ?")
      .with(now_() - seconds)
      .run();
}

JobCounts SqliteStore::counts() {
  const std::lock_guard lock(mutex_);
  JobCounts counts;
  counts.jobs = {{"queued", 0}, {"running", 0}, {"done", 0}, {"failed", 0}, {"cancelled", 0}};
  Query row(database_, "SELECT status, count(*) FROM jobs GROUP BY status");
  while (row.next()) counts.jobs[row.text(0)] = row.whole(1);
  Query waiting(database_, "SELECT count(*) FROM items WHERE status = 'waiting'");
  if (waiting.next()) counts.waiting = waiting.whole(0);
  return counts;
}

// --- for workers ---------------------------------------------------------------------------------

int64_t SqliteStore::next_lease() {
  Query row(database_, "UPDATE leases SET last = last + 1 RETURNING last");
  row.next();
  const int64_t number = row.whole(0);
  row.run();
  return number;
}

std::optional<Lease> SqliteStore::lease(double seconds) {
  const std::lock_guard lock(mutex_);
  database_.check_place();
  Transaction whole(database_);
  void_leases(now_());
  Lease lease;
  int64_t job = 0;
  {
    Query row(database_,
              "SELECT items.job, items.place, seed, tries, id, type, body FROM items "
              "JOIN jobs ON items.job = number "
              "JOIN requests ON requests.job = items.job AND requests.place = items.request "
              "WHERE items.status = 'waiting' ORDER BY due, items.job, items.place LIMIT 1");
    if (!row.next()) {
      whole.commit();
      return {};
    }
    job = row.whole(0);
    lease.index = static_cast<int>(row.whole(1));
    lease.seed = static_cast<uint64_t>(row.whole(2));
    lease.tries = static_cast<int>(row.whole(3)) + 1;
    lease.job = row.text(4);
    lease.type = row.text(5);
    lease.request = row.text(6);
  }
  lease.number = next_lease();
  Query(database_,
        "UPDATE items SET status = 'leased', tries = ?, lease = ?, until = ? WHERE job = ? AND "
        "place = ?")
      .with(int64_t{lease.tries})
      .with(lease.number)
      .with(now_() + seconds)
      .with(job)
      .with(int64_t{lease.index})
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

bool SqliteStore::end(const Lease& lease, std::string_view status, std::string_view error,
                      const ResultFile* file) {
  const std::lock_guard lock(mutex_);
  database_.check_place();
  Transaction whole(database_);
  int64_t job = 0;
  {
    Query held(database_,
               "UPDATE items SET status = ?, error = ? WHERE lease = ? AND status = 'leased' "
               "RETURNING job");
    held.with(status).with(error).with(lease.number);
    if (!held.next()) return false;
    job = held.whole(0);
    held.run();
  }
  if (file) {
    Query(database_, "INSERT INTO results VALUES (?, ?, ?, ?, ?)")
        .with(job)
        .with(int64_t{lease.index})
        .with(file->type)
        .with(file->digest)
        .with_bytes(file->bytes)
        .run();
  }
  // Between two of its items a job goes on running.
  Query open(database_,
             "SELECT 1 FROM items WHERE job = ? AND status IN ('waiting', 'leased') LIMIT 1");
  open.with(job);
  if (!open.next()) settle(job);
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
  int64_t job = 0;
  {
    Query held(database_,
               "UPDATE items SET status = 'waiting', tries = tries - 1 WHERE lease = ? AND "
               "status = 'leased' RETURNING job");
    held.with(lease.number);
    if (!held.next()) return false;
    job = held.whole(0);
    held.run();
  }
  settle(job);
  whole.commit();
  return true;
}

}  // namespace

std::unique_ptr<Store> open_sqlite_store(const std::filesystem::path& path,
                                         std::function<double()> now, bool again) {
  return std::make_unique<SqliteStore>(path, std::move(now), again);
}

}  // namespace janus::serve
