// Database: what the store of jobs needs of an SQL database, which is a file of SQLite's or
// PostgreSQL. Statements are written once, for both: parameters are $1, $2, …, whole numbers
// BIGINT, times DOUBLE PRECISION in seconds since 1970, and nothing is NULL. Whatever fails throws
// StoreFailure. One thread at a time. SPDX-License-Identifier: MIT
//
// The tables, which each database makes in its own words:
//   jobs      number (rises and is never used again), id, owner, type, metadata, key, digest,
//             status, created, started, finished
//   requests  job, place, body; gone when the job is over
//   items     job, place, request, seed, status, due, tries, lease, until, error
//   results   job, place, type, digest, bytes
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace janus::serve {

struct Bytes {
  std::string_view of;
};
using SqlValue = std::variant<int64_t, double, std::string_view, Bytes>;

// What a statement gives, row by row.
class Rows {
 public:
  virtual ~Rows() = default;
  virtual bool next() = 0;
  virtual int64_t whole(int column) const = 0;
  virtual double number(int column) const = 0;
  virtual std::string text(int column) const = 0;  // or bytes
  virtual int64_t changed() const = 0;             // rows of the database, once next() is false
};

class Database {
 public:
  virtual ~Database() = default;

  // The values must outlive the rows.
  virtual std::unique_ptr<Rows> execute(const std::string& sql,
                                        const std::vector<SqlValue>& values) = 0;
  virtual double now() = 0;

  // Throws where what is written now would not be found again.
  virtual void check_place() {}
  // Whether other servers work on it at the same time.
  virtual bool shared() const = 0;
  // How a transaction that writes begins.
  virtual const char* begin() const = 0;
  // Where others work beside us, the end of a SELECT that makes its rows ours until the transaction
  // ends: hold() waits for whoever has them, claim() passes items over that are another's. Whoever
  // needs both takes items before jobs, and of several jobs the lowest number first, so that two
  // cannot wait for each other.
  virtual const char* hold() const { return ""; }
  virtual const char* claim() const { return ""; }

  // Tells other servers, when the transaction is committed, that this job is another one now.
  virtual void tell(const std::string& /*id*/) {}
  // What they have told since the last call.
  virtual std::vector<std::string> told() { return {}; }
};

// One statement, its values given in order.
class Query {
 public:
  Query(Database& database, std::string sql) : database_(database), sql_(std::move(sql)) {}
  Query& with(const SqlValue& value);  // a text or bytes must outlive the query

  bool next();    // to the next row
  int64_t run();  // to its end; rows that changed
  int64_t whole(int column) const { return rows_->whole(column); }
  double number(int column) const { return rows_->number(column); }
  std::string text(int column) const { return rows_->text(column); }

 private:
  Database& database_;
  const std::string sql_;
  std::vector<SqlValue> values_;
  std::unique_ptr<Rows> rows_;
};

// All of it or nothing.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace janus::serve
