// What this machine can do at best, measured: bytes a second read from memory, f32 operations a
// second by fused multiply-adds of the widest vectors of a level. A bench without these beside it
// says little. SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>

namespace janus {

struct Limits {
  double read_bytes = 0;      // a second, all threads together
  double f32_operations = 0;  // a second; a multiply-add is two
};

// `level`: "base", "avx2", "avx512" (others: as base); it must be one the machine has. `check` is
// called between measurements and may throw.
Limits measure_limits(int threads, const std::string& level, const std::function<void()>& check);

}  // namespace janus
