// SPDX-License-Identifier: MIT
#include "serve/events.h"

namespace janus::serve {

bool EventStream::begun() const {
  const std::lock_guard lock(mutex_);
  return begun_;
}

// Under the lock.
bool EventStream::write(std::string text) {
  if (over_) return false;
  if (!begun_) {
    Response head;
    head.type = "text/event-stream";
    head.headers = headers_;
    head.headers.emplace_back("Cache-Control", "no-cache");
    head.headers.emplace_back("X-Accel-Buffering", "no");
    reply_->begin(std::move(head));
    begun_ = true;
  }
  last_ = std::chrono::steady_clock::now();
  return reply_->write(std::move(text));
}

bool EventStream::send(const OrderedJson& data, const std::string& name) {
  std::string text = name.empty() ? "" : "event: " + name + "\n";
  text += "data: " + dump(data) + "\n\n";
  const std::lock_guard lock(mutex_);
  return write(std::move(text));
}

bool EventStream::send_text(const std::string& data) {
  const std::lock_guard lock(mutex_);
  return write("data: " + data + "\n\n");
}

void EventStream::end() {
  const std::lock_guard lock(mutex_);
  if (over_) return;
  over_ = true;
  reply_->end();
}

bool EventStream::ping(std::chrono::seconds silence) {
  const std::lock_guard lock(mutex_);
  if (over_ || reply_->gone()) return false;
  if (begun_ && std::chrono::steady_clock::now() - last_ >= silence) write(": ping\n\n");
  return true;
}

}  // namespace janus::serve
