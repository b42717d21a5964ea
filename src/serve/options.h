// What a server is started with. Everything of the outside world comes in here: the model, chance,
// the log, signals. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "januspro/januspro.hpp"
#include "serve/gate.h"

namespace janus::serve {

inline constexpr size_t kLongestLogLine = 4000;

struct ServeOptions {
  std::string host = "127.0.0.1";
  int port = 8080;  // 0: a free one
  GateOptions gate = {};
  bool no_auth = false;  // an address that others reach does without keys
  std::vector<std::string> aliases = {};
  int parallel = 0;  // pictures and answers worked on together; 0: as many as fit
  int queue = 64;    // requests that may wait
  int64_t max_body = 32 << 20;
  int64_t max_pixels = 40'000'000;
  double read_timeout = 10;
  double drain = 30;
  std::string public_url = {};
  bool allow_fetch = false;  // image_url may be on the web
  bool json_log = false;

  std::function<Engine()> load = {};  // on a worker, once the socket listens
  std::function<std::string(const ModelInfo&)> name = {};
  // What a picture's file says about it.
  std::function<std::map<std::string, std::string>(const DrawRequest&, const ModelInfo&,
                                                   const nlohmann::ordered_json& edit)>
      recipe = {};
  std::string db = {};                  // of jobs: a file or postgresql://…
  double keep_jobs = 7 * 24 * 3600;     // seconds after their end
  std::filesystem::path previews = {};  // where the map of the previews is kept; empty: nowhere
  std::function<uint64_t()> random = {};
  std::function<bool(const std::string&)> log = {};        // one line; as Log's sink
  std::function<void(const std::string&)> listening = {};  // the address
  int signals = -1;                                        // can be read when the server is to end
  std::function<bool()> to_end = {};                       // asked then
};

// Of an address in numbers, or "localhost".
bool is_loopback(const std::string& host);
// What is wrong with how the address of a database is written; empty: nothing.
std::string fault_of_db(const std::string& db);

// Serves until it is to end. Throws Error: what cannot be listened on, or loaded. Who calls this
// asks for keys, or for `no_auth`, where the address is no loopback.
void serve(const ServeOptions& options);

}  // namespace janus::serve
