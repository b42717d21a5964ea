// One order of addition for ever: the bits of a row depend on its inputs, the summed length and the
// instruction-set level alone. Compared with memcmp, at every level this machine has: threads, rows
// beside a row, where a prompt was cut, images beside an image.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "levels.h"
#include "op_checks.h"

namespace janus {
namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  for (int64_t r = 0; r < a.rows(); ++r) {
    if (std::memcmp(a.row(r), b.row(r), static_cast<size_t>(a.cols()) * sizeof(float)) != 0) {
      return false;
    }
  }
  return a.rows() == b.rows() && a.cols() == b.cols();
}

class Bits : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Backend> open(int threads) const { return open_level(GetParam(), threads); }

  void image_alone_and_among_others(int64_t side) const;
};

TEST_P(Bits, DoNotDependOnThreads) {
  const auto one = open(1), two = open(2), three = open(3);
  for (const OpCheck& check : op_checks()) {
    const OwnedTensor alone = check.output(*one);
    EXPECT_TRUE(same_bits(alone.view, check.output(*two).view)) << check.op << ", " << check.name;
    EXPECT_TRUE(same_bits(alone.view, check.output(*three).view)) << check.op << ", " << check.name;
  }
}

TEST_P(Bits, OfAProductDoNotDependOnTheRowsBeside) {
  const auto backend = open(2);
  constexpr int64_t kRows = 600, kInputs = 768, kOutputs = 150;  // 9 panels and a tail
  const OwnedTensor x = random_tensor(1, {kRows, kInputs});
  const OwnedTensor bias = random_tensor(3, {kOutputs});
  for (const Dtype dtype :
       {Dtype::f32, Dtype::bf16, Dtype::q8_0, Dtype::q4_0, Dtype::q4_k, Dtype::q6_k}) {
    const Weight w = pack(*backend, dtype, random_tensor(2, {kOutputs, kInputs}).view, bias.view);
    const OwnedTensor all(Dtype::f32, {kRows, kOutputs});
    backend->linear(x.view, w, all.view, Epilogue::gelu);
    for (const int64_t rows : {1, 2, 3, 5, 8, 9, 16, 17, 64, 600}) {
      const OwnedTensor some(Dtype::f32, {rows, kOutputs});
      for (const int64_t first : {int64_t{0}, (kRows - rows) / 2, kRows - rows}) {
        backend->linear(x.view.slice(first, rows), w, some.view, Epilogue::gelu);
        EXPECT_TRUE(same_bits(some.view, all.view.slice(first, rows)))
            << rows << " rows from " << first << ", " << traits(dtype).name;
      }
    }
  }
}

void Bits::image_alone_and_among_others(int64_t side) const {
  const auto backend = open(2);
  constexpr int64_t kImages = 3, kChannels = 40, kOutputs = 24;
  const OwnedTensor x = random_tensor(11, {kImages, side, side, kChannels});
  const OwnedTensor weight = random_tensor(13, {kOutputs}), bias = random_tensor(14, {kOutputs});
  const OwnedTensor filter = random_tensor(12, {kOutputs, 9 * kChannels});
  const Conv conv{pack(*backend, Dtype::f32, filter.view), 3, 1, 1, 1};
  const auto run = [&](Tensor in, int64_t images) {
    OwnedTensor out(Dtype::f32, {images, side, side, kOutputs});
    backend->conv2d(in, conv, out.view);
    backend->group_norm(out.view, weight.view, bias.view, 8, 1e-6f, true, out.view);
    return out;
  };
  const OwnedTensor all = run(x.view, kImages);
  const int64_t pixels = side * side;
  for (int64_t i = 0; i < kImages; ++i) {
    const Tensor own = x.view.slice(i * pixels, pixels).as({1, side, side, kChannels});
    EXPECT_TRUE(same_bits(run(own, 1).view, all.view.slice(i * pixels, pixels))) << "image " << i;
  }
}

// A side of 13 is convolved by windows, of 37 by tiles.
TEST_P(Bits, OfAnImageDoNotDependOnTheImagesBeside) {
  for (const int64_t side : {13, 37}) image_alone_and_among_others(side);
}

// Others use the backend, with its scratch memory, while a large convolution pauses.
TEST_P(Bits, OfALargeConvolutionDoNotDependOnItsPauses) {
  const auto backend = open(2);
  constexpr int64_t kSide = 168, kChannels = 128;
  const OwnedTensor x = random_tensor(11, {1, kSide, kSide, kChannels});
  const Conv conv{pack(*backend, Dtype::f32, random_tensor(12, {kChannels, 9 * kChannels}).view), 3,
                  1, 1, 1};
  OwnedTensor whole(Dtype::f32, {1, kSide, kSide, kChannels});
  backend->conv2d(x.view, conv, whole.view);
  const OwnedTensor rows = random_tensor(13, {40, 9 * kChannels});
  const OwnedTensor products(Dtype::f32, {40, kChannels});
  int pauses = 0;
  OwnedTensor paused(Dtype::f32, {1, kSide, kSide, kChannels});
  backend->conv2d(x.view, conv, paused.view, Epilogue::store, [&] {
    ++pauses;
    backend->linear(rows.view, conv.weight, products.view);
  });
  EXPECT_GE(pauses, 1);
  EXPECT_TRUE(same_bits(whole.view, paused.view));
}

// One sequence of kLength rows, alone or beside others, whole or in steps.
class Prompt {
 public:
  static constexpr int kHeads = 4, kKvHeads = 2, kWidth = 40;
  static constexpr int64_t kLength = 210;

  explicit Prompt(Dtype dtype) : dtype_(dtype) {}

  OwnedTensor run(const Backend& backend, const std::vector<int64_t>& steps,
                  int32_t sequences) const {
    TestCache cache(backend, dtype_, kKvHeads, kWidth, sequences, kLength);
    OwnedTensor out(Dtype::f32, {kLength, kHeads * kWidth});
    int64_t first = 0;
    for (const int64_t rows : steps) {
      TestRows step;  // every sequence takes the same step; the last one is ours
      for (int32_t s = 0; s < sequences; ++s) {
        for (int64_t p = first; p < first + rows; ++p) step.add(s, p);
      }
      const OwnedTensor q = gathered(23, kHeads * kWidth, first, rows, sequences);
      const OwnedTensor k = gathered(21, kKvHeads * kWidth, first, rows, sequences);
      const OwnedTensor v = gathered(22, kKvHeads * kWidth, first, rows, sequences);
      const OwnedTensor a(Dtype::f32, {q.view.rows(), q.view.cols()});
      backend.kv_store(k.view, v.view, step.in(cache), cache.layer);
      backend.attend(q.view, step.in(cache), cache.layer, kHeads, 0.3f, a.view);
      backend.copy(a.view.slice((sequences - 1) * rows, rows), out.view.slice(first, rows));
      first += rows;
    }
    return out;
  }

 private:
  // Rows [first, first + rows) of each sequence; the last sequence has the numbers named `name`.
  static OwnedTensor gathered(uint64_t name, int64_t cols, int64_t first, int64_t rows,
                              int32_t sequences) {
    OwnedTensor all(Dtype::f32, {sequences * rows, cols});
    for (int32_t s = 0; s < sequences; ++s) {
      const auto other = static_cast<uint64_t>(100 * (sequences - 1 - s));
      const OwnedTensor own = random_tensor(name + other, {kLength, cols});
      const Tensor part = own.view.slice(first, rows);
      std::copy_n(part.f32(), part.count(), all.view.row(s * rows));
    }
    return all;
  }

  Dtype dtype_;
};

TEST_P(Bits, OfAttentionDoNotDependOnCutsOrNeighbours) {
  const auto backend = open(2);
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16, Dtype::q8}) {
    const Prompt prompt(dtype);
    const OwnedTensor whole = prompt.run(*backend, {Prompt::kLength}, 1);
    const std::vector<std::vector<int64_t>> cuts = {
        {1, 62, 1, 1, 145}, {64, 64, 64, 18}, {100, 110}, {209, 1}};
    for (const auto& steps : cuts) {
      EXPECT_TRUE(same_bits(prompt.run(*backend, steps, 1).view, whole.view))
          << steps.size() << " steps, the first of " << steps[0] << ", " << traits(dtype).name;
    }
    EXPECT_TRUE(same_bits(prompt.run(*backend, {Prompt::kLength}, 3).view, whole.view))
        << "beside two others";
    const std::vector<int64_t> singly(Prompt::kLength, 1);
    EXPECT_TRUE(same_bits(prompt.run(*backend, singly, 2).view, whole.view)) << "row by row";
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, Bits, testing::ValuesIn(tested_levels()),
                         [](const auto& level) { return level.param; });

}  // namespace
}  // namespace janus
