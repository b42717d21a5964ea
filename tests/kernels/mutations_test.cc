// The bounds bite: for every operation, backends that are broken in one way each run through the
// very checks of ops_test.cc, at every level, and each must fail one of them. A mutant alters what
// goes into or comes out of the true kernel, as a wrong kernel would.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <string>

#include "base/cpu.h"
#include "kernels/cpu/backend.h"
#include "levels.h"
#include "op_checks.h"

namespace janus {
namespace {

using Cpu = CpuBackend;

OwnedTensor shifted(const Tensor& vector) {
  OwnedTensor t = copy_of(vector);
  std::rotate(t.view.f32(), t.view.f32() + 1, t.view.f32() + t.view.count());
  return t;
}

OwnedTensor without_last_column(const Tensor& x) {
  OwnedTensor t = copy_of(x);
  for (int64_t r = 0; r < x.rows(); ++r) t.view.row(r)[x.cols() - 1] = 0;
  return t;
}

Weight without_bias(const Weight& w) {
  Weight bare;
  bare.outputs = w.outputs;
  bare.inputs = w.inputs;
  bare.dtype = w.dtype;
  bare.data = Buffer(w.data.bytes());
  std::memcpy(bare.data.data(), w.data.data(), static_cast<size_t>(w.data.bytes()));
  return bare;
}

struct GatherNextRow : Cpu {
  using Cpu::Cpu;
  void do_gather(const Table& table, std::span<const int32_t> ids, Tensor out) const override {
    std::vector<int32_t> next(ids.begin(), ids.end());
    for (int32_t& id : next) id = std::min(id + 1, static_cast<int32_t>(table.entries - 1));
    Cpu::do_gather(table, next, out);
  }
};

struct RmsNormShiftedScale : Cpu {
  using Cpu::Cpu;
  void do_rms_norm(Tensor x, Tensor weight, float eps, Tensor out) const override {
    Cpu::do_rms_norm(x, shifted(weight).view, eps, out);
  }
};

struct RmsNormWithoutEps : Cpu {
  using Cpu::Cpu;
  void do_rms_norm(Tensor x, Tensor weight, float, Tensor out) const override {
    Cpu::do_rms_norm(x, weight, 0, out);
  }
};

struct LayerNormDropsTail : Cpu {  // the last element stays out of mean and variance
  using Cpu::Cpu;
  void do_layer_norm(Tensor x, Tensor weight, Tensor bias, float eps, Tensor out) const override {
    Cpu::do_layer_norm(without_last_column(x).view, weight, bias, eps, out);
  }
};

struct LayerNormWithoutBias : Cpu {
  using Cpu::Cpu;
  void do_layer_norm(Tensor x, Tensor weight, Tensor bias, float eps, Tensor out) const override {
    Cpu::do_layer_norm(x, weight, OwnedTensor(Dtype::f32, {bias.count()}).view, eps, out);
  }
};

struct LinearDropsTail : Cpu {
  using Cpu::Cpu;
  void do_linear(Tensor x, const Weight& w, Tensor out, Epilogue epilogue) const override {
    Cpu::do_linear(without_last_column(x).view, w, out, epilogue);
  }
};

struct LinearWithoutBias : Cpu {
  using Cpu::Cpu;
  void do_linear(Tensor x, const Weight& w, Tensor out, Epilogue epilogue) const override {
    Cpu::do_linear(x, without_bias(w), out, epilogue);
  }
};

struct LinearStoresWhereItShouldAdd : Cpu {
  using Cpu::Cpu;
  void do_linear(Tensor x, const Weight& w, Tensor out, Epilogue epilogue) const override {
    Cpu::do_linear(x, w, out, epilogue == Epilogue::add ? Epilogue::store : epilogue);
  }
};

struct LinearSwapsRows : Cpu {
  using Cpu::Cpu;
  void do_linear(Tensor x, const Weight& w, Tensor out, Epilogue epilogue) const override {
    OwnedTensor swapped = copy_of(x);
    std::copy_n(x.row(x.rows() - 1), x.cols(), swapped.view.row(0));
    Cpu::do_linear(swapped.view, w, out, epilogue);
  }
};

struct SwigluSwapsHalves : Cpu {
  using Cpu::Cpu;
  void do_swiglu(Tensor gate_up, Tensor out) const override {
    OwnedTensor swapped = copy_of(gate_up);
    const int64_t half = gate_up.cols() / 2;
    for (int64_t r = 0; r < gate_up.rows(); ++r) {
      float* row = swapped.view.row(r);
      std::rotate(row, row + half, row + 2 * half);
    }
    Cpu::do_swiglu(swapped.view, out);
  }
};

struct RopeNextPosition : Cpu {
  using Cpu::Cpu;
  void do_rope(Tensor x, int heads, std::span<const int32_t> position,
               const RopeTable& table) const override {
    std::vector<int32_t> next(position.begin(), position.end());
    for (int32_t& p : next) ++p;
    Cpu::do_rope(x, heads, next, table);
  }
};

struct AddDropsTail : Cpu {
  using Cpu::Cpu;
  void do_add(Tensor x, Tensor y) const override { Cpu::do_add(x, without_last_column(y).view); }
};

struct CopyDropsTail : Cpu {
  using Cpu::Cpu;
  void do_copy(Tensor x, Tensor out) const override {
    Cpu::do_copy(without_last_column(x).view, out);
  }
};

struct KvStoreNextSlot : Cpu {
  using Cpu::Cpu;
  void do_kv_store(Tensor k, Tensor v, const Rows& rows, const KvLayer& cache) const override {
    std::vector<int32_t> next(rows.position.begin(), rows.position.end());
    for (int32_t& p : next) p ^= 1;
    Rows moved = rows;
    moved.position = next;
    Cpu::do_kv_store(k, v, moved, cache);
  }
};

struct AttendMissesOwnPosition : Cpu {
  using Cpu::Cpu;
  void do_attend(Tensor q, const Rows& rows, const KvLayer& cache, int heads, float scale,
                 Tensor out) const override {
    std::vector<int32_t> before(rows.position.begin(), rows.position.end());
    for (int32_t& p : before) p = std::max(0, p - 1);
    Rows moved = rows;
    moved.position = before;
    Cpu::do_attend(q, moved, cache, heads, scale, out);
  }
};

struct AttendWrongScale : Cpu {
  using Cpu::Cpu;
  void do_attend(Tensor q, const Rows& rows, const KvLayer& cache, int heads, float scale,
                 Tensor out) const override {
    Cpu::do_attend(q, rows, cache, heads, scale * scale, out);
  }
};

struct AttendFullDropsAHead : Cpu {  // keys of one head serve its neighbour
  using Cpu::Cpu;
  void do_attend_full(Tensor q, Tensor k, Tensor v, int64_t tokens, int heads, float scale,
                      Tensor out) const override {
    OwnedTensor moved = copy_of(k);
    const int64_t width = k.cols() / heads;
    for (int64_t r = 0; r < k.rows() && heads > 1; ++r) {
      std::copy_n(k.row(r), width, moved.view.row(r) + width);
    }
    Cpu::do_attend_full(q, moved.view, v, tokens, heads, scale, out);
  }
};

struct AttendFullLosesLastToken : Cpu {
  using Cpu::Cpu;
  void do_attend_full(Tensor q, Tensor k, Tensor v, int64_t tokens, int heads, float scale,
                      Tensor out) const override {
    OwnedTensor less = copy_of(v);
    for (int64_t r = tokens - 1; r < v.rows(); r += tokens) {
      std::fill_n(less.view.row(r), v.cols(), 0.0f);
    }
    Cpu::do_attend_full(q, k, less.view, tokens, heads, scale, out);
  }
};

struct ConvPadsTheWrongSide : Cpu {
  using Cpu::Cpu;
  void do_conv2d(Tensor x, const Conv& conv, Tensor out, Epilogue epilogue,
                 const Pause& pause) const override {
    Conv swapped;
    swapped.weight = without_bias(conv.weight);
    swapped.weight.bias = OwnedTensor(Dtype::f32, {conv.weight.outputs});
    std::copy_n(conv.weight.bias.view.f32(), conv.weight.outputs, swapped.weight.bias.view.f32());
    swapped.kernel = conv.kernel;
    swapped.stride = conv.stride;
    swapped.pad_before = conv.pad_after;
    swapped.pad_after = conv.pad_before;
    Cpu::do_conv2d(x, swapped, out, epilogue, pause);
  }
};

struct ConvDropsLastChannel : Cpu {
  using Cpu::Cpu;
  void do_conv2d(Tensor x, const Conv& conv, Tensor out, Epilogue epilogue,
                 const Pause& pause) const override {
    const OwnedTensor less = without_last_column(x);
    Tensor view = less.view;
    view.rank = x.rank;
    view.shape = x.shape;
    Cpu::do_conv2d(view, conv, out, epilogue, pause);
  }
};

bool by_tiles(const Tensor& out, const Conv& conv) {
  return conv.kernel == 3 && conv.stride == 1 && out.shape[1] * out.shape[2] >= 64 * 16;
}

struct TilesDropLastChannel : ConvDropsLastChannel {
  using ConvDropsLastChannel::ConvDropsLastChannel;
  void do_conv2d(Tensor x, const Conv& conv, Tensor out, Epilogue epilogue,
                 const Pause& pause) const override {
    if (by_tiles(out, conv)) return ConvDropsLastChannel::do_conv2d(x, conv, out, epilogue, pause);
    Cpu::do_conv2d(x, conv, out, epilogue, pause);
  }
};

struct TileInItsNeighboursPlace : Cpu {
  using Cpu::Cpu;
  void do_conv2d(Tensor x, const Conv& conv, Tensor out, Epilogue epilogue,
                 const Pause& pause) const override {
    Cpu::do_conv2d(x, conv, out, epilogue, pause);
    if (!by_tiles(out, conv)) return;
    for (int64_t i = 0; i < 4; ++i) {
      std::swap_ranges(out.row(i), out.row(i) + out.cols(), out.row(i + 4));
    }
  }
};

struct GroupNormForgetsSilu : Cpu {
  using Cpu::Cpu;
  void do_group_norm(Tensor x, Tensor weight, Tensor bias, int groups, float eps, bool,
                     Tensor out) const override {
    Cpu::do_group_norm(x, weight, bias, groups, eps, false, out);
  }
};

struct GroupNormHalvesGroups : Cpu {
  using Cpu::Cpu;
  void do_group_norm(Tensor x, Tensor weight, Tensor bias, int groups, float eps, bool silu,
                     Tensor out) const override {
    Cpu::do_group_norm(x, weight, bias, groups / 2, eps, silu, out);
  }
};

struct UpsampleDropsTail : Cpu {
  using Cpu::Cpu;
  void do_upsample2x(Tensor x, Tensor out) const override {
    Cpu::do_upsample2x(x, out);
    out.row(out.rows() - 1)[out.cols() - 1] += 1;
  }
};

struct NearestMissesTheLastElement : Cpu {
  using Cpu::Cpu;
  void do_nearest_code(Tensor x, Tensor codebook, std::span<int32_t> ids) const override {
    Cpu::do_nearest_code(without_last_column(x).view, codebook, ids);
  }
};

struct NearestTakesTheLastOnTies : Cpu {
  using Cpu::Cpu;
  void do_nearest_code(Tensor x, Tensor codebook, std::span<int32_t> ids) const override {
    OwnedTensor reversed = copy_of(codebook);
    const int64_t n = codebook.rows();
    for (int64_t c = 0; c < n; ++c) {
      std::copy_n(codebook.row(c), codebook.cols(), reversed.view.row(n - 1 - c));
    }
    Cpu::do_nearest_code(x, reversed.view, ids);
    for (int32_t& id : ids) id = static_cast<int32_t>(n - 1) - id;
  }
};

bool any_check_fails(const std::string& op, const Backend& backend) {
  for (const OpCheck& check : op_checks()) {
    if (check.op == op && !check.run(backend).ok()) return true;
  }
  return false;
}

class Mutations : public testing::TestWithParam<std::string> {
 protected:
  template <class Mutant>
  void expect_caught(const char* op, const char* what) const {
    const Mutant mutant(kernels_of(GetParam()), 1);
    ASSERT_EQ(mutant.name(), "cpu " + GetParam());
    EXPECT_TRUE(any_check_fails(op, mutant)) << op << ": " << what << " slipped through";
  }
};

TEST_P(Mutations, OfRowsAreCaught) {
  expect_caught<GatherNextRow>("gather", "the row after");
  expect_caught<RmsNormShiftedScale>("rms_norm", "a scale of the next channel");
  expect_caught<RmsNormWithoutEps>("rms_norm", "a missing eps");
  expect_caught<LayerNormDropsTail>("layer_norm", "a dropped tail");
  expect_caught<LayerNormWithoutBias>("layer_norm", "a missing bias");
  expect_caught<LinearDropsTail>("linear", "a dropped tail");
  expect_caught<LinearWithoutBias>("linear", "a missing bias");
  expect_caught<LinearStoresWhereItShouldAdd>("linear", "a store for an add");
  expect_caught<LinearSwapsRows>("linear", "a row of another");
  expect_caught<SwigluSwapsHalves>("swiglu", "swapped halves");
  expect_caught<RopeNextPosition>("rope", "a shifted position");
  expect_caught<AddDropsTail>("add", "a dropped tail");
  expect_caught<CopyDropsTail>("copy", "a dropped tail");
}

TEST_P(Mutations, OfAttentionAreCaught) {
  expect_caught<KvStoreNextSlot>("attend", "a key in its neighbour's slot");
  expect_caught<AttendMissesOwnPosition>("attend", "a mask one position short");
  expect_caught<AttendWrongScale>("attend", "a wrong scale");
  expect_caught<AttendFullDropsAHead>("attend_full", "keys of another head");
  expect_caught<AttendFullLosesLastToken>("attend_full", "a lost last token");
}

TEST_P(Mutations, OfImagesAreCaught) {
  expect_caught<ConvPadsTheWrongSide>("conv2d", "pads on the wrong side");
  expect_caught<ConvDropsLastChannel>("conv2d", "a dropped channel");
  expect_caught<TilesDropLastChannel>("conv2d", "a channel dropped by tiles");
  expect_caught<TileInItsNeighboursPlace>("conv2d", "a tile in its neighbour's place");
  expect_caught<GroupNormForgetsSilu>("group_norm", "a missing silu");
  expect_caught<GroupNormHalvesGroups>("group_norm", "groups twice as large");
  expect_caught<UpsampleDropsTail>("upsample2x", "a wrong last element");
  expect_caught<NearestMissesTheLastElement>("nearest_code", "a dropped tail");
  expect_caught<NearestTakesTheLastOnTies>("nearest_code", "the last of equals");
}

INSTANTIATE_TEST_SUITE_P(Levels, Mutations, testing::ValuesIn(tested_levels()),
                         [](const auto& level) { return level.param; });

}  // namespace
}  // namespace janus
