// What this machine can do at best, measured: bytes a second read from memory, f32 operations a
// second by fused multiply-adds of the widest vectors of a level, and by its products of bytes and
// of bf16. A bench without these beside it says little.
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>

namespace janus {

struct Limits {
  double read_bytes = 0;      // a second, all threads together
  double f32_operations = 0;  // a second; a multiply-add is two
  // Products of bytes with sums of them, as the level's kernels take them: under tile registers, in
  // one instruction, in two by way of 16 bits, or of 16-bit numbers at the base level.
  double int8_operations = 0;
  // By dot products of bf16, under tile registers at that level; 0 where the processor has none.
  double bf16_operations = 0;

  // Where operations reach that part of their peak.
  Limits at(double of_peak) const {
    return {read_bytes, of_peak * f32_operations, of_peak * int8_operations,
            of_peak * bf16_operations};
  }
};

// `level`: "base", "avx2", "avx512", "avx512vnni", "amx" (others: as base); it must be one the
// machine has. `check` is called between measurements and may throw.
Limits measure_limits(int threads, const std::string& level, const std::function<void()>& check);

}  // namespace janus
