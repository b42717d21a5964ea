// How a connection reads. See connection.h. SPDX-License-Identifier: MIT
#include "serve/connection.h"

#include <algorithm>
#include <boost/asio/write.hpp>
#include <cctype>

#include "serve/connection_parts.h"
#include "serve/target.h"

namespace janus::serve {

namespace {

constexpr uint32_t kHeadBytes = 32 * 1024;
constexpr size_t kEarlyBytes = 64 * 1024;  // of a request that is sent before its turn

// Of the parser, not of the network.
bool is_of_http(const error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_method).category();
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, std::shared_ptr<Traffic> traffic)
    : socket_(std::move(socket)), traffic_(std::move(traffic)), timer_(socket_.get_executor()) {
  error_code none;
  socket_.set_option(asio::ip::tcp::no_delay(true), none);
  const auto end = socket_.remote_endpoint(none);
  if (!none) peer_ = end.address().to_string();
}

Connection::~Connection() { finish_request(true); }

// --- in ------------------------------------------------------------------------------------------

// A connection that has served may rest; a new one, and one that has begun to speak, may not.
void Connection::read_head(bool is_first) {
  if (closed_) return;
  parser_.emplace();
  parser_->header_limit(kHeadBytes);
  parser_->body_limit(static_cast<uint64_t>(traffic_->limits.body));
  const auto self = shared_from_this();
  if (!is_first && buffer_.size() == 0) {
    arm(traffic_->limits.idle_seconds, [](Connection& c) { c.close(); });
    socket_.async_wait(asio::ip::tcp::socket::wait_read, [self](error_code error) {
      if (error || self->closed_) return self->close();
      self->read_head(true);
    });
    return;
  }
  arm(traffic_->limits.read_seconds, [](Connection& c) {
    if (c.buffer_.size() == 0) return c.close();
    c.begin_request();
    c.refuse(
        {408, "request_timeout", "the request's head did not arrive in time; send it at once"});
  });
  http::async_read_header(socket_, buffer_, *parser_,
                          [self](error_code error, size_t) { self->on_head(error); });
}

void Connection::begin_request() {
  ++generation_;
  outcome_ = {};
  request_ = {};
  request_.arrived = Clock::now();
  request_.peer = peer_;
  outcome_.peer = peer_;
  answered_ = complete_ = chunked_ = body_read_ = false;
  under_way_ = true;
  ++traffic_->requests;
}

void Connection::on_head(error_code error) {
  if (closed_ || under_way_ || (complete_ && !keep_)) return;  // timed out meanwhile
  if (error && (error == http::error::end_of_stream || !is_of_http(error))) {
    return close();
  }
  begin_request();
  const auto& head = parser_->get();
  version_ = head.version();
  if (version_ == 0) version_ = 11;
  request_.method = std::string(head.method_string());
  for (const auto& field : head) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    request_.headers.emplace_back(std::move(name), std::string(field.value()));
  }
  keep_ = head.keep_alive() && !error;
  const std::string_view own = request_.header("x-request-id");
  const bool fits =
      !own.empty() && own.size() <= 128 && std::all_of(own.begin(), own.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
      });
  request_.id = fits ? std::string(own) : traffic_->host.new_id();
  outcome_.method = request_.method;
  outcome_.id = request_.id;
  try {
    if (error == http::error::header_limit) {
      throw Refusal(431, "headers_too_large", "the request's head is larger than 32 KiB");
    }
    if (error && error != http::error::body_limit) {
      throw Refusal(400, "invalid_value", "this is not HTTP/1.1: " + error.message());
    }
    split_target({head.target().data(), head.target().size()}, request_);
    outcome_.path = request_.path;
    traffic_->host.admit(request_);
    outcome_.caller = request_.caller;
    if (error == http::error::body_limit || !hold_body()) {
      throw Refusal(413, "request_too_large",
                    "the body is larger than " + std::to_string(traffic_->limits.body) +
                        " bytes; send smaller pictures, or raise --max-body");
    }
  } catch (const Refusal& refusal) {
    return refuse(refusal);
  }
  if (request_.header("expect").starts_with("100-") && !parser_->is_done()) {
    const auto go_on = std::make_shared<std::string>("HTTP/1.1 100 Continue\r\n\r\n");
    asio::async_write(socket_, asio::buffer(*go_on),
                      [self = shared_from_this(), go_on](error_code failed, size_t) {
                        failed ? self->close() : self->read_body();
                      });
    return;
  }
  read_body();
}

// Counts what is announced or has come. False: more than one body may have.
bool Connection::hold_body() {
  const auto announced = parser_->content_length();
  const auto now = static_cast<int64_t>(
      announced ? *announced : static_cast<uint64_t>(parser_->get().body().size()));
  if (now > traffic_->limits.body) return false;
  traffic_->bodies += now - held_;
  held_ = now;
  if (traffic_->bodies <= traffic_->limits.bodies) return true;
  throw Refusal(429, "queue_full", "too many large requests are being sent at once; try again")
      .with("Retry-After", "5");
}

void Connection::read_body() {
  if (closed_) return;
  if (parser_->is_done()) return hand_over();
  arm(traffic_->limits.read_seconds, [](Connection& c) {
    c.refuse(
        {408, "request_timeout", "the request's body stopped arriving; send it without pauses"});
  });
  http::async_read_some(
      socket_, buffer_, *parser_,
      [self = shared_from_this()](error_code error, size_t bytes) { self->on_body(error, bytes); });
}

void Connection::on_body(error_code error, size_t) {
  if (closed_ || answered_) return;  // timed out meanwhile
  try {
    if (error == http::error::body_limit || (!error && !hold_body())) {
      throw Refusal(413, "request_too_large",
                    "the body is larger than " + std::to_string(traffic_->limits.body) +
                        " bytes; send smaller pictures, or raise --max-body");
    }
    if (error && is_of_http(error) && error != http::error::partial_message &&
        error != http::error::end_of_stream) {
      throw Refusal(400, "invalid_value", "the body is not HTTP/1.1: " + error.message());
    }
  } catch (const Refusal& refusal) {
    return refuse(refusal);
  }
  if (error) return client_went();
  read_body();
}

void Connection::hand_over() {
  body_read_ = true;
  ++timer_generation_;
  timer_.cancel();
  request_.body = std::move(parser_->get().body());
  const auto reply =
      std::make_shared<PostedReply>(shared_from_this(), generation_, traffic_->limits.backlog);
  reply_ = reply;
  Request handed = request_;
  std::string().swap(request_.body);
  traffic_->work([&host = traffic_->host, handed = std::move(handed), reply]() mutable {
    host.handle(std::move(handed), reply);
  });
  watch();
}

void Connection::watch() {
  if (closed_ || watching_ || buffer_.size() >= kEarlyBytes) return;
  watching_ = true;
  socket_.async_read_some(buffer_.prepare(4096),
                          [self = shared_from_this()](error_code error, size_t bytes) {
                            self->on_early(error, bytes);
                          });
}

void Connection::on_early(error_code error, size_t bytes) {
  watching_ = false;
  buffer_.commit(bytes);
  if (closed_) return;
  if (complete_ && !under_way_) {  // next() waits for this
    return error && error != asio::error::operation_aborted ? close() : read_head(false);
  }
  if (error == asio::error::operation_aborted) return;
  if (!error) return watch();
  keep_ = false;
  if (!complete_) client_went();  // else what is left of the answer may still be wanted
}

void serve_connection(asio::ip::tcp::socket socket, std::shared_ptr<Traffic> traffic) {
  std::make_shared<Connection>(std::move(socket), std::move(traffic))->start();
}

}  // namespace janus::serve
