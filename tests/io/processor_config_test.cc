// The keys of both layouts, defaults, and wrong types.
// SPDX-License-Identifier: MIT
#include "io/processor_config.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace janus {
namespace {

TEST(ProcessorConfig, SystemPromptAndImageTokens) {
  const auto parse = [](const char* text) { return parse_processor_config(text, "p.json"); };
  EXPECT_EQ(parse("{}").system_prompt, std::nullopt);
  EXPECT_EQ(parse(R"({"use_default_system_prompt": true})").system_prompt, std::nullopt);
  EXPECT_EQ(parse(R"({"use_default_system_prompt": false})").system_prompt, "");
  EXPECT_EQ(parse(R"({"system_prompt": ""})").system_prompt, "");
  EXPECT_EQ(parse(R"({"use_default_system_prompt": false, "system_prompt": "x"})").system_prompt,
            "x");
  EXPECT_EQ(parse(R"({"num_image_tokens": 64})").image_tokens, 64);
  for (const char* bad :
       {"[]", "{", R"({"system_prompt": 1})", R"({"use_default_system_prompt": "yes"})",
        R"({"num_image_tokens": 0})", R"({"num_image_tokens": -4})", R"({"num_image_tokens": 1e3})",
        R"({"num_image_tokens": 18446744073709551615})"}) {
    EXPECT_THROW(parse(bad), Error) << bad;
  }
}

TEST(ProcessorConfig, Guidance) {
  const auto parse = [](const char* text) { return parse_generation_config(text, "g.json"); };
  EXPECT_EQ(parse("{}"), std::nullopt);
  EXPECT_EQ(parse(R"({"guidance_scale": null})"), std::nullopt);
  EXPECT_EQ(parse(R"({"guidance_scale": 2.5, "temperature": 1})"), 2.5f);
  for (const char* bad : {"[]", R"({"guidance_scale": "5"})", R"({"guidance_scale": 1e39})"}) {
    EXPECT_THROW(parse(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace janus
