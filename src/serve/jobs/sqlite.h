// A few lines over SQLite's C interface: what fails throws StoreFailure with the file, the reason
// and the cure. One thread at a time. SPDX-License-Identifier: MIT
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace janus::serve {

class Sqlite {
 public:
  // Creates the file and its folder where they lack, for this user alone. What is committed is on
  // disk.
  explicit Sqlite(const std::string& path);
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  void run(const char* sql);
  int changes() const { return sqlite3_changes(handle_.get()); }
  int64_t last_row() const { return sqlite3_last_insert_rowid(handle_.get()); }
  // Throws unless the file is still the one at its path: what is written to a removed file is lost.
  void check_place() const;
  // Throws unless every page can be read. Takes as long as reading the file.
  void check_pages();
  [[noreturn]] void failed(int code) const;

 private:
  friend class Query;
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

// One statement, its values given in order.
class Query {
 public:
  Query(Sqlite& database, std::string_view sql);
  Query& with(int64_t value);
  Query& with(double value);
  Query& with(std::string_view value);        // must outlive the query's rows
  Query& with_bytes(std::string_view value);  // the same, as a BLOB

  bool next();  // to the next row
  int run();    // to its end; rows that changed
  int64_t whole(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  double number(int column) const { return sqlite3_column_double(statement_.get(), column); }
  std::string text(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  Query& bound(int code);

  Sqlite& database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int values_ = 0;
};

// All of it or nothing.
class Transaction {
 public:
  explicit Transaction(Sqlite& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Sqlite& database_;
  bool open_ = true;
};

}  // namespace janus::serve
