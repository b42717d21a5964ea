// A few lines over SQLite's C interface: what fails throws with the file, the reason and the cure.
// SPDX-License-Identifier: MIT
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace janus::serve {

class Sqlite {
 public:
  // Creates the file and its folder where they lack. This process alone has it until it ends,
  // however it ends. Throws Code::device_failure; Code::bad_input where another has it.
  explicit Sqlite(const std::string& path);
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  void run(const char* sql);
  int changes() const { return sqlite3_changes(handle_.get()); }
  [[noreturn]] void failed(int code) const;
  sqlite3* handle() const { return handle_.get(); }

 private:
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
  Query& with(std::string_view value);

  bool next();  // to the next row
  int run();    // to its end; rows that changed
  int64_t whole(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  double number(int column) const { return sqlite3_column_double(statement_.get(), column); }
  std::string text(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  Sqlite& database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bound_ = 0;
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
