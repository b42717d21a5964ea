// The backends of this build, for tests that hold on each.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "kernels/open.h"

namespace janus::testing {

struct NamedBackend {
  std::string name;
  std::string isa;  // "" for ref
  std::unique_ptr<Backend> open(int threads = 0) const { return open_backend(name, threads, isa); }
};

inline std::ostream& operator<<(std::ostream& out, const NamedBackend& b) {
  return out << b.name << b.isa;
}

inline std::vector<NamedBackend> all_backends() {
  std::vector<NamedBackend> result = {{"ref", ""}};
  for (const std::string& isa : available_isa_levels()) result.push_back({"cpu", isa});
  return result;
}

inline std::string backend_name(const ::testing::TestParamInfo<NamedBackend>& info) {
  return info.param.name + info.param.isa;
}

}  // namespace janus::testing
