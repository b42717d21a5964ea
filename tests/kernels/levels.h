// The processor backends that this machine can test: every level it has, and products under tile
// registers in plain loops where it has what is beside them.
// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "kernels/cpu/backend.h"
#include "kernels/cpu/select.h"
#include "kernels/open.h"
#include "plain_tiles.h"

namespace janus {

inline constexpr const char* kPlainTilesLevel = "plain_tiles";

inline std::vector<std::string> tested_levels() {
  std::vector<std::string> levels = available_isa_levels();
  if (detect_isa() >= Isa::avx512vnni) levels.emplace_back(kPlainTilesLevel);
  return levels;
}

inline cpu::Level kernels_of(const std::string& level) {
  if (level != kPlainTilesLevel) return select_kernels(choose_isa(level));
  return {cpu::kAvx512Kernels, cpu::kPlainTiles.blocks, &cpu::kPlainTiles.tiles};
}

inline std::unique_ptr<Backend> open_level(const std::string& level, int threads) {
  return std::make_unique<CpuBackend>(kernels_of(level), threads);
}

}  // namespace janus
