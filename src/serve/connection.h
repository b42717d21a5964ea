// One connection: requests in, answers out, one after another. Everything here happens on the
// listener's thread, the Reply handed to the host excepted, which may be used from any.
//
//   head -> admitted? -> body -> host, on a worker -> answer, whole or piece by piece -> head …
//
// While a request is worked on the socket is read on, so that a client that goes is noticed at
// once; what it sends early is kept for the next request. SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>

#include "serve/http.h"

namespace janus::serve {

// What all connections share.
struct Traffic {
  const HttpLimits& limits;
  Host& host;
  std::function<void(std::function<void()>)> work;  // on a worker
  int64_t bodies = 0;                               // bytes of bodies that are held
  int64_t requests = 0;                             // under way
  std::function<void()> on_quiet = {};              // whenever none is
};

void serve_connection(boost::asio::ip::tcp::socket socket, std::shared_ptr<Traffic> traffic);

}  // namespace janus::serve
