// What processor and operating system allow: instruction-set levels, and how many cores this
// process may use; the modes of a thread. The only place in the library that reads the environment
// (JANUSPRO_ISA). SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace janus {

// Levels the kernels are built for, slowest first; each contains the ones before it.
enum class Isa {
  base,        // SSE2, every x86-64
  avx2,        // AVX2, FMA and F16C
  avx512,      // AVX-512 F, BW, DQ and VL
  avx512vnni,  // … and VNNI
  amx,         // … and tile registers for bytes and bf16
};

inline constexpr Isa kIsaLevels[] = {Isa::base, Isa::avx2, Isa::avx512, Isa::avx512vnni, Isa::amx};

std::string_view isa_name(Isa level);

// The highest level that both processor and operating system (saved registers) provide. Tile
// registers are given on request, for the whole process and ever after; this asks for them.
Isa detect_isa();

// The level to use: what is detected, capped by `cap` and by JANUSPRO_ISA where they are not empty.
// A name that is no level: Code::bad_input with the list.
Isa choose_isa(const std::string& cap);

// Physical cores this process may use: its affinity mask, one for each set of sibling threads, no
// more than its control group's quota. At least 1.
int usable_cores();

// What becomes of denormal numbers in this thread while it lives; then the thread's own setting
// returns.
class Denormals {
 public:
  enum class Are {
    zero,  // results and operands: one of them costs a hundred times a normal number
    kept,  // for work whose results must not depend on who does it
  };
  explicit Denormals(Are are);
  ~Denormals();
  Denormals(const Denormals&) = delete;
  Denormals& operator=(const Denormals&) = delete;

 private:
  unsigned before_;
};

// Tells the core that this thread is waiting in a loop.
void spin_pause();

}  // namespace janus
