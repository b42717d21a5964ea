// See store.h for what is promised. Each call is one transaction. SPDX-License-Identifier: MIT
#include "serve/jobs/sql_store.h"

#include <mutex>

#include "serve/jobs/database.h"
#include "serve/jobs/postgres.h"
#include "serve/jobs/sqlite.h"
#include "serve/refusal.h"

namespace janus::serve {

namespace {

// Items are taken by when they are due: as they were accepted, those that were interrupted later,
// so that one that ends the server holds no line up.
constexpr double kStepBack = 600;  // seconds that an interrupted item gives way to later ones

constexpr std::string_view kJobColumns =
    "SELECT number, id, type, status, metadata, created, started, finished FROM jobs ";

constexpr std::string_view kTooOften =
    R"({"message":"it was tried 3 times by itself, and each time the server ended; see its log",)"
    R"("type":"server_error","param":null,"code":"internal_error"})";

class SqlStore : public Store {
 public:
  SqlStore(std::unique_ptr<Database> database, std::function<double()> clock, bool again);

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
  std::vector<std::string> changed_elsewhere() override;

 private:
  std::optional<Accepted> earlier(const NewJob& job);
  void check_room(int64_t items);
  void void_leases(double before);
  void settle(int64_t job);
  void hold(int64_t job);
  KeptJob read(Query& row);
  bool end(const Lease& lease, std::string_view status, std::string_view error,
           const ResultFile* file);
  std::optional<int64_t> change(const Lease& lease, const char* set,
                                const std::vector<SqlValue>& values);
  int64_t insert_job(const NewJob& job, double accepted);
  void insert_items(int64_t job, const std::vector<NewJob::Item>& items, double accepted);
  void tell(int64_t job);
  double now() { return clock_ ? clock_() : database_->now(); }

  const std::function<double()> clock_;
  std::mutex mutex_;  // of what follows
  const std::unique_ptr<Database> database_;
};

SqlStore::SqlStore(std::unique_ptr<Database> database, std::function<double()> clock, bool again)
    : clock_(std::move(clock)), database_(std::move(database)) {
  if (again || database_->shared()) return;
  Transaction whole(*database_);
  void_leases(1e300);  // of the server before this one
  whole.commit();
}

// Items whose lease ends before that wait again. One that was tried by itself so often is what ends
// servers; of several that end together at their first try nobody knows which was at fault, so
// those do not count.
void SqlStore::void_leases(double before) {
  std::map<int64_t, std::vector<int64_t>> lost;  // job -> places
  {
    Query row(*database_,
              std::string("SELECT job, place FROM items WHERE status = 'leased' AND until < $1 "
                          "ORDER BY job, place") +
                  database_->claim());
    row.with(before);
    while (row.next()) lost[row.whole(0)].push_back(row.whole(1));
  }
  for (const auto& [job, places] : lost) {
    for (const int64_t place : places) {
      Query(*database_,
            "UPDATE items SET due = due + $1, "
            "status = CASE WHEN tries > $2 THEN 'failed' ELSE 'waiting' END, "
            "error = CASE WHEN tries > $2 THEN $3 ELSE '' END WHERE job = $4 AND place = $5")
          .with(kStepBack)
          .with(int64_t{kMostTries})
          .with(kTooOften)
          .with(job)
          .with(place)
          .run();
    }
  }
  for (const auto& [job, places] : lost) {
    hold(job);
    settle(job);
  }
}

// What others do to this job is seen whole from here on, and they wait for us.
void SqlStore::hold(int64_t job) {
  Query(*database_, std::string("SELECT number FROM jobs WHERE number = $1") + database_->hold())
      .with(job)
      .run();
}

void SqlStore::tell(int64_t job) {
  if (!database_->shared()) return;
  Query row(*database_, "SELECT id FROM jobs WHERE number = $1");
  row.with(job);
  if (row.next()) database_->tell(row.text(0));
}

// A job, held, that is at its end, or that nobody works on any more.
void SqlStore::settle(int64_t job) {
  tell(job);
  std::map<std::string, int64_t> items;
  {
    Query row(*database_, "SELECT status, count(*) FROM items WHERE job = $1 GROUP BY status");
    row.with(job);
    while (row.next()) items[row.text(0)] = row.whole(1);
  }
  if (items["leased"] > 0) return;
  if (items["waiting"] > 0) {
    Query(*database_, "UPDATE jobs SET status = 'queued' WHERE number = $1 AND status = 'running'")
        .with(job)
        .run();
    return;
  }
  Query(*database_,
        "UPDATE jobs SET status = $1, finished = $2 WHERE number = $3 AND status IN ('queued', "
        "'running')")
      .with(items["failed"] > 0 ? "failed" : "done")
      .with(now())
      .with(job)
      .run();
  Query(*database_, "DELETE FROM requests WHERE job = $1").with(job).run();
}

// --- for clients ---------------------------------------------------------------------------------

std::optional<Store::Accepted> SqlStore::earlier(const NewJob& job) {
  if (job.key.empty()) return {};
  Query same(*database_, "SELECT id, digest FROM jobs WHERE owner = $1 AND key = $2");
  same.with(job.owner).with(job.key);
  if (!same.next()) return {};
  if (same.text(1) == job.digest) return Accepted{same.text(0), true};
  throw Refusal(409, "idempotency_conflict",
                "this Idempotency-Key was used for another request; take a new one for a new job")
      .with("x-should-retry", "false");
}

void SqlStore::check_room(int64_t items) {
  Query open(*database_, "SELECT count(*) FROM items WHERE status IN ('waiting', 'leased')");
  open.next();
  if (open.whole(0) + items <= kMostItems) return;
  throw Refusal(429, "queue_full",
                std::to_string(open.whole(0)) + " pictures and answers wait already, of at most " +
                    std::to_string(kMostItems) + "; try again later")
      .with("Retry-After", "60");
}

// Its number; 0 where another server has accepted the same key meanwhile.
int64_t SqlStore::insert_job(const NewJob& job, double accepted) {
  Query row(*database_,
            "INSERT INTO jobs (id, owner, type, metadata, key, digest, status, created, started, "
            "finished) VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, 0, 0) "
            "ON CONFLICT (owner, key) WHERE key <> '' DO NOTHING RETURNING number");
  row.with(job.id).with(job.owner).with(job.type).with(job.metadata).with(job.key);
  row.with(job.digest).with(accepted);
  const int64_t number = row.next() ? row.whole(0) : 0;
  row.run();
  return number;
}

void SqlStore::insert_items(int64_t job, const std::vector<NewJob::Item>& items, double accepted) {
  constexpr int64_t kAtOnce = 100;
  for (int64_t first = 0; first < std::ssize(items); first += kAtOnce) {
    const int64_t end = std::min(first + kAtOnce, std::ssize(items));
    std::string sql = "INSERT INTO items VALUES ";
    for (int64_t place = first; place < end; ++place) {
      const auto value = [&](int64_t i) { return "$" + std::to_string(3 * (place - first) + i); };
      sql += (place == first ? "($1, " : ", ($1, ") + value(3) + ", " + value(4) + ", " + value(5) +
             ", 'waiting', $2, 0, 0, 0, '')";
    }
    Query query(*database_, sql);
    query.with(job).with(accepted);
    for (int64_t place = first; place < end; ++place) {
      const NewJob::Item& item = items[static_cast<size_t>(place)];
      query.with(place).with(int64_t{item.request}).with(static_cast<int64_t>(item.seed));
    }
    query.run();
  }
}

Store::Accepted SqlStore::accept(const NewJob& job) {
  const std::lock_guard lock(mutex_);
  database_->check_place();
  Transaction whole(*database_);
  const double accepted = now();
  int64_t number = 0;
  while (number == 0) {
    if (const auto before = earlier(job)) return *before;
    check_room(std::ssize(job.items));
    number = insert_job(job, accepted);
  }
  for (int64_t place = 0; place < std::ssize(job.requests); ++place) {
    Query(*database_, "INSERT INTO requests VALUES ($1, $2, $3)")
        .with(number)
        .with(place)
        .with(job.requests[static_cast<size_t>(place)])
        .run();
  }
  insert_items(number, job.items, accepted);
  whole.commit();
  return {job.id, false};
}

KeptJob SqlStore::read(Query& row) {
  KeptJob job;
  const int64_t number = row.whole(0);
  job.id = row.text(1);
  job.type = row.text(2);
  job.status = row.text(3);
  job.metadata = row.text(4);
  job.created = row.number(5);
  job.started = row.number(6);
  job.finished = row.number(7);
  Query items(*database_,
              "SELECT place, request, seed, status, tries, error FROM items WHERE job = $1 "
              "ORDER BY place");
  items.with(number);
  while (items.next()) {
    job.items.push_back({static_cast<int>(items.whole(0)), static_cast<int>(items.whole(1)),
                         static_cast<uint64_t>(items.whole(2)), items.text(3),
                         static_cast<int>(items.whole(4)), items.text(5)});
  }
  if (job.status != "queued") return job;
  Query ahead(*database_,
              "SELECT count(*) FROM items WHERE status IN ('waiting', 'leased') AND job < $1");
  ahead.with(number).next();
  job.position = ahead.whole(0);
  return job;
}

std::optional<KeptJob> SqlStore::find(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  Query row(*database_, std::string(kJobColumns) + "WHERE owner = $1 AND id = $2");
  row.with(owner).with(id);
  if (!row.next()) return {};
  return read(row);
}

std::vector<KeptJob> SqlStore::list(const std::string& owner, const std::string& after,
                                    const std::string& status, int limit) {
  const std::lock_guard lock(mutex_);
  Query row(*database_, std::string(kJobColumns) +
                            "WHERE owner = $1 AND ($2 = '' OR number < (SELECT number FROM jobs "
                            "WHERE owner = $1 AND id = $2)) AND ($3 = '' OR status = $3) "
                            "ORDER BY number DESC LIMIT $4");
  row.with(owner).with(after).with(status).with(int64_t{limit});
  std::vector<KeptJob> jobs;
  while (row.next()) jobs.push_back(read(row));
  return jobs;
}

std::optional<ResultFile> SqlStore::result(const std::string& owner, const std::string& id,
                                           int index) {
  const std::lock_guard lock(mutex_);
  Query row(*database_,
            "SELECT results.type, results.digest, bytes FROM results JOIN jobs ON job = number "
            "WHERE owner = $1 AND id = $2 AND place = $3");
  row.with(owner).with(id).with(int64_t{index});
  if (!row.next()) return {};
  return ResultFile{row.text(0), row.text(1), row.text(2)};
}

bool SqlStore::cancel(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  Transaction whole(*database_);
  int64_t number = 0;
  {
    Query row(*database_,
              "SELECT number FROM jobs WHERE owner = $1 AND id = $2 AND "
              "status IN ('queued', 'running')");
    row.with(owner).with(id);
    if (!row.next()) return false;
    number = row.whole(0);
  }
  Query(*database_,
        std::string("SELECT place FROM items WHERE job = $1 ORDER BY place") + database_->hold())
      .with(number)
      .run();
  const int64_t ended = Query(*database_,
                              "UPDATE jobs SET status = 'cancelled', finished = $1 WHERE "
                              "number = $2 AND status IN ('queued', 'running')")
                            .with(now())
                            .with(number)
                            .run();
  if (ended == 0) return false;  // another server has just brought it to its end
  // Its leases are worth nothing from now on, and nobody waits behind it.
  Query(*database_,
        "UPDATE items SET status = 'cancelled' WHERE job = $1 AND status IN ('waiting', 'leased')")
      .with(number)
      .run();
  Query(*database_, "DELETE FROM requests WHERE job = $1").with(number).run();
  database_->tell(id);
  whole.commit();
  return true;
}

bool SqlStore::remove(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  Transaction whole(*database_);
  const int64_t gone = Query(*database_,
                             "DELETE FROM jobs WHERE owner = $1 AND id = $2 AND status NOT IN "
                             "('queued', 'running')")
                           .with(owner)
                           .with(id)
                           .run();
  if (gone == 0) return false;
  database_->tell(id);
  whole.commit();
  return true;
}

int SqlStore::remove_old(double seconds) {
  const std::lock_guard lock(mutex_);
  const int64_t gone = Query(*database_,
                             "DELETE FROM jobs WHERE status IN ('done', 'failed', 'cancelled') AND "
                             "finished <= $1")
                           .with(now() - seconds)
                           .run();
  return static_cast<int>(gone);
}

JobCounts SqlStore::counts() {
  const std::lock_guard lock(mutex_);
  JobCounts counts;
  counts.jobs = {{"queued", 0}, {"running", 0}, {"done", 0}, {"failed", 0}, {"cancelled", 0}};
  Query row(*database_, "SELECT status, count(*) FROM jobs GROUP BY status");
  while (row.next()) counts.jobs[row.text(0)] = row.whole(1);
  Query waiting(*database_, "SELECT count(*) FROM items WHERE status = 'waiting'");
  if (waiting.next()) counts.waiting = waiting.whole(0);
  return counts;
}

// --- for workers ---------------------------------------------------------------------------------

std::optional<Lease> SqlStore::lease(double seconds) {
  const std::lock_guard lock(mutex_);
  database_->check_place();
  {
    Transaction whole(*database_);
    void_leases(now());
    whole.commit();
  }
  Transaction whole(*database_);
  Lease lease;
  int64_t job = 0;
  {
    Query row(
        *database_,
        std::string("SELECT items.job, items.place, seed, tries, lease, id, type, body FROM items "
                    "JOIN jobs ON items.job = number "
                    "JOIN requests ON requests.job = items.job AND requests.place = items.request "
                    "WHERE items.status = 'waiting' ORDER BY due, items.job, items.place LIMIT 1") +
            database_->claim());
    if (!row.next()) {
      whole.commit();
      return {};
    }
    job = row.whole(0);
    lease.index = static_cast<int>(row.whole(1));
    lease.seed = static_cast<uint64_t>(row.whole(2));
    lease.tries = static_cast<int>(row.whole(3)) + 1;
    lease.number = row.whole(4) + 1;
    lease.job = row.text(5);
    lease.type = row.text(6);
    lease.request = row.text(7);
  }
  Query(*database_,
        "UPDATE items SET status = 'leased', tries = $1, lease = $2, until = $3 WHERE job = $4 AND "
        "place = $5")
      .with(int64_t{lease.tries})
      .with(lease.number)
      .with(now() + seconds)
      .with(job)
      .with(int64_t{lease.index})
      .run();
  Query(*database_,
        "UPDATE jobs SET status = 'running', started = CASE started WHEN 0 THEN $1 ELSE started "
        "END WHERE number = $2")
      .with(now())
      .with(job)
      .run();
  database_->tell(lease.job);
  whole.commit();
  return lease;
}

// Of the item, as long as the lease is its newest: its job's number.
std::optional<int64_t> SqlStore::change(const Lease& lease, const char* set,
                                        const std::vector<SqlValue>& values) {
  Query row(*database_, std::string("UPDATE items SET ") + set +
                            " WHERE job = (SELECT number FROM jobs WHERE id = $1) AND "
                            "place = $2 AND lease = $3 AND status = 'leased' RETURNING job");
  row.with(lease.job).with(int64_t{lease.index}).with(lease.number);
  for (const SqlValue& value : values) row.with(value);
  std::optional<int64_t> job;
  if (row.next()) job = row.whole(0);
  row.run();
  return job;
}

bool SqlStore::renew(const Lease& lease, double seconds) {
  const std::lock_guard lock(mutex_);
  return change(lease, "until = $4", {now() + seconds}).has_value();
}

bool SqlStore::end(const Lease& lease, std::string_view status, std::string_view error,
                   const ResultFile* file) {
  const std::lock_guard lock(mutex_);
  database_->check_place();
  Transaction whole(*database_);
  const auto job = change(lease, "status = $4, error = $5", {status, error});
  if (!job) return false;
  if (file) {
    Query(*database_, "INSERT INTO results VALUES ($1, $2, $3, $4, $5)")
        .with(*job)
        .with(int64_t{lease.index})
        .with(file->type)
        .with(file->digest)
        .with(Bytes{file->bytes})
        .run();
  }
  hold(*job);
  // Between two of its items a job goes on running.
  Query open(*database_,
             "SELECT place FROM items WHERE job = $1 AND status IN ('waiting', 'leased') LIMIT 1");
  open.with(*job);
  open.next() ? tell(*job) : settle(*job);
  whole.commit();
  return true;
}

bool SqlStore::finish(const Lease& lease, const ResultFile& file) {
  return end(lease, "done", "", &file);
}

bool SqlStore::fail(const Lease& lease, const std::string& error) {
  return end(lease, "failed", error, nullptr);
}

bool SqlStore::give_back(const Lease& lease) {
  const std::lock_guard lock(mutex_);
  Transaction whole(*database_);
  const auto job = change(lease, "status = 'waiting', tries = tries - 1", {});
  if (!job) return false;
  hold(*job);
  settle(*job);
  whole.commit();
  return true;
}

std::vector<std::string> SqlStore::changed_elsewhere() {
  const std::lock_guard lock(mutex_);
  return database_->told();
}

}  // namespace

std::unique_ptr<Store> open_store(const std::string& db, bool again,
                                  std::function<double()> clock) {
  return std::make_unique<SqlStore>(is_postgres(db) ? open_postgres(db) : open_sqlite(db, again),
                                    std::move(clock), again);
}

}  // namespace janus::serve
