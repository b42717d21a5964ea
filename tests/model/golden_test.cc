// The golden traces, made by the official modules in f32: every tap of the three passes on both
// golden checkpoints. tests/golden/README.md says how they were made.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "base/error.h"
#include "model/backends.h"
#include "model/passes.h"

namespace janus {
namespace {

using namespace janus::testing;

constexpr int32_t kImageId = 611;  // <image_placeholder> of the golden tokenizer
constexpr float kGuidance = 5;

// How far transformers' own modules in bf16 (torch 2.15, one thread) are from the f32 trace of the
// same checkpoint. The engine keeps activations in f32, so it must not be further away.
const std::map<std::string, double> kReferenceInBf16 = {{"vision.embed", 0.0181},
                                                        {"vision.block.0", 0.0232},
                                                        {"vision.block.1", 0.0253},
                                                        {"vision.out", 0.0312},
                                                        {"aligner.out", 0.0280},
                                                        {"lm.embed", 0.0190},
                                                        {"lm.block.0", 0.0461},
                                                        {"lm.block.1", 0.0569},
                                                        {"lm.out", 0.0811},
                                                        {"logits", 0.0925},
                                                        {"gen.logits.cond", 0.0473},
                                                        {"gen.logits.uncond", 0.0394},
                                                        {"gen.logits.guided", 0.0957},
                                                        {"vq.codes", 0.0098},
                                                        {"vq.pixels", 0.1114},
                                                        {"vq.latent", 0.0651}};

struct Case {
  const char* checkpoint;
  NamedBackend backend;
  Dtype dtype;       // of weights and cache
  double bound_f32;  // on max |a - b| / rms(reference) of every tap

  bool exact() const { return dtype == Dtype::f32; }
  double bound(const std::string& name) const {
    return exact() ? bound_f32 : kReferenceInBf16.at(name);
  }
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.checkpoint << ' ' << c.backend << ' ' << traits(c.dtype).name;
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const NamedBackend& backend : all_backends()) {
    for (const char* checkpoint : {"tiny-hf", "tiny-official"}) {
      cases.push_back({checkpoint, backend, Dtype::f32, backend.name == "ref" ? 2e-4 : 1e-3});
    }
    cases.push_back({"tiny-official", backend, Dtype::bf16, 0});
  }
  return cases;
}

class Golden : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    model_ = open_model(golden(GetParam().checkpoint), GetParam().backend.open(), GetParam().dtype);
  }
  // Every tensor of the reference trace that the pass computes.
  void compare(const Trace& trace, const Reference& reference) {
    size_t compared = 0;
    for (const auto& [name, entry] : trace.entries()) {
      ++compared;
      EXPECT_EQ(entry.shape, reference.shape(name)) << name;
      if (entry.dtype == Dtype::i64) {
        if (GetParam().exact()) {
          EXPECT_EQ(ids(entry), reference.ids(name)) << name;
        }
      } else if (entry.dtype == Dtype::u8) {
        compare_pixels(entry, reference.bytes(name));
      } else {
        const double error = relative_error(floats(entry), reference.values(name));
        EXPECT_LE(error, GetParam().bound(name)) << name;
        RecordProperty(name, std::to_string(error));
      }
    }
    const auto names = reference.names();
    const auto inputs = std::count_if(names.begin(), names.end(), [](const std::string& name) {
      return name == "input_ids" || name == "pixel_values" || name == "cond_ids" ||
             name == "uncond_ids";
    });
    EXPECT_EQ(compared + static_cast<size_t>(inputs), names.size());
  }
  void compare_pixels(const Trace::Entry& entry, const std::vector<uint8_t>& reference) {
    ASSERT_EQ(entry.bytes.size(), reference.size());
    int worst = 0;
    for (size_t i = 0; i < reference.size(); ++i) {
      worst = std::max(worst, std::abs(static_cast<int>(entry.bytes[i]) - int{reference[i]}));
    }
    if (GetParam().exact()) {
      EXPECT_LE(worst, 1);
    }
  }
  Model model_;
};

TEST_P(Golden, Ask) {
  const Reference reference(golden("ask.safetensors"));
  compare(trace_ask(model_, reference, kImageId, GetParam().dtype), reference);
}

TEST_P(Golden, Draw) {
  const Reference reference(golden("draw.safetensors"));
  std::vector<int32_t> codes;
  for (int i = 0; i < model_.config().image_tokens(); ++i) codes.push_back((91 * i + 13) % 256);
  compare(trace_draw(model_, reference, codes, kGuidance, GetParam().dtype), reference);
}

TEST_P(Golden, Encode) {
  const Reference reference(golden("encode.safetensors"));
  compare(trace_encode(model_, reference), reference);
}

std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  std::string name = std::string(c.checkpoint) + "_" + c.backend.name + c.backend.isa + "_" +
                     std::string(traits(c.dtype).name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, Golden, ::testing::ValuesIn(all_cases()), case_name);

TEST(Checkpoints, BothLayoutsHoldTheSameWeights) {
  const std::shared_ptr<const Backend> backend = open_backend("ref");
  const Model a = open_model(golden("tiny-hf"), backend);
  const Model b = open_model(golden("tiny-official"), backend);
  EXPECT_EQ(a.weights().fingerprint, b.weights().fingerprint);
  EXPECT_EQ(a.config().layout, Layout::transformers);
  EXPECT_EQ(b.config().layout, Layout::official);
  const Weight& left = a.weights().vision_blocks[1].qkv;
  const Weight& right = b.weights().vision_blocks[1].qkv;
  ASSERT_EQ(left.data.bytes(), right.data.bytes());
  EXPECT_EQ(
      std::memcmp(left.data.data(), right.data.data(), static_cast<size_t>(left.data.bytes())), 0);
}

}  // namespace
}  // namespace janus
