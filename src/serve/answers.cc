// How a connection writes, and how it ends. See connection.h. SPDX-License-Identifier: MIT
#include <sstream>

#include "serve/connection_parts.h"

namespace janus::serve {

namespace {

constexpr size_t kLingerBytes = 256 * 1024;  // read and dropped after a refusal, so that it arrives
constexpr double kLingerSeconds = 2;

std::string hex(size_t value) {
  std::ostringstream text;
  text << std::hex << value;
  return text.str();
}

}  // namespace

// --- out -----------------------------------------------------------------------------------------

void Connection::refuse(const Refusal& refusal) {
  if (answered_) return;
  Response response = error_response(refusal, traffic_->host.dialect(request_));
  const bool whole = body_read_ || parser_->is_done();
  keep_ = keep_ && whole && refusal.status != 408;
  body_read_ = whole;
  std::string body = std::move(response.body);
  put_head(std::move(response), body.size());
  if (outcome_.method != "HEAD") put(std::move(body));
  answer_is_complete();
}

void Connection::put_head(Response head, std::optional<size_t> length) {
  answered_ = true;
  outcome_.status = head.status;
  http::response<http::empty_body> message(static_cast<http::status>(head.status), 11);
  message.set(http::field::content_type, head.type);
  if (length) {
    message.set(http::field::content_length, std::to_string(*length));
  } else if (version_ == 11) {
    chunked_ = true;
    message.set(http::field::transfer_encoding, "chunked");
  } else {
    keep_ = false;
  }
  if (traffic_->host.draining()) keep_ = false;
  if (!keep_) {
    message.set(http::field::connection, "close");
  } else if (version_ == 10) {
    message.set(http::field::connection, "keep-alive");
  }
  message.set("x-request-id", request_.id);
  for (const auto& [name, value] : traffic_->host.headers_for(request_)) message.set(name, value);
  for (const auto& [name, value] : head.headers) message.set(name, value);
  std::ostringstream text;
  text << message.base();
  put(text.str());
}

void Connection::put(std::string bytes) {
  if (closed_ || bytes.empty()) return;
  queue_.push_back(std::move(bytes));
  if (!writing_) write_some();
}

void Connection::put_piece(std::string piece) {
  if (chunked_) piece = hex(piece.size()) + "\r\n" + piece + "\r\n";
  put(std::move(piece));
}

void Connection::write_some() {
  writing_ = true;
  arm(traffic_->limits.write_seconds, [](Connection& c) { c.client_went(); });
  const std::string& first = queue_.front();
  socket_.async_write_some(asio::buffer(first.data() + written_, first.size() - written_),
                           [self = shared_from_this()](error_code error, size_t bytes) {
                             self->on_written(error, bytes);
                           });
}

void Connection::on_written(error_code error, size_t bytes) {
  writing_ = false;
  if (closed_) return;
  if (error) return client_went();
  outcome_.bytes += static_cast<int64_t>(bytes);
  if (const auto reply = reply_.lock()) reply->taken(bytes);
  written_ += bytes;
  if (written_ == queue_.front().size()) {
    queue_.pop_front();
    written_ = 0;
  }
  if (!queue_.empty()) return write_some();
  ++timer_generation_;
  timer_.cancel();
  if (complete_) next();
}

void Connection::answer_is_complete() {
  complete_ = true;
  if (!writing_ && queue_.empty()) next();
}

void Connection::next() {
  finish_request(false);
  if (closed_) return;
  if (!keep_) return body_read_ ? close() : linger();
  if (!watching_) return read_head(false);
  error_code none;
  socket_.cancel(none);  // on_early() goes on
}

// The other end may still be sending: closing now would reset the connection, and take the answer
// away before it is read.
void Connection::linger() {
  error_code none;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, none);
  if (none) return close();
  arm(kLingerSeconds, [](Connection& c) { c.close(); });
  socket_.async_read_some(asio::buffer(rest_),
                          [self = shared_from_this()](error_code error, size_t bytes) {
                            self->dropped_ += bytes;
                            if (error || self->dropped_ > kLingerBytes || self->closed_)
                              return self->close();
                            self->linger();
                          });
}

// --- the end -------------------------------------------------------------------------------------

// A client that has closed its half may still read: what is answered at once is sent.
void Connection::client_went() {
  keep_ = false;
  outcome_.gone = true;
  const auto reply = reply_.lock();
  if (reply) reply->tell_gone();
  if (!reply || writing_ || answered_) close();
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  if (const auto reply = reply_.lock()) reply->tell_gone();
  ++timer_generation_;
  timer_.cancel();
  error_code none;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, none);
  socket_.close(none);
  finish_request(true);
}

void Connection::finish_request(bool was_gone) {
  if (!under_way_) return;
  under_way_ = false;
  if (const auto reply = reply_.lock()) reply->forget();
  traffic_->bodies -= held_;
  held_ = 0;
  outcome_.gone = was_gone;
  outcome_.seconds = std::chrono::duration<double>(Clock::now() - request_.arrived).count();
  traffic_->host.finished(outcome_);
  if (--traffic_->requests == 0 && traffic_->on_quiet) traffic_->on_quiet();
}

}  // namespace janus::serve
