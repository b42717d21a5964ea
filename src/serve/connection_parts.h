// The parts of a connection (connection.h): its state, and the reply that its host holds.
// connection.cc reads requests, answers.cc writes answers and ends connections.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <deque>
#include <mutex>
#include <optional>

#include "serve/connection.h"

namespace janus::serve {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::ip::tcp::socket socket, std::shared_ptr<Traffic> traffic);
  ~Connection();
  void start() { read_head(true); }

 private:
  friend class PostedReply;
  using Parser = http::request_parser<http::string_body>;

  // --- in
  void read_head(bool is_first);
  void on_head(error_code error);
  void begin_request();
  void read_body();
  void on_body(error_code error, size_t bytes);
  bool hold_body();
  void hand_over();
  void watch();
  void on_early(error_code error, size_t bytes);
  // --- out
  void refuse(const Refusal& refusal);
  void put_head(Response head, std::optional<size_t> length);
  void put(std::string bytes);
  void put_piece(std::string piece);  // of an answer in pieces
  void write_some();
  void on_written(error_code error, size_t bytes);
  void answer_is_complete();
  void next();
  void linger();
  // --- the end
  void client_went();
  void close();
  void finish_request(bool was_gone);
  template <class Then>
  void arm(double seconds, const Then& then);

  asio::ip::tcp::socket socket_;
  std::shared_ptr<Traffic> traffic_;
  asio::steady_timer timer_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  std::string peer_;
  Request request_;         // of which everything but the body stays here while it is answered
  int64_t held_ = 0;        // bytes of its body, counted in traffic_->bodies
  bool under_way_ = false;  // counted in traffic_->requests
  bool answered_ = false;   // a head was put
  bool complete_ = false;   // nothing follows
  bool chunked_ = false;
  bool keep_ = true;  // the connection, after this answer
  bool body_read_ = false;
  bool watching_ = false;  // a read is under way that nobody waits for
  bool closed_ = false;
  bool writing_ = false;
  unsigned version_ = 11;
  Outcome outcome_;
  uint64_t generation_ = 0;  // counts requests: a reply of an earlier one is ignored
  uint64_t timer_generation_ = 0;
  std::deque<std::string> queue_;
  size_t written_ = 0;             // of the first of them
  std::array<char, 4096> rest_{};  // what is read after a refusal
  size_t dropped_ = 0;
  std::weak_ptr<class PostedReply> reply_;  // of the request under way
};

// `then` unless the timer is set again before.
template <class Then>
void Connection::arm(double seconds, const Then& then) {
  const uint64_t mine = ++timer_generation_;
  timer_.expires_after(std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000)));
  timer_.async_wait([self = weak_from_this(), mine, then](error_code error) {
    const auto connection = self.lock();
    if (!error && connection && connection->timer_generation_ == mine) then(*connection);
  });
}

// What the host holds: posts everything to the listener's thread.
class PostedReply : public Reply {
 public:
  PostedReply(std::shared_ptr<Connection> connection, uint64_t generation, int64_t backlog)
      : executor_(connection->socket_.get_executor()),
        connection_(std::move(connection)),
        generation_(generation),
        limit_(backlog) {}

  ~PostedReply() override {
    if (ended_) return;
    // Work for a client that has gone is dropped, and nothing is to be said about that.
    post([gone = gone()](Connection& c) {
      if (!c.answered_ && !gone) {
        c.refuse({500, "internal_error", "the server let this request go without an answer"});
      } else {
        c.close();
      }
    });
  }

  void send(Response response) override {
    ended_ = true;
    post([response = std::move(response)](Connection& c) mutable {
      std::string body = std::move(response.body);
      c.put_head(std::move(response), body.size());
      if (c.outcome_.method != "HEAD") c.put(std::move(body));
      c.answer_is_complete();
    });
  }

  void begin(Response head) override {
    post([head = std::move(head)](Connection& c) mutable { c.put_head(std::move(head), {}); });
  }

  bool write(std::string piece) override {
    if (piece.empty()) return !gone();
    const auto size = static_cast<int64_t>(piece.size());
    if (backlog_.fetch_add(size) + size > limit_) {
      tell_gone();
      post([](Connection& c) { c.client_went(); });
    }
    if (gone()) return false;
    post([piece = std::move(piece)](Connection& c) mutable { c.put_piece(std::move(piece)); });
    return true;
  }

  void end() override {
    ended_ = true;
    post([](Connection& c) {
      if (c.chunked_) c.put("0\r\n\r\n");
      c.answer_is_complete();
    });
  }

  bool gone() const override { return gone_; }

  void on_gone(std::function<void()> tell) override {
    {
      const std::lock_guard lock(mutex_);
      if (!gone_) {
        tell_.push_back(std::move(tell));
        return;
      }
    }
    tell();
  }

  // From the connection:
  void taken(size_t bytes) { backlog_ -= static_cast<int64_t>(bytes); }
  void tell_gone() {
    std::vector<std::function<void()>> tell;
    {
      const std::lock_guard lock(mutex_);
      gone_ = true;
      tell.swap(tell_);
    }
    for (const auto& each : tell) each();
  }
  void forget() {
    std::vector<std::function<void()>> dropped;
    const std::lock_guard lock(mutex_);
    tell_.swap(dropped);
  }

 private:
  template <class Do>
  void post(Do what) {
    asio::post(executor_, [connection = connection_, generation = generation_,
                           what = std::move(what)]() mutable {
      if (connection->generation_ == generation && !connection->complete_ && !connection->closed_) {
        what(*connection);
      }
    });
  }

  asio::any_io_executor executor_;
  std::shared_ptr<Connection> connection_;
  const uint64_t generation_;
  const int64_t limit_;
  std::atomic<bool> gone_{false};
  std::atomic<bool> ended_{false};
  std::atomic<int64_t> backlog_{0};
  std::mutex mutex_;
  std::vector<std::function<void()>> tell_;
};

}  // namespace janus::serve
