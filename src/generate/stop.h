// Stop strings in a streamed answer: text is handed on only once it can no longer turn out to be
// the beginning of a stop string. SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace janus {

class StopFilter {
 public:
  // Empty strings are passed over.
  explicit StopFilter(std::vector<std::string> stops);

  // Text that may be shown now. After a stop string was completed: what stood before it, once.
  std::string push(std::string_view piece);
  bool stopped() const { return stopped_; }
  // What was held back in case, at the end of the answer.
  std::string finish();

 private:
  std::vector<std::string> stops_;
  std::string held_;  // a beginning of some stop string, or text before it not yet handed on
  bool stopped_ = false;
};

}  // namespace janus
