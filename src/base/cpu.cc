// SPDX-License-Identifier: MIT
#include "base/cpu.h"

#include <cpuid.h>
#include <immintrin.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <set>

#include "base/error.h"

namespace janus {
namespace {

struct CpuidWords {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

CpuidWords cpuid(uint32_t leaf, uint32_t subleaf) {
  CpuidWords w;
  if (!__get_cpuid_count(leaf, subleaf, &w.a, &w.b, &w.c, &w.d)) return {};
  return w;
}

// Which register files the system saves on a task switch (XCR0).
uint64_t saved_state() {
  uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

constexpr bool has(uint64_t word, std::initializer_list<int> bits) {
  return std::all_of(bits.begin(), bits.end(), [=](int bit) { return word >> bit & 1; });
}

// Linux saves tile registers for who has asked (arch_prctl ARCH_REQ_XCOMP_PERM, kernel 5.16).
bool tiles_are_given(uint64_t saved) {
  constexpr int kTileShapes = 17, kTileData = 18;  // of XCR0
  constexpr long kRequest = 0x1023;
  return has(saved, {kTileShapes, kTileData}) &&
         syscall(SYS_arch_prctl, kRequest, long{kTileData}) == 0;
}

Isa parse_isa(const std::string& name, const char* where) {
  for (const Isa level : kIsaLevels) {
    if (isa_name(level) == name) return level;
  }
  fail(Code::bad_input, where, ": unknown instruction-set level \"", name,
       "\"; known: base, avx2, avx512, avx512vnni, amx");
}

// Cores the control group's quota is worth; 0 where there is none.
int quota_cores() {
  double quota = 0, period = 0;
  std::ifstream unified("/sys/fs/cgroup/cpu.max");
  if (!(unified >> quota >> period)) {  // "max 100000" says that there is no limit
    std::ifstream old_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    std::ifstream old_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    if (!(old_quota >> quota) || !(old_period >> period)) return 0;
  }
  if (quota <= 0 || period <= 0) return 0;
  return std::max(1, static_cast<int>(std::ceil(quota / period)));
}

// Sibling threads of one core share this text, e.g. "0,64"; a core whose siblings are not told
// stands alone.
std::string siblings_of(int cpu) {
  std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                     "/topology/thread_siblings_list");
  std::string text;
  if (!std::getline(file, text)) text = std::to_string(cpu);
  return text;
}

}  // namespace

std::string_view isa_name(Isa level) {
  switch (level) {
    case Isa::base:
      return "base";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::avx512vnni:
      return "avx512vnni";
    case Isa::amx:
      return "amx";
  }
  return "?";
}

Isa detect_isa() {
  constexpr int kFma = 12, kOsxsave = 27, kAvx = 28, kF16c = 29;               // leaf 1, ecx
  constexpr int kAvx2 = 5, kAvx512f = 16, kAvx512dq = 17, kBw = 30, kVl = 31;  // leaf 7, ebx
  constexpr int kVnni = 11;                                                    // leaf 7, ecx
  constexpr int kAmxBf16 = 22, kAmxTile = 24, kAmxInt8 = 25;                   // leaf 7, edx
  const uint32_t features = cpuid(1, 0).c;
  const CpuidWords extended = cpuid(7, 0);
  if (!has(features, {kFma, kOsxsave, kAvx, kF16c}) || !has(extended.b, {kAvx2})) return Isa::base;
  const uint64_t saved = saved_state();
  if (!has(saved, {1, 2})) return Isa::base;  // xmm, ymm
  if (!has(extended.b, {kAvx512f, kAvx512dq, kBw, kVl})) return Isa::avx2;
  if (!has(saved, {5, 6, 7})) return Isa::avx2;  // masks, zmm
  if (!has(extended.c, {kVnni})) return Isa::avx512;
  return has(extended.d, {kAmxBf16, kAmxTile, kAmxInt8}) && tiles_are_given(saved)
             ? Isa::amx
             : Isa::avx512vnni;
}

Isa choose_isa(const std::string& cap) {
  Isa level = detect_isa();
  if (!cap.empty()) level = std::min(level, parse_isa(cap, "isa"));
  const char* environment = std::getenv("JANUSPRO_ISA");
  if (environment && *environment) {
    level = std::min(level, parse_isa(environment, "JANUSPRO_ISA"));
  }
  return level;
}

int usable_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return 1;
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) cores.insert(siblings_of(cpu));
  }
  const int count = std::max(1, static_cast<int>(cores.size()));
  const int quota = quota_cores();
  return quota > 0 ? std::min(count, quota) : count;
}

Denormals::Denormals(Are are) : before_(_mm_getcsr()) {
  constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
  constexpr unsigned kBoth = kFlushToZero | kDenormalsAreZero;
  _mm_setcsr(are == Are::zero ? before_ | kBoth : before_ & ~kBoth);
}

Denormals::~Denormals() { _mm_setcsr(before_); }

void spin_pause() { _mm_pause(); }

}  // namespace janus
