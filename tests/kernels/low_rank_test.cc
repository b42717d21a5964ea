// Products with low-rank additions, on every backend and type of weights.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "levels.h"
#include "op_checks.h"
#include "op_inputs.h"

namespace janus {
namespace {

constexpr int64_t kInputs = 96, kOutputs = 70;

LowRankAddition addition(const Backend& backend, uint64_t name, int64_t first, int64_t outputs,
                         int64_t rank) {
  return {first, pack(backend, Dtype::f32, random_tensor(name, {rank, kInputs}).view),
          pack(backend, Dtype::f32, random_tensor(name + 1, {outputs, rank}).view)};
}

// Of 70 outputs one addition is to some in the middle, another of a higher rank to all.
Weight weight_of(const Backend& backend, Dtype type) {
  Weight w = pack(backend, type, random_tensor(2, {kOutputs, kInputs}).view,
                  random_tensor(3, {kOutputs}).view);
  w.additions.push_back(addition(backend, 10, 5, 33, 3));
  w.additions.push_back(addition(backend, 20, 0, kOutputs, 20));
  return w;
}

double gelu(double t) { return t / 2 * (1 + std::erf(t / std::sqrt(2.0))); }

// x·Aᵀ·Bᵀ of every row in f64, and the sum of the sizes of its terms.
void add_product(const Tensor& x, uint64_t name, int64_t first, int64_t outputs, int64_t rank,
                 std::vector<double>& sums, std::vector<double>& sizes) {
  const OwnedTensor a = random_tensor(name, {rank, kInputs});
  const OwnedTensor b = random_tensor(name + 1, {outputs, rank});
  for (int64_t row = 0; row < x.rows(); ++row) {
    for (int64_t r = 0; r < rank; ++r) {
      double between = 0, size = 0;
      for (int64_t k = 0; k < kInputs; ++k) {
        const double term = double{x.row(row)[k]} * double{a.view.row(r)[k]};
        between += term;
        size += std::fabs(term);
      }
      for (int64_t o = 0; o < outputs; ++o) {
        const auto at = static_cast<size_t>(row * kOutputs + first + o);
        sums[at] += between * double{b.view.row(o)[r]};
        sizes[at] += size * std::fabs(double{b.view.row(o)[r]});
      }
    }
  }
}

// The plain product is what other tests hold; here it is taken as it comes, and what is added to it
// is judged: both factors' chains of sums, and the roundings of adding.
TEST(LowRank, AdditionsCountWithTheProduct) {
  std::vector<std::unique_ptr<Backend>> backends;
  backends.push_back(open_backend("ref"));
  for (const std::string& isa : tested_levels()) {
    backends.push_back(open_level(isa, 2));
  }
  for (const auto& backend : backends) {
    for (const Dtype type : {Dtype::f32, Dtype::bf16, Dtype::q8_0, Dtype::q4_0}) {
      const Weight w = weight_of(*backend, type);
      const Weight plain = pack(*backend, type, random_tensor(2, {kOutputs, kInputs}).view,
                                random_tensor(3, {kOutputs}).view);
      for (const int64_t rows : {1, 7, 64, 150}) {
        const OwnedTensor x = random_tensor(1, {rows, kInputs});
        for (const Epilogue epilogue : {Epilogue::store, Epilogue::add, Epilogue::gelu}) {
          const OwnedTensor got = random_tensor(4, {rows, kOutputs}), start = copy_of(got.view);
          backend->linear(x.view, w, got.view, epilogue);
          const bool is_gelu = epilogue == Epilogue::gelu;
          backend->linear(x.view, plain, start.view, is_gelu ? Epilogue::store : epilogue);
          const auto count = static_cast<size_t>(rows * kOutputs);
          std::vector<double> sums(count), sizes(count);
          add_product(x.view, 10, 5, 33, 3, sums, sizes);
          add_product(x.view, 20, 0, kOutputs, 20, sums, sizes);
          double worst = 0;
          for (size_t i = 0; i < count; ++i) {
            const double before = double{start.view.f32()[i]}, sum = before + sums[i];
            const double all = sizes[i] + std::fabs(before);
            double bound = (dot_chain(kInputs) + dot_chain(20)) * sizes[i] + 4 * kRoundoff * all;
            if (is_gelu) bound = 1.13 * bound + 16 * kRoundoff * all;
            const double wanted = is_gelu ? gelu(sum) : sum;
            worst = std::max(worst, std::fabs(double{got.view.f32()[i]} - wanted) / bound);
          }
          EXPECT_LE(worst, 1) << backend->name() << ' ' << traits(type).name << ' ' << rows << ' '
                              << static_cast<int>(epilogue);
        }
      }
    }
  }
}

// … on any number of threads.
TEST(LowRank, ARowDependsOnItselfAlone) {
  const auto backend = open_backend("cpu", 2), alone = open_backend("cpu", 1);
  const Weight w = weight_of(*backend, Dtype::bf16);
  const OwnedTensor x = random_tensor(1, {200, kInputs}), all(Dtype::f32, {200, kOutputs});
  backend->linear(x.view, w, all.view, Epilogue::gelu);
  for (const int64_t first : {0, 1, 63, 64, 140}) {
    for (const int64_t rows : {1, 2, 60}) {
      const OwnedTensor some(Dtype::f32, {rows, kOutputs});
      alone->linear(x.view.slice(first, rows), w, some.view, Epilogue::gelu);
      EXPECT_TRUE(
          std::equal(some.view.f32(), some.view.f32() + rows * kOutputs, all.view.row(first)))
          << rows << " rows from " << first;
    }
  }
}

TEST(LowRank, RefusesWhatDoesNotFit) {
  const auto backend = open_backend("ref");
  const OwnedTensor x = random_tensor(1, {2, kInputs}), out(Dtype::f32, {2, kOutputs});
  const auto refused = [&](LowRankAddition last, Epilogue epilogue) {
    Weight w = weight_of(*backend, Dtype::f32);
    w.additions.push_back(std::move(last));
    EXPECT_THROW(backend->linear(x.view, w, out.view, epilogue), Error);
  };
  refused(addition(*backend, 30, 60, 11, 2), Epilogue::store);  // past the outputs
  refused(addition(*backend, 30, 0, 60, 2), Epilogue::gelu);    // gelu of some outputs alone
  LowRankAddition wrong = addition(*backend, 30, 0, kOutputs, 2);
  wrong.b = pack(*backend, Dtype::f32, random_tensor(31, {kOutputs, 3}).view);
  refused(std::move(wrong), Epilogue::store);
}

// Outputs of other types behind a matrix's own are as if each were alone, and additions count
// through all of them.
TEST(LowRank, ReachesOutputsBehind) {
  for (const char* name : {"ref", "cpu"}) {
    const auto backend = open_backend(name, 2);
    Weight w = pack(*backend, Dtype::q4_0, random_tensor(2, {40, kInputs}).view);
    w.behind.push_back(pack(*backend, Dtype::q8_0, random_tensor(3, {30, kInputs}).view));
    EXPECT_EQ(w.all_outputs(), kOutputs);
    EXPECT_EQ(w.bytes(), w.data.bytes() + w.behind[0].data.bytes());
    const OwnedTensor x = random_tensor(1, {5, kInputs});
    const OwnedTensor own(Dtype::f32, {5, 40}), rest(Dtype::f32, {5, 30});
    const OwnedTensor out(Dtype::f32, {5, kOutputs});
    backend->linear(x.view, pack(*backend, Dtype::q4_0, random_tensor(2, {40, kInputs}).view),
                    own.view);
    backend->linear(x.view, w.behind[0], rest.view);
    backend->linear(x.view, w, out.view);
    for (int64_t r = 0; r < 5; ++r) {
      EXPECT_TRUE(std::equal(own.view.row(r), own.view.row(r) + 40, out.view.row(r)));
      EXPECT_TRUE(std::equal(rest.view.row(r), rest.view.row(r) + 30, out.view.row(r) + 40));
    }
    const OwnedTensor b(Dtype::f32, {20, 1}), a(Dtype::f32, {1, kInputs});
    std::fill_n(b.view.f32(), 20, 1.0f);
    a.view.f32()[0] = 1;
    w.additions.push_back(
        {30, pack(*backend, Dtype::f32, a.view), pack(*backend, Dtype::f32, b.view)});
    const OwnedTensor more(Dtype::f32, {5, kOutputs});
    backend->linear(x.view, w, more.view);
    for (int64_t r = 0; r < 5; ++r) {
      for (int64_t o = 0; o < kOutputs; ++o) {
        const float added = o >= 30 && o < 50 ? x.view.row(r)[0] : 0;
        EXPECT_EQ(more.view.row(r)[o], out.view.row(r)[o] + added) << name << ' ' << o;
      }
    }
    EXPECT_THROW(backend->linear(x.view, w, own.view), Error);
  }
}

}  // namespace
}  // namespace janus
