// The verb doctor: what it finds right and wrong, and that its self-test bites.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/self_test.h"
#include "base/tensor.h"
#include "kernels/open.h"
#include "kernels/ref/backend.h"
#include "program.h"

namespace janus {
namespace {

using Json = nlohmann::json;

std::map<std::string, Json> checks(const Outcome& outcome) {
  std::map<std::string, Json> found;
  for (const std::string& line : lines_of(outcome.out)) {
    const Json check = Json::parse(line);
    found[check["check"]] = check;
  }
  return found;
}

Setting with_cache(const Folder& folder) {
  return {.environment = {{"HF_HOME", folder.file("hf")}}};
}

TEST(DoctorProgram, AllIsWell) {
  const Folder folder;
  const Outcome outcome =
      run_program({"doctor", "-m", golden("tiny-hf"), "--json"}, with_cache(folder));
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.err, "");
  auto found = checks(outcome);
  for (const char* name :
       {"program", "processor", "memory", "model", "room", "pulled", "self-test"}) {
    EXPECT_EQ(found[name]["ok"], true) << name;
  }
  const auto has = [&](const char* name, const std::string& words) {
    const std::string detail = found[name]["detail"];
    EXPECT_NE(detail.find(words), std::string::npos) << detail;
  };
  has("model", "reads and draws, 2 layers of width 64");
  has("processor", "computes by cpu");
  has("pulled", "0 revisions in " + folder.file("hf"));
  for (const std::string& level : available_isa_levels()) {
    has("self-test", open_backend("cpu", 1, level)->name());
  }
  const Outcome table = run_program({"doctor", "-m", golden("tiny-hf")}, with_cache(folder));
  EXPECT_EQ(lines_of(table.out).size(), 7u) << table.out;
  EXPECT_EQ(table.out.rfind("program     ok     januspro ", 0), 0u) << table.out;
}

TEST(DoctorProgram, WhatIsWrongIsNamedAndTheOthersAreStillLookedAt) {
  const Folder folder;
  std::filesystem::copy(golden("tiny-hf"), folder.path() / "m");
  std::filesystem::resize_file(folder.path() / "m" / "model.safetensors", 100'000);
  for (const std::string& model : {folder.file("m"), folder.file("none")}) {
    const Outcome outcome = run_program({"doctor", "-m", model, "--json"}, with_cache(folder));
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.err.find("not in order: model"), std::string::npos) << outcome.err;
    auto found = checks(outcome);
    EXPECT_EQ(found["model"]["ok"], false);
    EXPECT_NE(found["model"]["detail"].get<std::string>().find(model), std::string::npos);
    EXPECT_EQ(found["self-test"]["ok"], true);
  }
}

// --- the self-test -----------------------------------------------------------------------------

TEST(SelfTest, EveryLevelAgreesWithRef) {
  const auto ref = open_backend("ref");
  for (const std::string& level : available_isa_levels()) {
    for (const OperationResult& result : self_test(*open_backend("cpu", 1, level), *ref)) {
      EXPECT_TRUE(result.ok) << level << " " << result.operation << " " << result.error;
    }
  }
}

// What goes in or comes out is altered as a faulty kernel would.
struct LastInputDropped : RefBackend {
  void do_linear(Tensor x, const Weight& weight, Tensor out, Epilogue epilogue) const override {
    for (int64_t r = 0; r < x.rows(); ++r) x.row(r)[x.cols() - 1] = 0;
    RefBackend::do_linear(x, weight, out, epilogue);
  }
};
struct OneNumberOff : RefBackend {
  void do_rms_norm(Tensor x, Tensor weight, float eps, Tensor out) const override {
    RefBackend::do_rms_norm(x, weight, eps, out);
    out.row(2)[7] *= 1.01f;
  }
};
struct NotANumber : RefBackend {
  void do_conv2d(Tensor x, const Conv& conv, Tensor out, Epilogue epilogue,
                 const Pause& pause) const override {
    RefBackend::do_conv2d(x, conv, out, epilogue, pause);
    out.f32()[3] = NAN;
  }
};
struct ScaleForgotten : RefBackend {
  void do_attend(Tensor q, const Rows& rows, const KvLayer& cache, int heads, float,
                 Tensor out) const override {
    RefBackend::do_attend(q, rows, cache, heads, 1, out);
  }
};

TEST(SelfTest, FaultyOperationsAreFound) {
  const RefBackend ref;
  const auto wrong = [&](const Backend& backend) {
    std::string names;
    for (const OperationResult& result : self_test(backend, ref)) {
      if (!result.ok) names += result.operation + ";";
    }
    return names;
  };
  EXPECT_EQ(wrong(ref), "");
  EXPECT_EQ(wrong(LastInputDropped()),
            "linear f32;linear bf16;linear q8_0;linear q4_0;linear q4_k;linear q6_k;linear gelu;");
  EXPECT_EQ(wrong(OneNumberOff()), "rms_norm;");
  EXPECT_EQ(wrong(NotANumber()), "conv2d;conv2d large;");
  EXPECT_EQ(wrong(ScaleForgotten()), "attend f32;attend bf16;");
}

}  // namespace
}  // namespace janus
