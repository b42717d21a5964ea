// The list of backends, by name.
// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace janus {

// "ref", "cpu" or "auto" (= cpu); threads 0 = physical cores this process may use. `isa` caps the
// instruction set: "", "base", "avx2", "avx512", "avx512vnni", "amx". Unknown names:
// Code::bad_input with the list.
std::unique_ptr<Backend> open_backend(const std::string& name, int threads = 0,
                                      const std::string& isa = "");
// Levels this machine can run, slowest first.
std::vector<std::string> available_isa_levels();

}  // namespace janus
