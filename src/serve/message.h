// What goes in and out of a route, free of how it travels: a request whose body is whole, and a
// reply that is sent at once or piece by piece. SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace janus::serve {

using Headers = std::vector<std::pair<std::string, std::string>>;

enum class Dialect { openai, a1111 };  // how errors are written

struct Request {
  std::string method = {};
  std::string path = {};  // percent-decoded
  std::map<std::string, std::string> query = {};
  Headers headers = {};  // names in lower case
  std::string body = {};
  std::string id = {};      // of x-request-id
  std::string peer = {};    // address of the other end
  std::string caller = {};  // whose request it is: a key's name, else the address
  std::string owner = {};   // whose jobs it may see; empty: anybody's, where there are no keys
  std::map<std::string, std::string> captures = {};  // {name} of the route's pattern
  int route = -1;                                    // its number in the table
  std::chrono::steady_clock::time_point arrived = {};

  std::string_view header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }
  bool has(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return true;
    }
    return false;
  }
};

struct Response {
  int status = 200;
  std::string type = "application/json";
  Headers headers = {};
  std::string body = {};
};

// How one request is answered. From any thread; what comes after the client has gone is dropped.
class Reply {
 public:
  virtual ~Reply() = default;
  virtual void send(Response response) = 0;  // whole
  // In pieces: begin, write as often as wanted, end. The body of `head` is not used.
  virtual void begin(Response head) = 0;
  virtual bool write(std::string piece) = 0;  // false: nobody reads it any more
  virtual void end() = 0;
  virtual bool gone() const = 0;
  // Called once when the client goes away before its answer is complete, at once if it has.
  virtual void on_gone(std::function<void()> tell) = 0;
};

// One line of the log, of a request that is over.
struct Outcome {
  std::string method = {}, path = {}, id = {}, peer = {}, caller = {};
  int status = 0;
  int64_t bytes = 0;
  double seconds = 0;
  bool gone = false;  // before its answer was complete
};

}  // namespace janus::serve
