// Every operation of the processor backend, at every instruction-set level this machine has and
// every tested row of op_cases.h, against `ref` within derived bounds.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <string>

#include "levels.h"
#include "op_checks.h"

namespace janus {
namespace {

class Ops : public testing::TestWithParam<std::string> {};

TEST_P(Ops, AgreeWithRef) {
  const auto backend = open_level(GetParam(), 2);
  ASSERT_EQ(backend->name(), "cpu " + GetParam()) << "the forced level must be the active one";
  std::map<std::string, std::pair<double, std::string>> worst;
  for (const OpCheck& check : op_checks()) {
    const Verdict v = check.run(*backend);
    EXPECT_TRUE(v.ok()) << check.op << ", " << check.name << ": element " << v.at << " is " << v.got
                        << ", ref has " << v.expected << ", bound " << v.bound << " (" << v.worst
                        << " times)";
    auto& seen = worst[check.op];
    if (v.worst >= seen.first) seen = {v.worst, check.name};
  }
  for (const auto& [op, seen] : worst) {
    std::cout << GetParam() << "  " << op << ": worst element at " << seen.first
              << " of its bound (" << seen.second << ")\n";
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, Ops, testing::ValuesIn(tested_levels()),
                         [](const auto& level) { return level.param; });

}  // namespace
}  // namespace janus
