// Matrices on their way in: many rows at once leave the bytes of one row after another, whatever
// the memory held; work that is shared out is done whole, and its failure comes back.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "kernels/open.h"
#include "kernels/panels.h"
#include "op_inputs.h"

namespace janus {
namespace {

std::vector<std::byte> plain_rows(Dtype dtype, int64_t outputs, int64_t inputs) {
  const OwnedTensor values = random_tensor(3, {outputs, inputs});
  std::vector<std::byte> rows(static_cast<size_t>(bytes_of(dtype, outputs * inputs)));
  encode(dtype, {values.view.f32(), static_cast<size_t>(outputs * inputs)}, rows);
  return rows;
}

// 37 outputs: the last panel has lanes that no row fills; 96 inputs: half of the last pair of
// blocks is nobody's.
TEST(Pack, ManyRowsAtOnceAreTheRowsOneByOne) {
  constexpr int64_t kOutputs = 37, kInputs = 96, kFirst = 32;
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16, Dtype::q8_0, Dtype::q4_0}) {
    const std::vector<std::byte> rows = plain_rows(dtype, kOutputs, kInputs);
    const auto size = static_cast<size_t>(bytes_of(dtype, kInputs));
    const auto panel = static_cast<size_t>(bytes_of_panel(dtype, kInputs));
    std::vector<std::byte> panels(panel * static_cast<size_t>(count_panels(kOutputs)));
    for (int64_t r = 0; r < kOutputs; ++r) {
      place_row(dtype, std::span(rows).subspan(static_cast<size_t>(r) * size, size), r,
                panels.data());
    }
    for (const char* name : {"ref", "cpu"}) {
      const std::unique_ptr<Backend> backend = open_backend(name, 3);
      const std::vector<std::byte>& expected = name == std::string("ref") ? rows : panels;
      Weight w = backend->unfilled(dtype, kOutputs, kInputs);
      ASSERT_EQ(w.data.bytes(), std::ssize(expected));
      std::memset(w.data.data(), 0xff, expected.size());
      backend->place(w, 0, std::span(rows).first(kFirst * size));
      backend->place(w, kFirst, std::span(rows).subspan(kFirst * size));
      EXPECT_EQ(std::memcmp(w.data.data(), expected.data(), expected.size()), 0)
          << name << " " << traits(dtype).name;
    }
  }
}

TEST(Pack, RowsThatAreNotWholePanelsAreRefused) {
  const auto backend = open_backend("cpu", 1);
  const std::vector<std::byte> rows = plain_rows(Dtype::f32, 64, 8);
  Weight w = backend->unfilled(Dtype::f32, 40, 8);
  const auto place = [&](int64_t first, size_t count) {
    backend->place(w, first, std::span(rows).first(count * 8 * sizeof(float)));
  };
  EXPECT_THROW(place(8, 16), Error);   // begins inside a panel
  EXPECT_THROW(place(0, 17), Error);   // ends inside one
  EXPECT_THROW(place(32, 16), Error);  // ends behind the last row
  EXPECT_THROW(backend->place(w, 0, std::span(rows).first(100)), Error);  // half a row
  place(32, 8);
}

TEST(SharedOut, EveryPieceIsDoneOnceAndDenormalsCount) {
  for (const char* name : {"ref", "cpu"}) {
    const auto backend = open_backend(name, 3);
    std::vector<std::atomic<int>> done(1000);
    volatile float smallest = 1e-40f, one = 1;
    std::atomic<int> lost{0};
    backend->share_out(std::ssize(done), [&](int64_t i) {
      ++done[static_cast<size_t>(i)];
      if (smallest * one == 0) ++lost;
    });
    for (const auto& count : done) EXPECT_EQ(count, 1);
    EXPECT_EQ(lost, 0) << name;
  }
}

TEST(SharedOut, AFailureComesBackAndWorkGoesOn) {
  for (const char* name : {"ref", "cpu"}) {
    const auto backend = open_backend(name, 3);
    try {
      backend->share_out(100, [](int64_t i) { check(i != 50, Code::bad_input, "the fiftieth"); });
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), "the fiftieth");
    }
    int done = 0;
    backend->share_out(1, [&](int64_t) { ++done; });
    EXPECT_EQ(done, 1);
  }
}

}  // namespace
}  // namespace janus
