// The golden traces, made by the official modules in f32: every tap of the three passes on both
// golden checkpoints. tests/golden/README.md says how they were made.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "base/error.h"
#include "model/passes.h"

namespace janus {
namespace {

using namespace janus::testing;

constexpr int32_t kImageId = 611;  // <image_placeholder> of the golden tokenizer
constexpr float kGuidance = 5;

struct Case {
  const char* checkpoint;
  const char* backend;
  Dtype weights;
  double bound;    // on max |a - b| / rms(reference) of every tap
  bool ids_equal;  // greedy ids and vq.ids
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.checkpoint << ' ' << c.backend << ' ' << traits(c.weights).name;
}

class Golden : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    model_ = open_model(golden(GetParam().checkpoint), open_backend(GetParam().backend),
                        GetParam().weights);
  }
  // Every tensor of the reference trace that the pass computes.
  void compare(const Trace& trace, const Reference& reference) {
    size_t compared = 0;
    for (const auto& [name, entry] : trace.entries()) {
      ++compared;
      EXPECT_EQ(entry.shape, reference.shape(name)) << name;
      if (entry.dtype == Dtype::i64) {
        if (GetParam().ids_equal) {
          EXPECT_EQ(ids(entry), reference.ids(name)) << name;
        }
      } else if (entry.dtype == Dtype::u8) {
        compare_pixels(entry, reference.bytes(name));
      } else {
        const double error = relative_error(floats(entry), reference.values(name));
        EXPECT_LE(error, GetParam().bound) << name;
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
    if (GetParam().ids_equal) {
      EXPECT_LE(worst, 1);
    }
  }
  Model model_;
};

TEST_P(Golden, Ask) {
  const Reference reference(golden("ask.safetensors"));
  compare(trace_ask(model_, reference, kImageId), reference);
}

TEST_P(Golden, Draw) {
  const Reference reference(golden("draw.safetensors"));
  std::vector<int32_t> codes;
  for (int i = 0; i < model_.config().image_tokens(); ++i) codes.push_back((91 * i + 13) % 256);
  compare(trace_draw(model_, reference, codes, kGuidance), reference);
}

TEST_P(Golden, Encode) {
  const Reference reference(golden("encode.safetensors"));
  compare(trace_encode(model_, reference), reference);
}

INSTANTIATE_TEST_SUITE_P(Ref, Golden,
                         ::testing::Values(Case{"tiny-hf", "ref", Dtype::f32, 2e-4, true},
                                           Case{"tiny-official", "ref", Dtype::f32, 2e-4, true}));

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
