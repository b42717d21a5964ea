// What the verbs load, and what they do where memory is short. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "io/safetensors.h"
#include "januspro/januspro.hpp"
#include "program.h"

namespace janus {
namespace {

// A copy of the tiny model with a value in `tensor` that no load survives.
std::string spoilt_model(const Folder& folder, const std::string& tensor) {
  const std::string model = folder.file("spoilt");
  std::filesystem::copy(golden("tiny-hf"), model);
  const std::string path = model + "/model.safetensors";
  const StoredTensors tensors = read_safetensors(path);
  std::string bytes = read_file(path);
  const StoredTensor& found = tensors.at(tensor);
  const auto at = static_cast<size_t>(found.data.data() - found.file->bytes().data());
  std::memset(bytes.data() + at, 0xFF, sizeof(float));
  std::ofstream(path, std::ios::binary) << bytes;
  return model;
}

TEST(HalvesProgram, AskDoesNotReadWhatDraws) {
  const Folder folder;
  const std::string model = spoilt_model(folder, "model.generation_head.vision_head.weight");
  const Outcome asked = run_program({"ask", "-m", model, "--max-tokens", "2", "hi"});
  EXPECT_EQ(asked.code, 0) << asked.err;
  const Outcome drawn = run_program({"draw", "-m", model, "-o", folder.file("a.png"), "hi"});
  EXPECT_EQ(drawn.code, 1);
  EXPECT_NE(drawn.err.find("generation_head"), std::string::npos) << drawn.err;
}

TEST(HalvesProgram, DrawDoesNotReadWhatAnswers) {
  const Folder folder;
  const std::string model = spoilt_model(folder, "lm_head.weight");
  const Outcome drawn = run_program({"draw", "-m", model, "-o", folder.file("a.png"), "hi"});
  EXPECT_EQ(drawn.code, 0) << drawn.err;
  const Outcome asked = run_program({"ask", "-m", model, "--max-tokens", "2", "hi"});
  EXPECT_EQ(asked.code, 1);
  EXPECT_NE(asked.err.find("lm_head"), std::string::npos) << asked.err;
}

nlohmann::json info_of(const std::vector<std::string>& flags,
                       const std::string& model = golden("tiny-hf")) {
  std::vector<std::string> words{"info", model, "--json"};
  words.insert(words.end(), flags.begin(), flags.end());
  const Outcome outcome = run_program(words);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return nlohmann::json::parse(outcome.out)["memory"];
}

TEST(MemoryProgram, InfoTellsWhatEachWorkTakes) {
  const auto memory = info_of({"--images", "1,4", "--threads", "2"});
  EXPECT_EQ(memory["plans"].size(), 16u);  // two works, two counts, four types
  int64_t before = 0;
  for (const auto& plan : memory["plans"]) {
    const auto size = [&](const char* name) { return plan[name].get<int64_t>(); };
    EXPECT_EQ(size("total"),
              size("program") + size("weights") + size("cache") + size("scratch") + size("pixels"));
    EXPECT_EQ(plan["fits"].get<bool>(), size("total") <= memory["limit"].get<int64_t>());
    EXPECT_TRUE(plan["pictures"] == 1 || size("total") > before);
    before = size("total");
  }
  const auto narrow = info_of(
      {"--type", "f32", "--kv", "bf16", "--images", "2", "--context", "400", "--memory", "1.5MB"});
  ASSERT_EQ(narrow["plans"].size(), 2u);
  EXPECT_EQ(narrow["limit"], 1'500'000);
  for (const auto& plan : narrow["plans"]) {
    EXPECT_EQ(plan["cache_type"], "bf16");
    EXPECT_EQ(plan["weights_type"], "f32");
    EXPECT_EQ(plan["context"], 400);
    EXPECT_FALSE(plan["fits"].get<bool>());
  }
  const Outcome table = run_program({"info", golden("tiny-hf"), "--memory", "2GiB"});
  EXPECT_NE(table.out.find("memory.limit"), std::string::npos);
  EXPECT_NE(table.out.find("2147483648  (2.15 GB)"), std::string::npos) << table.out;
  EXPECT_NE(table.out.find("\nask "), std::string::npos);
  EXPECT_NE(table.out.find("\ndraw "), std::string::npos);
  EXPECT_EQ(run_program({"info", golden("tiny-hf"), "--context", "999999"}).code, 1);
}

// The shipped model's context holds two pictures.
TEST(MemoryProgram, InfoTellsNothingThatTheContextDoesNotHold) {
  const auto memory = info_of({"--images", "1,2,3", "--type", "bf16"},
                              std::string(JANUSPRO_SOURCE_DIR) + "/models/toyland");
  ASSERT_EQ(memory["plans"].size(), 5u);
  for (const auto& plan : memory["plans"]) {
    const bool asks = plan["work"] == "ask";
    EXPECT_LE(plan["pictures"].get<int>(), asks ? 2 : 3);
    if (asks) {
      EXPECT_EQ(plan["context"], 320);
    }
  }
}

TEST(MemoryProgram, DrawsFewerAtATimeAndTheSamePictures) {
  const Folder folder;
  const auto memory = info_of({"--type", "f32", "--images", "2", "--threads", "2"});
  const auto total = memory["plans"][1]["total"].get<int64_t>();
  EXPECT_EQ(memory["plans"][1]["work"], "draw");
  const std::vector<std::string> words{"draw",      "a ball", "-n", "4",
                                       "--seed",    "3",      "-m", golden("tiny-hf"),
                                       "--threads", "2",      "-o", folder.file("a.png")};
  EXPECT_EQ(run_program(words).err, "");
  std::vector<std::string> tight = words;
  tight.back() = folder.file("b.png");
  tight.insert(tight.end(), {"--memory", std::to_string(total + 100'000)});
  const Outcome outcome = run_program(tight);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err.rfind("note: ", 0), 0u) << outcome.err;
  EXPECT_NE(outcome.err.find(" of 4 pictures at a time"), std::string::npos) << outcome.err;
  for (const char* number : {"1", "2", "3", "4"}) {
    EXPECT_EQ(load_picture(folder.file(std::string("a-") + number + ".png")),
              load_picture(folder.file(std::string("b-") + number + ".png")));
  }
}

TEST(MemoryProgram, RefusesWithNumbersAndWhatFits) {
  const Folder folder;
  const std::string model = golden("tiny-hf");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"draw", "a ball", "-n", "2", "-o", folder.file("a.png")},
        {"ask", "What?"},
        {"ask", "-i", golden("images/astronaut-64.png"), "What?"}}) {
    std::vector<std::string> whole = words;
    whole.insert(whole.end(), {"-m", model, "--memory", "3M"});
    const Outcome outcome = run_program(whole);
    EXPECT_EQ(outcome.code, 1);
    for (const char* word : {" takes ", "weights ", "keys and values ", "3.0 MB are allowed"}) {
      EXPECT_NE(outcome.err.find(word), std::string::npos) << outcome.err;
    }
  }
  EXPECT_TRUE(folder.names().empty());
}

TEST(MemoryProgram, SizesAreRead) {
  for (const char* wrong : {"x", "5x", "5i", "-1", "0", "1e30", "G", "5 KiBB", "nan", "5G5"}) {
    EXPECT_EQ(run_program({"info", golden("tiny-hf"), "--memory", wrong}).code, 2) << wrong;
  }
  for (const auto& [text, bytes] : {std::pair{"12345678", 12345678},
                                    {"12MB", 12000000},
                                    {"12m", 12000000},
                                    {"12 MiB", 12 << 20},
                                    {"0.5gi", 1 << 29},
                                    {"900kB", 900000}}) {
    EXPECT_EQ(info_of({"--memory", text})["limit"], bytes) << text;
  }
}

}  // namespace
}  // namespace janus
