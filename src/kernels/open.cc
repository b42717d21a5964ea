// The list is the policy: which backends exist and what each name means.
// SPDX-License-Identifier: MIT
#include "kernels/open.h"

#include "base/error.h"
#include "kernels/ref/backend.h"

namespace janus {

std::unique_ptr<Backend> open_backend(const std::string& name, int threads, const std::string&) {
  check(threads >= 0, Code::bad_input, "threads: ", threads, "; 0 means one a physical core");
  if (name == "ref") return std::make_unique<RefBackend>();
  check(name != "cpu" && name != "auto", Code::not_supported, "backend \"", name,
        "\" is not in this build; use \"ref\"");
  fail(Code::bad_input, "unknown backend \"", name, "\"; known: auto, cpu, ref");
}

std::vector<std::string> available_isa_levels() { return {}; }

}  // namespace janus
