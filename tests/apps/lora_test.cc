// Adapters from outside: `--lora` beside the weights, `convert --merge` into them.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "januspro/januspro.hpp"
#include "model/adapter_files.h"
#include "program.h"

namespace janus {
namespace {

using testing::factor;

// Of the first layer's queries and of both heads.
std::string write_ink(const Folder& folder) {
  std::vector<testing::Factor> factors;
  const std::string tower = "base_model.model.model.";
  const auto append = [&](const std::string& module, int64_t outputs) {
    factors.push_back(factor(module + ".lora_A.weight", {2, 64}, 5));
    factors.push_back(factor(module + ".lora_B.weight", {outputs, 2}, 7));
  };
  append(tower + "language_model.layers.0.self_attn.q_proj", 64);
  append(tower + "generation_head.vision_head", 256);
  append("base_model.model.lm_head", 640);
  testing::write_adapter(folder.path() / "ink", factors);
  return folder.file("ink");
}

Outcome draw(const std::string& model, std::vector<std::string> more) {
  std::vector<std::string> arguments{"draw", "-m", model, "--seed", "3", "--quiet"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  arguments.push_back("blue");
  return run_program(arguments);
}

TEST(Lora, BesideTheWeightsIsLikeMergedIntoThem) {
  const Folder folder;
  const std::string ink = write_ink(folder), tiny = golden("tiny-hf");
  ASSERT_EQ(run_program({"convert", tiny, folder.file("merged"), "--merge", ink, "--quiet"}).code,
            0);
  ASSERT_EQ(draw(tiny, {"-o", folder.file("plain.png")}).code, 0);
  ASSERT_EQ(draw(folder.file("merged"), {"-o", folder.file("merged.png")}).code, 0);
  const Outcome beside = draw(tiny, {"--lora", ink, "-o", folder.file("beside.png")});
  ASSERT_EQ(beside.code, 0) << beside.err;
  const Image picture = load_picture(folder.file("beside.png"));
  EXPECT_EQ(picture, load_picture(folder.file("merged.png")));
  EXPECT_NE(picture, load_picture(folder.file("plain.png")));
  const auto answer = [&](const std::string& model, std::vector<std::string> more) {
    std::vector<std::string> arguments{"ask", "-m", model, "Hello?", "--max-tokens", "12"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  };
  EXPECT_EQ(answer(tiny, {"--lora", ink}), answer(folder.file("merged"), {}));
  EXPECT_NE(answer(tiny, {"--lora", ink}), answer(tiny, {}));
  EXPECT_EQ(answer(tiny, {"--lora", ink + ":0"}), answer(tiny, {}));
}

TEST(Lora, RecipesTellOfAdapters) {
  const Folder folder;
  const std::string ink = write_ink(folder), tiny = golden("tiny-hf");
  ASSERT_EQ(draw(tiny, {"--lora", ink + ":0.5", "--lora", ink, "-o", folder.file("a.png")}).code,
            0);
  const auto recipe = nlohmann::json::parse(picture_text(folder.file("a.png")).at("parameters"));
  EXPECT_EQ(recipe["adapters"], (nlohmann::json{"ink:0.5", "ink:1"}));
  const std::vector<std::string> from{"draw", "-m", tiny, "--from", folder.file("a.png")};
  const auto repeated = [&](std::vector<std::string> more) {
    more.insert(more.begin(), from.begin(), from.end());
    more.insert(more.end(), {"-o", folder.file("b.png")});
    return run_program(more);
  };
  const Outcome same = repeated({"--lora", ink + ":0.5", "--lora", ink});
  EXPECT_EQ(same.err, "");
  EXPECT_EQ(read_file(folder.file("a.png")), read_file(folder.file("b.png")));
  const Outcome without = repeated({});
  EXPECT_EQ(without.code, 1);
  EXPECT_NE(without.err.find("with --lora ink:0.5 --lora ink:1, this is"), std::string::npos)
      << without.err;
  EXPECT_NE(without.err.find("give the same adapters"), std::string::npos) << without.err;
  const Outcome other = repeated({"--lora", ink + ":0"});
  EXPECT_EQ(other.code, 0);
  EXPECT_NE(other.err.find("the picture will be another"), std::string::npos) << other.err;
}

TEST(Lora, WrongOnesAreNamed) {
  const Folder folder;
  const std::string ink = write_ink(folder), tiny = golden("tiny-hf");
  const auto refusal = [&](const std::string& lora) {
    const Outcome outcome = draw(tiny, {"--lora", lora, "-o", folder.file("a.png")});
    EXPECT_EQ(outcome.code, 1);
    return outcome.err;
  };
  EXPECT_NE(refusal(ink + ":much").find("\"much\" is no scale"), std::string::npos);
  EXPECT_NE(refusal(folder.file("absent")).find("an adapter is a directory"), std::string::npos);
  EXPECT_NE(draw(golden("../../models/toyland"), {"--lora", ink, "-o", folder.file("a.png")})
                .err.find("was it made for another size?"),
            std::string::npos);
}

}  // namespace
}  // namespace janus
