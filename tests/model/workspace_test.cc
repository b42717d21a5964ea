// Scratch memory: frames give back what they took, the same calls find the same places, tensors
// never overlap.
// SPDX-License-Identifier: MIT
#include "model/workspace.h"

#include <gtest/gtest.h>

#include "base/buffer.h"

namespace janus {
namespace {

TEST(Workspace, FramesGiveBack) {
  Workspace space;
  void* first = nullptr;
  void* nested = nullptr;
  for (int round = 0; round < 3; ++round) {
    Workspace::Frame frame(space);
    const Tensor a = frame.take({10, 7});
    Tensor b;
    {
      Workspace::Frame inner(space);
      b = inner.take({100});
      EXPECT_GE(b.f32(), a.f32() + a.count());
    }
    const Tensor c = frame.take({5});
    EXPECT_EQ(c.data, b.data);
    if (round > 0) {
      EXPECT_EQ(a.data, first);
      EXPECT_EQ(c.data, nested);
    }
    first = a.data;
    nested = c.data;
  }
}

TEST(Workspace, GrowsToTheLargestUseAndStays) {
  Workspace space;
  const auto use = [&](int64_t size) {
    Workspace::Frame frame(space);
    const Tensor a = frame.take({size}), b = frame.take({2 * size}), c = frame.take({size});
    a.f32()[size - 1] = 1;
    b.f32()[0] = 2;
    b.f32()[2 * size - 1] = 3;
    c.f32()[0] = 4;
    EXPECT_EQ(a.f32()[size - 1] + b.f32()[0] + b.f32()[2 * size - 1] + c.f32()[0], 10);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b.data) % 64, 0u);
  };
  use(300'000);
  const int64_t held = space.bytes(), allocations = Buffer::allocations();
  EXPECT_GE(held, 4 * 4 * 300'000);
  for (const int64_t size : {300'000, 1, 1000, 300'000, 250'000}) use(size);
  EXPECT_EQ(space.bytes(), held);
  EXPECT_EQ(Buffer::allocations(), allocations);
}

}  // namespace
}  // namespace janus
