// The shared checks name the operation and both shapes, and small cases of `ref` agree with values
// worked out by hand. What fast backends owe `ref` is in ops_test.cc.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/error.h"
#include "kernels/backend.h"
#include "kernels/open.h"

namespace janus {
namespace {

Weight pack_rows(const Backend& backend, Dtype dtype, int64_t outputs, int64_t inputs,
                 const std::vector<float>& values, std::span<const float> bias = {}) {
  return backend.pack(
      dtype, outputs, inputs,
      [&](int64_t index, std::span<float> out) {
        std::copy_n(values.begin() + index * inputs, inputs, out.begin());
      },
      bias);
}

std::string message_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::bug);
    return e.what();
  }
  return "";
}

TEST(Checks, LinearNamesItselfAndTheShapes) {
  const auto ref = open_backend("ref");
  const Weight w = pack_rows(*ref, Dtype::f32, 2, 3, {1, 2, 3, 4, 5, 6});
  const OwnedTensor x(Dtype::f32, {1, 4}), out(Dtype::f32, {1, 2});
  const std::string text = message_of([&] { ref->linear(x.view, w, out.view); });
  EXPECT_NE(text.find("linear"), std::string::npos);
  EXPECT_NE(text.find("[1, 4]"), std::string::npos) << text;
  EXPECT_NE(text.find("[2, 3]"), std::string::npos) << text;
}

TEST(Checks, IdsPositionsAndBlocksStayInside) {
  const auto ref = open_backend("ref");
  Table table{.entries = 4, .width = 2, .rows = OwnedTensor(Dtype::f32, {4, 2})};
  const OwnedTensor out(Dtype::f32, {1, 2});
  const std::array<int32_t, 1> id{4}, zero{0}, far{kKvBlock};
  EXPECT_NE(message_of([&] { ref->gather(table, id, out.view); }), "");

  const Buffer memory(ref->kv_block_bytes(Dtype::f32, 1, 2));
  const KvLayer cache{Dtype::f32, 1, 2, 1, memory.bytes(), memory.data(), memory.data()};
  const std::array<int32_t, 1> block{1};
  const Rows missing_block{zero, zero, block, 1}, too_far{zero, far, zero, 1};
  EXPECT_NE(message_of([&] { ref->attend(out.view, missing_block, cache, 1, 1, out.view); }), "");
  EXPECT_NE(message_of([&] { ref->kv_store(out.view, out.view, too_far, cache); }), "");
}

TEST(Checks, UnknownBackendListsTheKnown) {
  try {
    open_backend("gpu");
    FAIL() << "a backend of an unknown name was opened";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::bad_input);
    EXPECT_NE(std::string(e.what()).find("ref"), std::string::npos);
  }
}

TEST(Ref, LinearByHand) {
  const auto ref = open_backend("ref");
  const std::array<float, 2> bias{10, -20};
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
    const Weight w = pack_rows(*ref, dtype, 2, 3, {1, 2, 3, 4, 5, 6}, bias);
    OwnedTensor x(Dtype::f32, {1, 3}), out(Dtype::f32, {1, 2});
    std::copy_n(std::array<float, 3>{1, 0, -1}.begin(), 3, x.view.f32());
    ref->linear(x.view, w, out.view);
    EXPECT_EQ(out.view.f32()[0], 8);
    EXPECT_EQ(out.view.f32()[1], -22);
    ref->linear(x.view, w, out.view, Epilogue::add);
    EXPECT_EQ(out.view.f32()[0], 16);
  }
}

TEST(Ref, ConvolutionPadsOneSide) {
  const auto ref = open_backend("ref");
  Conv conv;
  conv.weight = pack_rows(*ref, Dtype::f32, 1, 9, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  conv.kernel = 3;
  conv.stride = 2;
  conv.pad_after = 1;
  OwnedTensor x(Dtype::f32, {1, 4, 4, 1}), out(Dtype::f32, {1, 2, 2, 1});
  std::fill_n(x.view.f32(), 16, 1.0f);
  ref->conv2d(x.view, conv, out.view);
  EXPECT_EQ(out.view.f32()[0], 45);              // all nine taps
  EXPECT_EQ(out.view.f32()[1], 45 - 3 - 6 - 9);  // the right column falls off
  EXPECT_EQ(out.view.f32()[2], 45 - 7 - 8 - 9);  // the lower row falls off
  EXPECT_EQ(out.view.f32()[3], 1 + 2 + 4 + 5);
}

TEST(Ref, NearestCodeTakesTheFirstOnTies) {
  const auto ref = open_backend("ref");
  OwnedTensor x(Dtype::f32, {1, 2}), codes(Dtype::f32, {3, 2});
  std::copy_n(std::array<float, 2>{1, 0}.begin(), 2, x.view.f32());
  std::copy_n(std::array<float, 6>{0, 1, 1, 0, 1, 0}.begin(), 6, codes.view.f32());
  std::array<int32_t, 1> id{};
  ref->nearest_code(x.view, codes.view, id);
  EXPECT_EQ(id[0], 1);
}

}  // namespace
}  // namespace janus
