// Low-rank adapters: what is read, merged and refused. SPDX-License-Identifier: MIT
#include "model/adapter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "io/temp_dir.h"
#include "model/adapter_files.h"
#include "model/checkpoint.h"
#include "model/support.h"

namespace janus {
namespace {

using namespace janus::testing;

const std::string kQuery = "model.language_model.layers.1.self_attn.q_proj";

class AdapterFiles : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::vector<Factor>& factors,
                              const std::string& settings = kAdapterSettings) {
    write_adapter(dir_.path(), factors, settings);
    return dir_.path();
  }
  // Of rank 2 at one matrix of the golden model, which is 64 × 64.
  std::filesystem::path query(const std::string& module = kQuery,
                              const std::string& settings = kAdapterSettings) {
    return write({factor("base_model.model." + module + ".lora_A.weight", {2, 64}, 5),
                  factor("base_model.model." + module + ".lora_B.weight", {64, 2}, 7)},
                 settings);
  }
  std::string refusal(Code code, const std::filesystem::path& dir) {
    return error_of(code, [&] { adapter_layout(read_adapter(dir), config_); });
  }
  TempDir dir_;
  Config config_ = load_config(golden("tiny-hf"));
};

TEST_F(AdapterFiles, AddsAlphaOverRankTimesTheProduct) {
  const Adapter adapter = read_adapter(query());
  EXPECT_EQ(adapter_layout(adapter, config_), Layout::transformers);
  ASSERT_EQ(adapter.layers.size(), 1u);
  EXPECT_EQ(adapter.layers.at(kQuery + ".weight").scale, 3);
  const auto base = Checkpoint(golden("tiny-hf")).source();
  const MergedSource merged(*base, adapter);
  std::vector<float> plain(64 * 64), changed(64 * 64);
  base->read(kQuery + ".weight", 0, plain);
  merged.read(kQuery + ".weight", 0, changed);
  for (int row = 0; row < 64; ++row) {
    for (int column = 0; column < 64; ++column) {
      float wanted = plain[static_cast<size_t>(row * 64 + column)];
      for (int r = 0; r < 2; ++r) {
        const float b = static_cast<float>((2 * row + r) % 7) / 8;
        const float a = static_cast<float>((64 * r + column) % 5) / 8;
        wanted += 3 * b * a;
      }
      ASSERT_EQ(changed[static_cast<size_t>(row * 64 + column)], wanted) << row << ' ' << column;
    }
  }
  // Pieces that begin and end anywhere are pieces of the whole; other tensors are as they were.
  for (const int64_t begin : {0, 1, 63, 64, 1000}) {
    std::vector<float> piece(200);
    merged.read(kQuery + ".weight", begin, piece);
    EXPECT_TRUE(std::equal(piece.begin(), piece.end(), changed.begin() + begin)) << begin;
  }
  const std::string other = "model.language_model.layers.0.self_attn.q_proj.weight";
  base->read(other, 0, plain);
  merged.read(other, 0, changed);
  EXPECT_EQ(plain, changed);
}

TEST_F(AdapterFiles, OfficialNamesAndRootsOfTheRank) {
  const Adapter adapter =
      read_adapter(query("language_model.model.layers.1.self_attn.q_proj",
                         R"({"peft_type": "LORA", "lora_alpha": 6, "use_rslora": true})"));
  EXPECT_EQ(adapter_layout(adapter, config_), Layout::official);
  EXPECT_NEAR(adapter.layers.begin()->second.scale, 6 / std::sqrt(2.0), 1e-12);
}

TEST_F(AdapterFiles, BlocksOfMergedMatricesAreNoMore) {
  const auto base = Checkpoint(golden("tiny-hf")).source();
  const Adapter adapter = read_adapter(query());
  const MergedSource merged(*base, adapter);
  EXPECT_EQ(merged.stored(kQuery + ".weight"), Dtype::f32);
  std::vector<std::byte> bytes(64);
  error_of(Code::bug, [&] { merged.read_blocks(kQuery + ".weight", 0, bytes); });
}

TEST_F(AdapterFiles, RefusesWhatIsMoreThanSums) {
  const auto settings = [&](const std::string& more) {
    return refusal(Code::not_supported,
                   query(kQuery, R"({"peft_type": "LORA", "lora_alpha": 6, )" + more + "}"));
  };
  expect_has(settings(R"("use_dora": true)"), "use_dora");
  expect_has(settings(R"("bias": "all")"), "bias is \"all\"");
  expect_has(settings(R"("modules_to_save": ["lm_head"])"), "modules_to_save");
  expect_has(settings(R"("alpha_pattern": {"q_proj": 3})"), "alpha_pattern");
  expect_has(refusal(Code::not_supported, query(kQuery, R"({"peft_type": "IA3"})")), "IA3");
  expect_has(refusal(Code::not_supported,
                     write({factor("base_model.model.lm_head.weight", {640, 64}, 3)})),
             "lm_head.weight is no factor");
}

TEST_F(AdapterFiles, RefusesWhatDoesNotFit) {
  expect_has(refusal(Code::bad_input, dir_ / "absent"), "adapter_config.json");
  expect_has(refusal(Code::bad_checkpoint, query(kQuery, "{")), "adapter_config.json");
  expect_has(refusal(Code::bad_checkpoint, query(kQuery, R"({"peft_type": "LORA"})")),
             "lora_alpha");
  expect_has(refusal(Code::bad_checkpoint, query("model.language_model.layers.9.self_attn.q_proj")),
             "does not have");
  expect_has(refusal(Code::bad_checkpoint, query("lm_head")), "[640, 64]");
  const std::string name = "base_model.model." + kQuery;
  expect_has(refusal(Code::bad_checkpoint, write({factor(name + ".lora_A.weight", {2, 64}, 5)})),
             "lora_B []");
  expect_has(refusal(Code::bad_checkpoint, write({factor(name + ".lora_A.weight", {2, 64}, 5),
                                                  factor(name + ".lora_B.weight", {64, 3}, 5)})),
             "belong together");
  expect_has(refusal(Code::bad_checkpoint, write({})), "holds no tensors");
}

}  // namespace
}  // namespace janus
