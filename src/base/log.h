// One sink for warnings, set by the caller; silent by default. The library itself never prints.
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>

namespace janus {

// Receives one line without its newline. Empty: nothing is reported.
using Log = std::function<void(const std::string& line)>;

}  // namespace janus
