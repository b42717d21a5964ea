// EventStream: server-sent events of one reply, begun with the first; a sign of life where nothing
// is said for long. From any thread. SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <mutex>

#include "serve/fields.h"
#include "serve/message.h"

namespace janus::serve {

class EventStream {
 public:
  EventStream(std::shared_ptr<Reply> reply, Headers headers)
      : reply_(std::move(reply)), headers_(std::move(headers)) {}

  bool begun() const;
  // `data: JSON`, with `event: NAME` before it where a name is given. False: nobody reads.
  bool send(const OrderedJson& data, const std::string& name = {});
  bool send_text(const std::string& data);  // `data: TEXT`
  void end();
  // For who is called now and then: a comment after `silence`. False: the stream is over.
  bool ping(std::chrono::seconds silence);

 private:
  bool write(std::string text);

  std::shared_ptr<Reply> reply_;
  Headers headers_;
  mutable std::mutex mutex_;
  bool begun_ = false;
  bool over_ = false;
  std::chrono::steady_clock::time_point last_ = {};
};

}  // namespace janus::serve
