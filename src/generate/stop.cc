// See stop.h. SPDX-License-Identifier: MIT
#include "generate/stop.h"

#include <algorithm>
#include <utility>

namespace janus {

StopFilter::StopFilter(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

namespace {

// Bytes at the end of `text` that begin `stop`.
size_t overlap(std::string_view text, std::string_view stop) {
  for (size_t n = std::min(text.size(), stop.size() - 1); n > 0; --n) {
    if (text.ends_with(stop.substr(0, n))) return n;
  }
  return 0;
}

}  // namespace

std::string StopFilter::push(std::string_view piece) {
  if (stopped_) return {};
  held_ += piece;
  size_t first = std::string::npos;
  size_t kept = 0;
  for (const std::string& stop : stops_) {
    first = std::min(first, held_.find(stop));
    kept = std::max(kept, overlap(held_, stop));
  }
  if (first != std::string::npos) {
    stopped_ = true;
    held_.resize(first);
    return std::exchange(held_, {});
  }
  std::string shown = held_.substr(0, held_.size() - kept);
  held_.erase(0, shown.size());
  return shown;
}

std::string StopFilter::finish() { return std::exchange(held_, {}); }

}  // namespace janus
