// The keys of both layouts, defaults, and wrong types.
// SPDX-License-Identifier: MIT
#include "io/processor_config.h"

#include <gtest/gtest.h>

#include <string>

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

TEST(ProcessorConfig, HowInstructionsAreFollowed) {
  const auto parse = [](const char* text) { return parse_processor_config(text, "p.json"); };
  EXPECT_EQ(parse("{}").edit_layout, EditLayout::none);
  EXPECT_EQ(parse(R"({"edit_layout": null})").edit_layout, EditLayout::none);
  EXPECT_EQ(parse(R"({"edit_layout": "und+gen"})").edit_layout, EditLayout::und_gen);
  EXPECT_EQ(parse(R"({"edit_layout": "janus4o"})").edit_layout, EditLayout::janus_4o);
  for (const char* bad : {R"({"edit_layout": 1})", R"({"edit_layout": "janus"})"}) {
    try {
      parse(bad);
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("edit_layout is"), std::string::npos);
    }
  }
  for (const EditLayout layout : {EditLayout::none, EditLayout::und_gen, EditLayout::janus_4o}) {
    EXPECT_EQ(find_edit_layout(edit_layout_name(layout)), layout);
  }
}

}  // namespace
}  // namespace janus
