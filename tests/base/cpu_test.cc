// Instruction-set levels: names, caps by argument and by environment.
// SPDX-License-Identifier: MIT
#include "base/cpu.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/error.h"

namespace janus {
namespace {

// Sets JANUSPRO_ISA for one test and puts back what was there.
class IsaEnvironment {
 public:
  explicit IsaEnvironment(const char* value) {
    if (const char* old = std::getenv("JANUSPRO_ISA")) before_ = old;
    setenv("JANUSPRO_ISA", value, 1);
  }
  ~IsaEnvironment() {
    if (before_.empty()) {
      unsetenv("JANUSPRO_ISA");
    } else {
      setenv("JANUSPRO_ISA", before_.c_str(), 1);
    }
  }
  IsaEnvironment(const IsaEnvironment&) = delete;
  IsaEnvironment& operator=(const IsaEnvironment&) = delete;

 private:
  std::string before_;
};

TEST(Isa, CapsLowerTheLevelAndNeverRaiseIt) {
  const IsaEnvironment none("");
  EXPECT_EQ(choose_isa(""), detect_isa());
  for (const Isa level : kIsaLevels) {
    EXPECT_EQ(choose_isa(std::string(isa_name(level))), std::min(level, detect_isa()));
  }
}

TEST(Isa, EnvironmentCapsToo) {
  const IsaEnvironment base("base");
  EXPECT_EQ(choose_isa(""), Isa::base);
  EXPECT_EQ(choose_isa("avx512"), Isa::base);
}

TEST(Isa, UnknownNamesAreRefusedWithTheList) {
  const IsaEnvironment none("");
  try {
    choose_isa("sse9");
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::bad_input);
    EXPECT_NE(std::string(e.what()).find("avx512"), std::string::npos);
  }
  const IsaEnvironment wrong("fast");
  EXPECT_THROW(choose_isa(""), Error);
}

TEST(Cores, AtLeastOne) { EXPECT_GE(usable_cores(), 1); }

}  // namespace
}  // namespace janus
