// See http.h; one connection is connection.h. SPDX-License-Identifier: MIT
#include "serve/http.h"

#include <unistd.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <csignal>
#include <optional>

#include "base/error.h"
#include "serve/connection.h"
#include "serve/options.h"

namespace janus::serve {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

struct HttpServer::Parts {
  HttpLimits limits;
  asio::io_context io{1};
  asio::thread_pool workers;
  tcp::acceptor acceptor{io};
  asio::steady_timer again{io};  // after a failure to accept
  asio::steady_timer end{io};    // of draining
  std::shared_ptr<Traffic> traffic;
  std::optional<asio::posix::stream_descriptor> watched;
  std::optional<asio::signal_set> hangup;

  Parts(const HttpLimits& limits_, int threads)
      : limits(limits_), workers(static_cast<size_t>(threads)) {}
  void open(const std::string& address, int port);
  void accept();
  void next_watch(const std::function<bool()>& ready);
  void next_hangup(const std::function<void()>& tell);
};

namespace {

asio::ip::address address_of(const std::string& host, error_code& error) {
  return asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
}

}  // namespace

bool is_loopback(const std::string& host) {
  error_code error;
  const auto address = address_of(host, error);
  return error || address.is_loopback();  // what is no address is refused where it is opened
}

void HttpServer::Parts::open(const std::string& address, int port) {
  error_code error;
  const auto where = address_of(address, error);
  check(!error, Code::bad_input, "--host ", address,
        ": is no address of this machine; give one in numbers, as 127.0.0.1, 0.0.0.0 or ::1");
  const tcp::endpoint place(where, static_cast<uint16_t>(port));
  acceptor.open(place.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(place, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  check(!error, Code::device_failure, "cannot listen on ", address, " port ", port, ": ",
        error.message(), "; choose another --port (0 takes a free one)");
}

void HttpServer::Parts::accept() {
  acceptor.async_accept([this](error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (!error) {
      serve_connection(std::move(socket), traffic);
      return accept();
    }
    // Out of descriptors, most likely: some are given back soon.
    again.expires_after(std::chrono::milliseconds(100));
    again.async_wait([this](error_code stopped) {
      if (!stopped) accept();
    });
  });
}

HttpServer::HttpServer(const std::string& address, int port, const HttpLimits& limits, Host& host,
                       int workers)
    : parts_(std::make_unique<Parts>(limits, workers)) {
  Parts& parts = *parts_;
  parts.open(address, port);
  const auto work = [&parts](std::function<void()> job) {
    asio::post(parts.workers, std::move(job));
  };
  parts.traffic = std::make_shared<Traffic>(Traffic{parts.limits, host, work});
  parts.accept();
}

// Workers first: what they still do may post to the listener, which runs no more.
HttpServer::~HttpServer() { end_work(); }

void HttpServer::end_work() {
  parts_->workers.stop();
  parts_->workers.join();
}

std::string HttpServer::url() const {
  const tcp::endpoint place = parts_->acceptor.local_endpoint();
  std::string host = place.address().to_string();
  if (place.address().is_v6()) host = "[" + host + "]";
  return "http://" + host + ":" + std::to_string(place.port()) + "/";
}

bool HttpServer::loopback() const {
  return parts_->acceptor.local_endpoint().address().is_loopback();
}

void HttpServer::run() { parts_->io.run(); }
void HttpServer::stop() { parts_->io.stop(); }
void HttpServer::work(std::function<void()> job) { parts_->traffic->work(std::move(job)); }

void HttpServer::drain(double seconds) {
  asio::post(parts_->io, [this, seconds] {
    Parts& parts = *parts_;
    parts.end.expires_after(std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000)));
    parts.end.async_wait([&parts](error_code error) {
      if (!error) parts.io.stop();
    });
    parts.traffic->on_quiet = [&parts] { asio::post(parts.io, [&parts] { parts.io.stop(); }); };
    if (parts.traffic->requests == 0) parts.io.stop();
  });
}

void HttpServer::after(double seconds, std::function<void()> job) {
  const auto timer = std::make_shared<asio::steady_timer>(parts_->io);
  timer->expires_after(std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000)));
  timer->async_wait([timer, job = std::move(job)](error_code error) {
    if (!error) job();
  });
}

void HttpServer::Parts::next_watch(const std::function<bool()>& ready) {
  watched->async_wait(asio::posix::stream_descriptor::wait_read, [this, ready](error_code error) {
    if (!error && ready()) next_watch(ready);
  });
}

// The descriptor stays its owner's: it is released, not closed, when the server goes.
void HttpServer::watch(int descriptor, std::function<bool()> ready) {
  const int own = ::dup(descriptor);
  check(own >= 0, Code::device_failure, "no descriptor is left to watch for signals");
  parts_->watched.emplace(parts_->io, own);
  parts_->next_watch(ready);
}

void HttpServer::Parts::next_hangup(const std::function<void()>& tell) {
  hangup->async_wait([this, tell](error_code error, int) {
    if (error) return;
    tell();
    next_hangup(tell);
  });
}

void HttpServer::on_hangup(std::function<void()> tell) {
  parts_->hangup.emplace(parts_->io, SIGHUP);
  parts_->next_hangup(tell);
}

}  // namespace janus::serve
