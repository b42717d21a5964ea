// Store: jobs that survive. What was accepted is kept until it is removed; each item is worked on
// under a lease, and its result is written once, by the holder of its newest lease. All times are
// the database's own, so that several servers can work on one.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "januspro/error.hpp"

namespace janus::serve {

// Tries of one item by itself, after one beside others: a request that ends the server must not do
// it for ever.
inline constexpr int kMostTries = 3;
// Items of all jobs that may be unfinished.
inline constexpr int64_t kMostItems = 10'000;

// The database does not serve; nothing was changed. The text names the file, for the log.
class StoreFailure : public Error {
 public:
  StoreFailure(const std::string& text, std::string reason, bool lasting)
      : Error(Code::device_failure, text), reason_(std::move(reason)), lasting_(lasting) {}
  const std::string& reason() const { return reason_; }  // for clients: no path in it
  bool lasting() const { return lasting_; }              // this connection is of no use any more

 private:
  std::string reason_;
  bool lasting_;
};

struct NewJob {
  struct Item {
    int request = 0;    // its place in the list of requests
    uint64_t seed = 0;  // chosen at acceptance, so that every try gives the same bytes
  };
  std::string id = {};
  std::string owner = {};                  // others do not see it
  std::string type = {};                   // "draw", "edit", "ask"
  std::string metadata = {};               // JSON
  std::string key = {};                    // of idempotency, among the owner's; empty: none
  std::string digest = {};                 // of the body as it came
  std::vector<std::string> requests = {};  // JSON, for the worker alone
  std::vector<Item> items = {};
};

struct KeptItem {
  int index = 0, request = 0;
  uint64_t seed = 0;
  std::string status = {};  // "waiting", "leased", "done", "failed", "cancelled"
  int tries = 0;
  std::string error = {};  // JSON; empty: none
};

struct KeptJob {
  std::string id = {}, type = {};
  std::string status = {};    // "queued", "running", "done", "failed", "cancelled"
  std::string metadata = {};  // JSON
  double created = 0, started = 0, finished = 0;  // seconds since 1970; 0: not yet
  int64_t position = 0;                           // items ahead, while it is queued
  std::vector<KeptItem> items = {};

  bool over() const { return status != "queued" && status != "running"; }
};

// The right to work on one item until its time has passed.
struct Lease {
  std::string job = {}, type = {};
  std::string request = {};  // JSON
  int index = 0;
  uint64_t seed = 0;
  int tries = 0;       // this one included
  int64_t number = 0;  // of the item's leases; an older one is worth nothing
};

struct ResultFile {
  std::string type = {};    // media type
  std::string digest = {};  // SHA-256 of the bytes, in hex
  std::string bytes = {};
};

struct JobCounts {
  std::map<std::string, int64_t> jobs = {};  // by status
  int64_t waiting = 0;                       // items
};

// From any thread. Everything throws StoreFailure.
class Store {
 public:
  virtual ~Store() = default;

  struct Accepted {
    std::string id;
    bool replayed;  // an earlier job of the same key and digest
  };
  // Returns when it is safe on disk. Throws Refusal `idempotency_conflict`, `queue_full`.
  virtual Accepted accept(const NewJob& job) = 0;

  virtual std::optional<KeptJob> find(const std::string& owner, const std::string& id) = 0;
  // Newest first, those older than `after`; each filter may be empty.
  virtual std::vector<KeptJob> list(const std::string& owner, const std::string& after,
                                    const std::string& status, int limit) = 0;
  // Nothing while there is none.
  virtual std::optional<ResultFile> result(const std::string& owner, const std::string& id,
                                           int index) = 0;
  // Whether it was queued or running; what is finished of it stays.
  virtual bool cancel(const std::string& owner, const std::string& id) = 0;
  // Whether it was there, at its end.
  virtual bool remove(const std::string& owner, const std::string& id) = 0;
  // Jobs that have been at their end for so long go; how many.
  virtual int remove_old(double seconds) = 0;
  virtual JobCounts counts() = 0;

  // --- for workers: each but the first is of no effect, and false, unless the lease is the newest
  virtual std::optional<Lease> lease(double seconds) = 0;  // of the item whose turn it is
  virtual bool renew(const Lease& lease, double seconds) = 0;
  virtual bool finish(const Lease& lease, const ResultFile& file) = 0;
  virtual bool fail(const Lease& lease, const std::string& error) = 0;
  virtual bool give_back(const Lease& lease) = 0;  // not counted as a try

  // Jobs that other servers have changed since the last call.
  virtual std::vector<std::string> changed_elsewhere() = 0;
};

}  // namespace janus::serve
