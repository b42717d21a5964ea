// Matrices on their way in: many rows at once leave the bytes of one row after another, whatever
// the memory held; work that is shared out is done whole, and its failure comes back.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
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

// Where every byte of a row of a panel is, told once more in plain words (kernels/cpu/table.h).
void place_plainly(Dtype dtype, std::span<const std::byte> row, std::byte* panel, size_t lane) {
  const size_t bytes = static_cast<size_t>(traits(dtype).bytes), codes = bytes - 2;
  for (size_t i = 0; i < row.size(); ++i) {
    const size_t unit = i / bytes, at = i % bytes;
    if (traits(dtype).block == 1) {  // all lanes of one input, then of the next
      panel[(unit * 16 + lane) * bytes + at] = row[i];
      continue;
    }
    if (dtype == Dtype::q4_k) {
      // Scale and least; 12 bytes of packed numbers; codes.
      const size_t to = unit * 16 * 144;
      if (at < 4) {
        panel[to + at / 2 * 32 + lane * 2 + at % 2] = row[i];
      } else if (at < 16) {
        panel[to + 64 + (at - 4) * 16 + lane] = row[i];
      } else {
        panel[to + 256 + (at - 16) / 4 * 64 + lane * 4 + at % 4] = row[i];
      }
      continue;
    }
    if (dtype == Dtype::q6_k) {
      // Scales of two blocks; of either 16 factors, low bits, high bits.
      const size_t pair = unit / 2 * 2 * 16 * 210, block = pair + 64 + unit % 2 * 16 * 208;
      if (at >= 208) {
        panel[pair + unit % 2 * 32 + lane * 2 + at % 2] = row[i];
      } else if (at >= 192) {
        panel[block + (at - 192) * 16 + lane] = row[i];
      } else {
        panel[block + 256 + at / 4 * 64 + lane * 4 + at % 4] = row[i];
      }
      continue;
    }
    // Of two blocks: scales of the first and of the second, codes of the first and of the second.
    const size_t pair = unit / 2 * 2 * 16 * bytes, half = unit % 2;
    if (at < 2) {
      panel[pair + (half * 16 + lane) * 2 + at] = row[i];
      continue;
    }
    const size_t group = (at - 2) / 4, within = (at - 2) % 4;
    const std::byte flip{static_cast<unsigned char>(dtype == Dtype::q8_0 ? 0x80 : 0)};
    panel[pair + 64 + half * 16 * codes + (group * 16 + lane) * 4 + within] = row[i] ^ flip;
  }
}

// 37 outputs: the last panel has lanes that no row fills; three blocks: half of the last pair is
// nobody's.
TEST(Pack, ManyRowsAtOnceAreTheRowsOneByOne) {
  constexpr int64_t kOutputs = 37, kFirst = 32;
  for (const Dtype dtype :
       {Dtype::f32, Dtype::bf16, Dtype::q8_0, Dtype::q4_0, Dtype::q4_k, Dtype::q6_k}) {
    const int64_t inputs = 3 * std::max<int64_t>(traits(dtype).block, 32);
    const std::vector<std::byte> rows = plain_rows(dtype, kOutputs, inputs);
    const auto size = static_cast<size_t>(bytes_of(dtype, inputs));
    const auto panel = static_cast<size_t>(bytes_of_panel(dtype, inputs));
    std::vector<std::byte> panels(panel * static_cast<size_t>(count_panels(kOutputs)));
    for (int64_t r = 0; r < kOutputs; ++r) {
      place_plainly(dtype, std::span(rows).subspan(static_cast<size_t>(r) * size, size),
                    panels.data() + static_cast<size_t>(r / kPanelOutputs) * panel,
                    static_cast<size_t>(r % kPanelOutputs));
    }
    for (const char* name : {"ref", "cpu"}) {
      const std::unique_ptr<Backend> backend = open_backend(name, 3);
      const std::vector<std::byte>& expected = name == std::string("ref") ? rows : panels;
      Weight w = backend->unfilled(dtype, kOutputs, inputs);
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
  const auto some = std::span(rows).first(32 * 8 * sizeof(float));
  EXPECT_THROW(backend->place_some(w, 0, some), Error);  // more than one panel
  backend->place_some(w, 0, some.first(some.size() / 2));
}

// Another thread's share may be a panel of the same matrix.
TEST(Pack, RowsArePlacedWhileWorkIsSharedOut) {
  constexpr int64_t kOutputs = 40, kInputs = 64;
  const std::vector<std::byte> rows = plain_rows(Dtype::q8_0, kOutputs, kInputs);
  const auto backend = open_backend("cpu", 3);
  Weight together = backend->unfilled(Dtype::q8_0, kOutputs, kInputs);
  Weight shared = backend->unfilled(Dtype::q8_0, kOutputs, kInputs);
  backend->place(together, 0, rows);
  const size_t each = rows.size() / 5 * 2;  // 16 of 40
  backend->share_out(3, [&](int64_t i) {
    const size_t at = static_cast<size_t>(i) * each;
    backend->place_some(shared, i * 16,
                        std::span(rows).subspan(at, std::min(each, rows.size() - at)));
  });
  EXPECT_EQ(std::memcmp(shared.data.data(), together.data.data(),
                        static_cast<size_t>(together.data.bytes())),
            0);
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
