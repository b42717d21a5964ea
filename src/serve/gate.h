// The gate: who may ask. Keys, names of this host, origins of web pages, requests a minute.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "serve/message.h"
#include "serve/refusal.h"

namespace janus::serve {

struct GateOptions {
  std::string api_key = {};               // empty: none
  std::filesystem::path keys = {};        // a file of them; empty: none
  std::vector<std::string> hosts = {};    // further names of this server
  std::vector<std::string> origins = {};  // of pages that may use it
  int rate = 0;                           // POSTs a minute of each caller; 0: any number
};

class Gate {
 public:
  // Throws Code::bad_input naming the line of a file of keys that is none.
  explicit Gate(GateOptions options);
  void read_keys();  // again; what cannot be read leaves the keys as they were, and throws
  bool has_keys() const;

  // Each throws Refusal.
  void check_host(const Request& request, bool loopback) const;
  void check_origin(const Request& request) const;
  // The name of the key given, "address:…" where there are no keys; `basic`: as A1111's clients do.
  std::string check_key(const Request& request, bool basic) const;
  // Whose jobs a caller may see: a named key's, however often it is changed; else this very key's.
  // Empty where there are no keys.
  std::string owner_of(const std::string& caller) const;
  void check_rate(const std::string& caller);

  // Of an answer to a page of another origin that may read it.
  Headers cors(const Request& request) const;
  bool allows(const std::string& origin) const;

 private:
  struct Key {
    std::string name;
    std::array<uint8_t, 32> sum;  // its SHA-256: equal sums take equal time to compare
    bool named = false;           // by the operator, not by its place
  };
  struct Minute {
    std::chrono::steady_clock::time_point begun;
    int count = 0;
  };

  GateOptions options_;
  mutable std::mutex mutex_;  // of what follows
  std::vector<Key> keys_;
  std::map<std::string, Minute> minutes_;
};

}  // namespace janus::serve
