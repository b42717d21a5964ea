// The target of a request: path and query. SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "serve/message.h"

namespace janus::serve {

// "/a%20b?x=1&y" -> path and query. Throws Refusal for a target that is none.
void split_target(std::string_view target, Request& request);

}  // namespace janus::serve
