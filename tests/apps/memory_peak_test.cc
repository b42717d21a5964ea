// What is told of memory against what a process takes at its peak, on a model large enough that
// the program itself is a small part. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "model/checkpoint.h"
#include "model/save.h"
#include "model/synthetic.h"
#include "program.h"

namespace janus {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define JANUS_TEST_SANITIZED 1
#endif
#endif

// Some 95 million parameters: a codec of half the published channels, pictures of 224 pixels.
Config medium() {
  Config config;
  config.llama = {.width = 768,
                  .layers = 6,
                  .heads = 12,
                  .kv_heads = 12,
                  .head_width = 64,
                  .mlp_width = 2048,
                  .vocabulary = 4000,
                  .context = 4096};
  config.vision = {
      .image = 224, .patch = 16, .width = 512, .layers = 4, .heads = 8, .mlp_width = 2048};
  config.vq.base = 64;
  config.vq.latent = 128;
  config.image = 224;
  config.gen_head_width = 768;
  return config;
}

void write_model(const std::string& path) {
  const Config config = medium();
  const SyntheticSource source(config, Layout::transformers);
  const ModelToSave model{.name = "medium",
                          .config = config,
                          .source = source,
                          .stored = [](const std::string&) { return Dtype::bf16; },
                          .tokenizer_json = Checkpoint(golden("tiny-hf")).tokenizer_json(),
                          .processor = {},
                          .preview = {},
                          .preview_shape = {}};
  save_gguf(path, model, {.type = Dtype::bf16, .on_progress = {}});
}

TEST(LongMemory, WhatIsToldIsWithinATenthOfThePeak) {
#ifdef JANUS_TEST_SANITIZED
  GTEST_SKIP() << "sanitizers have memory of their own";
#endif
  const Folder folder;
  const std::string model = folder.file("medium.gguf");
  write_model(model);
  // The first draws a whole picture and the last nearly, so that keys and values take what they are
  // told to; they weigh little in the others, which have taken all else after a few steps.
  for (const std::vector<std::string>& settings : std::vector<std::vector<std::string>>{
           {"work=draw", "halves=draw", "type=bf16"},
           {"work=draw", "halves=draw", "type=f32", "steps=3"},
           {"work=draw", "halves=draw", "type=f32", "kv=bf16", "images=8"},
           {"work=draw", "halves=draw", "type=bf16", "images=12", "at_once=6"},
           {"work=draw", "halves=both", "type=bf16", "words=2500", "steps=3"},
           {"work=edit", "halves=edit", "type=bf16", "steps=3"},
           {"work=edit", "halves=both", "type=f32", "images=4"},
           {"work=ask", "halves=read", "type=bf16"},
           {"work=ask", "halves=read", "type=f32", "images=6"},
           {"work=ask", "halves=read", "type=bf16", "words=1500", "answer=8", "images=0"},
           {"work=ask", "halves=both", "type=f32", "images=2", "answer=8"},
           {"work=both", "halves=both", "type=bf16", "images=3", "steps=150"}}) {
    std::vector<std::string> words{"model=" + model};
    words.insert(words.end(), settings.begin(), settings.end());
    Setting setting;
    setting.program = JANUSPRO_MEMORY_CASE;
    const Outcome outcome = run_program(words, setting);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const auto told = nlohmann::json::parse(outcome.out);
    std::string name;
    for (const std::string& word : settings) name += word + " ";
    std::cout << name << outcome.out << std::flush;
    EXPECT_NEAR(told["ratio"].get<double>(), 1, 0.1) << name << outcome.out;
  }
}

}  // namespace
}  // namespace janus
