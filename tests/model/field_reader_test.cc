// Fields read on several threads: the same bytes, and the same fingerprint, as on one.
// SPDX-License-Identifier: MIT
#include "model/field_reader.h"

#include <gtest/gtest.h>

#include <bit>
#include <numeric>

#include "base/quant.h"
#include "model/support.h"
#include "model/synthetic.h"
#include "model/weights.h"

namespace janus {
namespace {

using namespace janus::testing;

// Wide enough that matrices are read in several goes.
Config wide_config() {
  Config config = load_config(golden("tiny-hf"));
  config.llama = {.width = 768,
                  .layers = 1,
                  .heads = 8,
                  .kv_heads = 8,
                  .head_width = 96,
                  .mlp_width = 1024,
                  .vocabulary = 3000,
                  .context = 64};
  config.gen_head_width = 768;
  return config;
}

bool same_bytes(const Buffer& a, const Buffer& b) {
  return a.bytes() == b.bytes() &&
         std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0;
}

TEST(FieldReader, ThreadsDoNotChangeAByte) {
  const Config config = wide_config();
  const SyntheticSource source(config, Layout::transformers);
  for (const Dtype type : {Dtype::f32, Dtype::bf16, Dtype::q8_0, Dtype::q4_0}) {
    const auto alone = open_backend("cpu", 1), several = open_backend("cpu", 3);
    const Weights a = load_weights(config, source, *alone, type);
    const Weights b = load_weights(config, source, *several, type);
    EXPECT_EQ(a.fingerprint, b.fingerprint);
    EXPECT_TRUE(same_bytes(a.embed_text.rows.buffer, b.embed_text.rows.buffer));
    EXPECT_TRUE(same_bytes(a.blocks[0].qkv.data, b.blocks[0].qkv.data));
    EXPECT_TRUE(same_bytes(a.blocks[0].down.data, b.blocks[0].down.data));
    EXPECT_TRUE(same_bytes(a.text_head.data, b.text_head.data));
    EXPECT_TRUE(same_bytes(a.decoder.conv_in.weight.data, b.decoder.conv_in.weight.data));
  }
}

// What ref keeps is the rows as they are.
TEST(FieldReader, RowsAreThoseOfTheSource) {
  const Config config = wide_config();
  const SyntheticSource source(config, Layout::transformers);
  const Weights weights = load_weights(config, source, *open_backend("ref"), Dtype::q8_0);
  std::vector<std::byte> expected;
  for (const char* part : {"q_proj", "k_proj", "v_proj"}) {
    std::vector<float> values(768 * 768);
    source.read(std::string("model.language_model.layers.0.self_attn.") + part + ".weight", 0,
                values);
    const size_t at = expected.size();
    expected.resize(at + static_cast<size_t>(bytes_of(Dtype::q8_0, std::ssize(values))));
    encode(Dtype::q8_0, values, std::span(expected).subspan(at));
  }
  const Buffer& got = weights.blocks[0].qkv.data;
  ASSERT_EQ(got.bytes(), std::ssize(expected));
  EXPECT_EQ(std::memcmp(got.data(), expected.data(), expected.size()), 0);
}

// The rule in plain words: value i goes to lane i % 8.
uint64_t plain_fingerprint(std::span<const float> values) {
  std::array<uint64_t, 8> lanes{1, 2, 3, 4, 5, 6, 7, 8};
  for (size_t i = 0; i < values.size(); ++i) {
    uint64_t& h = lanes[i % 8];
    h = (h ^ std::bit_cast<uint32_t>(values[i])) * 0x9E3779B97F4A7C15u;
    h ^= h >> 32;
  }
  uint64_t result = values.size();
  for (const uint64_t lane : lanes) {
    uint64_t z = result ^ lane;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    result = z ^ (z >> 31);
  }
  return result;
}

TEST(Fingerprint, IsTheSameInPieces) {
  std::vector<float> values(1000);
  std::iota(values.begin(), values.end(), -7.5f);
  Fingerprint whole, pieces;
  whole.add(values);
  EXPECT_EQ(whole.value(), plain_fingerprint(values));
  std::span<const float> left(values);
  for (size_t size = 1; !left.empty(); size += 6) {
    const auto piece = left.first(std::min(size, left.size()));
    pieces.add(piece);
    left = left.subspan(piece.size());
  }
  EXPECT_EQ(pieces.value(), whole.value());
}

}  // namespace
}  // namespace janus
