// The listener: connections, HTTP/1.1 by Boost.Beast on one thread, timeouts, limits. An open
// connection costs memory but no thread; what a request asks for is done on worker threads.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "serve/message.h"
#include "serve/refusal.h"

namespace janus::serve {

struct HttpLimits {
  int64_t body = 32 << 20;       // bytes of one
  int64_t bodies = 256LL << 20;  // bytes of all that are under way
  double read_seconds = 10;      // for a head; for the next bytes of a body
  double idle_seconds = 75;      // between requests
  double write_seconds = 30;     // for the next bytes of an answer to be taken
  int64_t backlog = 64 << 20;    // bytes of an answer that its reader has not taken yet
};

// What the listener asks of the server behind it.
class Host {
 public:
  virtual ~Host() = default;
  // On the listener's thread, before the body is read. Sets `caller` and `captures`. Throws
  // Refusal.
  virtual void admit(Request& request) = 0;
  virtual Dialect dialect(const Request& request) const = 0;
  // On a worker. A reply that is let go without an answer is told as our failure.
  virtual void handle(Request request, std::shared_ptr<Reply> reply) = 0;
  virtual Headers headers_for(const Request& request) const = 0;  // on every answer
  virtual void finished(const Outcome& outcome) = 0;
  virtual bool draining() const = 0;
  virtual std::string new_id() = 0;  // of a request
};

class HttpServer {
 public:
  // Listens at once, on a free port for 0. Throws Code::bad_input or device_failure with the cure.
  HttpServer(const std::string& address, int port, const HttpLimits& limits, Host& host,
             int workers);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::string url() const;  // "http://127.0.0.1:8080/"
  bool loopback() const;

  void run();  // serves on this thread until stop()
  // From any thread:
  void stop();
  void drain(double seconds);  // stops when no request is under way, at the latest after `seconds`
  void work(std::function<void()> job);                   // on a worker
  void after(double seconds, std::function<void()> job);  // on the listener's thread
  // Calls `ready` on the listener's thread whenever the descriptor can be read, until it says
  // false.
  void watch(int descriptor, std::function<bool()> ready);
  void on_hangup(std::function<void()> tell);  // at every SIGHUP
  // Waits for the workers, who begin nothing more. Before what they work with goes.
  void end_work();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace janus::serve
