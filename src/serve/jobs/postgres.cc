// libpq's asynchronous calls, so that a server that hangs holds nobody up for long.
// SPDX-License-Identifier: MIT
#include "serve/jobs/postgres.h"

#include <libpq-fe.h>
#include <poll.h>

#include <array>
#include <bit>
#include <chrono>
#include <cstdlib>
#include <set>

#include "serve/jobs/store.h"
#include "serve/options.h"

namespace janus::serve {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(5);  // for an answer
constexpr const char* kConnectSeconds = "3";
constexpr int kLayout = 1;
constexpr const char* kGone = "the database of jobs is not reached";

// Answers in time, and transactions that a stopped program leaves open are ended.
constexpr const char* kSettings =
    "SET synchronous_commit = on; SET statement_timeout = '4s'; SET lock_timeout = '3s'; "
    "SET idle_in_transaction_session_timeout = '30s'; SET client_min_messages = warning";

constexpr const char* kTables = R"(
CREATE SCHEMA januspro;
CREATE TABLE januspro.layout (version BIGINT NOT NULL);
INSERT INTO januspro.layout VALUES (1);
CREATE TABLE januspro.jobs (
  number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id TEXT NOT NULL UNIQUE,
  owner TEXT NOT NULL, type TEXT NOT NULL, metadata TEXT NOT NULL, key TEXT NOT NULL,
  digest TEXT NOT NULL, status TEXT NOT NULL, created DOUBLE PRECISION NOT NULL,
  started DOUBLE PRECISION NOT NULL, finished DOUBLE PRECISION NOT NULL);
CREATE UNIQUE INDEX jobs_key ON januspro.jobs (owner, key) WHERE key <> '';
CREATE INDEX jobs_owner ON januspro.jobs (owner, number);
CREATE INDEX jobs_status ON januspro.jobs (status, finished);
CREATE TABLE januspro.requests (
  job BIGINT NOT NULL REFERENCES januspro.jobs ON DELETE CASCADE, place BIGINT NOT NULL,
  body TEXT NOT NULL, PRIMARY KEY (job, place));
CREATE TABLE januspro.items (
  job BIGINT NOT NULL REFERENCES januspro.jobs ON DELETE CASCADE, place BIGINT NOT NULL,
  request BIGINT NOT NULL, seed BIGINT NOT NULL, status TEXT NOT NULL,
  due DOUBLE PRECISION NOT NULL, tries BIGINT NOT NULL, lease BIGINT NOT NULL,
  until DOUBLE PRECISION NOT NULL, error TEXT NOT NULL, PRIMARY KEY (job, place));
CREATE INDEX items_due ON januspro.items (status, due, job, place);
CREATE TABLE januspro.results (
  job BIGINT NOT NULL REFERENCES januspro.jobs ON DELETE CASCADE, place BIGINT NOT NULL,
  type TEXT NOT NULL, digest TEXT NOT NULL, bytes BYTEA NOT NULL, PRIMARY KEY (job, place));
)";

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGnotify* notice) const { PQfreemem(notice); }
  void operator()(char* text) const { PQfreemem(text); }
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Result = std::unique_ptr<PGresult, Clear>;

std::string without_end_of_line(const char* text) {
  std::string line = text ? text : "";
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  for (char& c : line) c = c == '\n' ? ' ' : c;
  return line;
}

// --- values as PostgreSQL's binary format has them: most significant byte first
// -------------------

std::string big_endian(uint64_t bits) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(bits >> (56 - 8 * i));
  return bytes;
}

uint64_t from_big_endian(const char* bytes, int size) {
  uint64_t bits = 0;
  for (int i = 0; i < size; ++i) bits = bits << 8 | static_cast<unsigned char>(bytes[i]);
  return bits;
}

// PostgreSQL's numbers of types (catalog/pg_type.dat).
constexpr Oid kBytea = 17, kInt8 = 20, kText = 25, kFloat8 = 701;

struct Parameters {
  explicit Parameters(const std::vector<SqlValue>& values) {
    numbers.reserve(values.size());
    for (const SqlValue& value : values) {
      std::string_view bytes;
      if (const auto* const whole = std::get_if<int64_t>(&value)) {
        bytes = numbers.emplace_back(big_endian(static_cast<uint64_t>(*whole)));
        types.push_back(kInt8);
      } else if (const auto* const number = std::get_if<double>(&value)) {
        bytes = numbers.emplace_back(big_endian(std::bit_cast<uint64_t>(*number)));
        types.push_back(kFloat8);
      } else if (const auto* const blob = std::get_if<Bytes>(&value)) {
        bytes = blob->of;
        types.push_back(kBytea);
      } else {
        bytes = std::get<std::string_view>(value);
        types.push_back(kText);
      }
      pointers.push_back(bytes.data() ? bytes.data() : "");  // a null pointer would be NULL
      lengths.push_back(static_cast<int>(bytes.size()));
      formats.push_back(1);
    }
  }
  std::vector<std::string> numbers;
  std::vector<Oid> types;
  std::vector<const char*> pointers;
  std::vector<int> lengths, formats;
};

class PostgresRows : public Rows {
 public:
  explicit PostgresRows(Result result) : result_(std::move(result)) {}

  bool next() override { return ++row_ < PQntuples(result_.get()); }
  int64_t whole(int column) const override { return static_cast<int64_t>(bits(column)); }
  double number(int column) const override { return std::bit_cast<double>(bits(column)); }
  std::string text(int column) const override {
    return {PQgetvalue(result_.get(), row_, column),
            static_cast<size_t>(PQgetlength(result_.get(), row_, column))};
  }
  int64_t changed() const override { return std::atoll(PQcmdTuples(result_.get())); }

 private:
  uint64_t bits(int column) const {
    return from_big_endian(PQgetvalue(result_.get(), row_, column),
                           PQgetlength(result_.get(), row_, column));
  }

  const Result result_;
  int row_ = -1;
};

class PostgresDatabase : public Database {
 public:
  explicit PostgresDatabase(const std::string& address);

  std::unique_ptr<Rows> execute(const std::string& sql,
                                const std::vector<SqlValue>& values) override;
  double now() override;
  bool shared() const override { return true; }
  const char* begin() const override { return "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"; }
  const char* hold() const override { return " FOR NO KEY UPDATE"; }
  const char* claim() const override { return " FOR UPDATE OF items SKIP LOCKED"; }
  void tell(const std::string& id) override;
  std::vector<std::string> told() override;

 private:
  void make_tables();
  void run(const char* sql);
  Result answer();
  void wait(Clock::time_point deadline);
  void check_sent(bool sent);
  [[noreturn]] void refused(const PGresult* result);
  [[noreturn]] void gone(const std::string& why);

  std::string name_ = "PostgreSQL";
  std::unique_ptr<PGconn, Clear> connection_;
};

PostgresDatabase::PostgresDatabase(const std::string& address) {
  const std::array<const char*, 5> names = {"connect_timeout", "fallback_application_name",
                                            "dbname", "client_encoding", nullptr};
  const std::array<const char*, 5> values = {kConnectSeconds, "januspro", address.c_str(), "UTF8",
                                             nullptr};
  connection_.reset(PQconnectdbParams(names.data(), values.data(), 1));
  PGconn* const connection = connection_.get();
  const auto text = [](const char* part) { return std::string(part ? part : ""); };
  name_ += " at " + text(PQhost(connection)) + ":" + text(PQport(connection)) + "/" +
           text(PQdb(connection));
  if (PQstatus(connection) != CONNECTION_OK) gone(without_end_of_line(PQerrorMessage(connection)));
  PQsetnonblocking(connection, 1);
  run(kSettings);
  make_tables();
  run("SET search_path = januspro; LISTEN januspro_jobs");
}

// One server makes them, the others wait for it.
void PostgresDatabase::make_tables() {
  Transaction whole(*this);
  Query(*this, "SELECT 1 FROM pg_advisory_xact_lock(7021120)").run();
  Query there(*this,
              "SELECT 1 FROM pg_tables WHERE schemaname = 'januspro' AND "
              "tablename = 'layout'");
  if (!there.next()) run(kTables);
  Query layout(*this, "SELECT version FROM januspro.layout");
  const int64_t version = layout.next() ? layout.whole(0) : 0;
  if (version != kLayout) {
    throw StoreFailure("the database of jobs, " + name_ + ", is of another januspro (layout " +
                           std::to_string(version) + ", this one knows " + std::to_string(kLayout) +
                           "); use that one, or name another database",
                       "the database of jobs is of another version", true);
  }
  whole.commit();
}

std::unique_ptr<Rows> PostgresDatabase::execute(const std::string& sql,
                                                const std::vector<SqlValue>& values) {
  const Parameters given(values);
  check_sent(connection_ &&
             PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()),
                               given.types.data(), given.pointers.data(), given.lengths.data(),
                               given.formats.data(), 1) == 1);
  return std::make_unique<PostgresRows>(answer());
}

// Several statements, without values.
void PostgresDatabase::run(const char* sql) {
  check_sent(connection_ && PQsendQuery(connection_.get(), sql) == 1);
  answer();
}

void PostgresDatabase::check_sent(bool sent) {
  if (!sent) gone(connection_ ? without_end_of_line(PQerrorMessage(connection_.get())) : "closed");
}

// The last result, or the first error.
Result PostgresDatabase::answer() {
  const auto deadline = Clock::now() + kPatience;
  Result last;
  while (true) {
    wait(deadline);
    Result result(PQgetResult(connection_.get()));
    if (!result) break;
    const bool bad = last && PQresultStatus(last.get()) == PGRES_FATAL_ERROR;
    if (!bad) last = std::move(result);
  }
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    gone(without_end_of_line(PQerrorMessage(connection_.get())));
  }
  const auto status = last ? PQresultStatus(last.get()) : PGRES_FATAL_ERROR;
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) refused(last.get());
  return last;
}

// Until PQgetResult() does not block.
void PostgresDatabase::wait(Clock::time_point deadline) {
  PGconn* const connection = connection_.get();
  while (true) {
    const int unsent = PQflush(connection);
    if (unsent < 0) gone(without_end_of_line(PQerrorMessage(connection)));
    if (unsent == 0 && PQisBusy(connection) == 0) return;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd socket{PQsocket(connection), static_cast<short>(unsent ? POLLIN | POLLOUT : POLLIN), 0};
    if (left <= 0 || ::poll(&socket, 1, static_cast<int>(left)) == 0) gone("it does not answer");
    if (PQconsumeInput(connection) == 0) gone(without_end_of_line(PQerrorMessage(connection)));
  }
}

// What was under way may have been done or not; nothing more is asked of this connection.
void PostgresDatabase::gone(const std::string& why) {
  connection_.reset();
  throw StoreFailure("the database of jobs, " + name_ + ": " + why +
                         "; see that it runs and takes us, or name another with --db",
                     kGone, true);
}

void PostgresDatabase::refused(const PGresult* result) {
  struct Fault {
    std::string_view state;  // SQLSTATE, or how it begins
    const char* reason;
    const char* cure;
    bool lasting;
  };
  static constexpr std::array<Fault, 7> kFaults = {{
      {"22", "the database of jobs cannot hold this", "look at the text that it names", false},
      {"53100", "the disk that holds the jobs is full", "make room on it", false},
      {"40", "the database of jobs is busy", "it is tried again", false},
      {"55P03", "the database of jobs is busy", "see who holds its rows", false},
      {"57014", "the database of jobs is busy", "see what slows it", false},
      {"25006", "the database of jobs cannot be written", "name the one that is no copy", true},
      {"42501", "the database of jobs cannot be written",
       "let its user make the schema januspro and write to it", true},
  }};
  Fault fault = {"", "the database of jobs does not serve", "see its log", true};
  const char* const code = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : nullptr;
  const std::string_view state = code ? code : "";
  for (const Fault& each : kFaults) {
    if (state.starts_with(each.state)) fault = each;
  }
  const char* const words = result ? PQresultErrorMessage(result) : "";
  throw StoreFailure(
      "the database of jobs, " + name_ + ": " + without_end_of_line(words) + "; " + fault.cure,
      fault.reason, fault.lasting);
}

double PostgresDatabase::now() {
  Query query(*this, "SELECT extract(epoch FROM clock_timestamp())::float8");
  query.next();
  return query.number(0);
}

void PostgresDatabase::tell(const std::string& id) {
  Query(*this, "SELECT 1 FROM pg_notify('januspro_jobs', $1)").with(id).run();
}

std::vector<std::string> PostgresDatabase::told() {
  if (!connection_) gone("closed");
  PGconn* const connection = connection_.get();
  if (PQconsumeInput(connection) == 0) gone(without_end_of_line(PQerrorMessage(connection)));
  std::set<std::string> ids;
  while (const std::unique_ptr<PGnotify, Clear> notice{PQnotifies(connection)}) {
    if (notice->be_pid != PQbackendPID(connection)) ids.insert(notice->extra);
  }
  return {ids.begin(), ids.end()};
}

}  // namespace

bool is_postgres(const std::string& db) {
  return db.starts_with("postgres://") || db.starts_with("postgresql://");
}

std::string fault_of_db(const std::string& db) {
  if (!is_postgres(db)) return {};
  char* text = nullptr;
  const std::unique_ptr<PQconninfoOption, Clear> options(PQconninfoParse(db.c_str(), &text));
  const std::unique_ptr<char, Clear> fault(text);
  return options ? std::string() : without_end_of_line(fault.get());
}

std::unique_ptr<Database> open_postgres(const std::string& address) {
  return std::make_unique<PostgresDatabase>(address);
}

}  // namespace janus::serve
