// Samples packed into sequences: what lies where, and that they do not see each other.
// SPDX-License-Identifier: MIT
#include "train/inputs.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "support.h"
#include "train/checkpoint.h"
#include "train/net.h"

namespace janus::train {
namespace {

// Of `length` inputs, told apart by `first`; the last two ids are the reply.
AskRow row_of(int32_t first, int length) {
  AskRow row;
  for (int i = 0; i <= length; ++i) {
    row.dialogue.ids.push_back(first + i);
    row.dialogue.taught.push_back(i > length - 2);
  }
  return row;
}

SpecialIds pads() {
  SpecialIds ids;
  ids.pad = 7;
  ids.image = -1;
  return ids;
}

using Ids = std::vector<int64_t>;

TEST(Inputs, SamplesGoWhereThereIsRoomFirst) {
  const std::vector<AskRow> rows = {row_of(100, 5), row_of(200, 8), row_of(300, 3)};
  const Inputs packed = ask_inputs(rows, Config(), pads(), 8);
  EXPECT_EQ(packed.rows, 2);
  EXPECT_EQ(packed.length, 8);
  EXPECT_EQ(packed.slots, (Ids{100, 101, 102, 103, 104, 300, 301, 302,  //
                               200, 201, 202, 203, 204, 205, 206, 207}));
  EXPECT_EQ(packed.starts, (Ids{0, 0, 0, 0, 0, 5, 5, 5, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(packed.at, (Ids{3, 4, 14, 15, 6, 7}));  // sample after sample all the same
  EXPECT_EQ(packed.labels, (Ids{104, 105, 207, 208, 302, 303}));
}

TEST(Inputs, PadsSeeThemselvesAlone) {
  const std::vector<AskRow> rows = {row_of(100, 5), row_of(200, 3), row_of(300, 4)};
  const Inputs packed = ask_inputs(rows, Config(), pads(), 8);
  EXPECT_EQ(packed.rows, 2);
  EXPECT_EQ(Ids(packed.slots.begin() + 12, packed.slots.end()), (Ids{7, 7, 7, 7}));
  EXPECT_EQ(Ids(packed.starts.begin() + 8, packed.starts.end()), (Ids{0, 0, 0, 0, 4, 5, 6, 7}));
}

TEST(Inputs, OneSampleASequenceUnlessPacked) {
  const std::vector<AskRow> rows = {row_of(100, 2), row_of(200, 3)};
  const Inputs apart = ask_inputs(rows, Config(), pads());
  EXPECT_EQ(apart.rows, 2);
  EXPECT_EQ(apart.slots, (Ids{100, 101, 7, 200, 201, 202}));
  EXPECT_TRUE(apart.starts.empty());
}

// Same logits as in sequences of their own, for codes and for replies.
TEST(Inputs, PackedSamplesAreIsolated) {
  torch::NoGradGuard off;
  const Config config = load_config(golden("tiny-hf"));
  Janus net(config);
  load_tensors(golden("tiny-hf/model.safetensors"), named_parameters(*net));
  std::vector<DrawRow> draws(3);
  for (int i = 0; i < 3; ++i) {
    for (int k = 0; k < 6 + 5 * i; ++k) draws[static_cast<size_t>(i)].prompt.push_back(40 * i + k);
  }
  const torch::Tensor codes = (torch::arange(3 * 64) * 91 + 13) % 256;
  const auto drawn = [&](int64_t pack) {
    const Inputs inputs = draw_inputs(draws, config, pads(), pack);
    EXPECT_EQ(inputs.rows, pack == 0 ? 3 : 2);
    return net->code_logits(net->decode_at(inputs, net->embed_codes(codes)));
  };
  EXPECT_LT(distance(drawn(160), drawn(0)), 1e-5);
  const std::vector<AskRow> asks = {row_of(10, 30), row_of(90, 50), row_of(200, 17)};
  const auto read = [&](int64_t pack) {
    const Inputs inputs = ask_inputs(asks, config, pads(), pack);
    EXPECT_EQ(inputs.rows, pack == 0 ? 3 : 2);
    return net->text_logits(net->decode_at(inputs, {}));
  };
  EXPECT_LT(distance(read(60), read(0)), 1e-5);
}

}  // namespace
}  // namespace janus::train
