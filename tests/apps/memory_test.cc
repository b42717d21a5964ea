// What the verbs load. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "io/safetensors.h"
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

}  // namespace
}  // namespace janus
