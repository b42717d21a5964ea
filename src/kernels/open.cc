// The list is the policy: which backends exist and what each name means.
// SPDX-License-Identifier: MIT
#include "kernels/open.h"

#include "base/cpu.h"
#include "base/error.h"
#include "kernels/cpu/backend.h"
#include "kernels/cpu/select.h"
#include "kernels/ref/backend.h"

namespace janus {

std::unique_ptr<Backend> open_backend(const std::string& name, int threads,
                                      const std::string& isa) {
  constexpr int kMostThreads = 1024;
  check(threads >= 0 && threads <= kMostThreads, Code::bad_input, "threads: ", threads,
        "; give 1 to ", kMostThreads, ", or 0 for one a physical core");
  if (name == "ref") return std::make_unique<RefBackend>();
  if (name == "cpu" || name == "auto") {
    return std::make_unique<CpuBackend>(select_kernels(choose_isa(isa)),
                                        threads > 0 ? threads : usable_cores());
  }
  fail(Code::bad_input, "unknown backend \"", name, "\"; known: auto, cpu, ref");
}

std::vector<std::string> available_isa_levels() {
  std::vector<std::string> names;
  const Isa highest = detect_isa();
  for (const Isa level : kIsaLevels) {
    if (level <= highest) names.emplace_back(isa_name(level));
  }
  return names;
}

}  // namespace janus
