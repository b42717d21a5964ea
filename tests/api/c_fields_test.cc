// The fields of januspro.h's structs, frozen. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "api/fields.h"

namespace janus {
namespace {

// A struct may grow at its end and in no other way.
TEST(CFields, OfTheEngineAreThoseOfTheFrozenList) {
  EXPECT_EQ(c_fields_of("januspro_image"), (Names{"size", "width", "height", "rgb"}));
  EXPECT_EQ(c_fields_of("januspro_encode_options"),
            (Names{"size", "format", "quality", "parameters"}));
  EXPECT_EQ(c_fields_of("januspro_engine_options"), (Names{"size",
                                                           "checkpoint",
                                                           "mmproj",
                                                           "halves",
                                                           "backend",
                                                           "threads",
                                                           "isa",
                                                           "weights",
                                                           "cache",
                                                           "round_rope",
                                                           "pictures_at_once",
                                                           "on_load",
                                                           "on_warning",
                                                           "user",
                                                           "remember",
                                                           "memory",
                                                           "ahead",
                                                           "adapters",
                                                           "adapter_scales",
                                                           "adapter_count",
                                                           "parallel",
                                                           "edit_layout"}));
  EXPECT_EQ(c_fields_of("januspro_info"), (Names{"size",
                                                 "name",
                                                 "layout",
                                                 "hash",
                                                 "backend",
                                                 "weights",
                                                 "cache",
                                                 "threads",
                                                 "reads",
                                                 "draws",
                                                 "parameters",
                                                 "weight_bytes",
                                                 "cache_token_bytes",
                                                 "context",
                                                 "guidance",
                                                 "vocabulary",
                                                 "vision_image",
                                                 "vision_tokens",
                                                 "image",
                                                 "image_tokens",
                                                 "codes",
                                                 "edits",
                                                 "edit_layout",
                                                 "image_guidance",
                                                 "parallel"}));
}

TEST(CFields, OfRequestsAreThoseOfTheFrozenList) {
  EXPECT_EQ(c_fields_of("januspro_draw_request"),
            (Names{"size", "prompt", "negative", "images", "seed", "guidance", "temperature",
                   "top_k", "top_p"}));
  EXPECT_EQ(c_fields_of("januspro_sketch"),
            (Names{"size", "request", "index", "codes", "code_count"}));
  EXPECT_EQ(c_fields_of("januspro_progress"),
            (Names{"size", "phase", "done", "total", "sketches", "sketch_count"}));
  EXPECT_EQ(c_fields_of("januspro_picture"),
            (Names{"size", "image", "codes", "code_count", "seed", "request", "index"}));
  EXPECT_EQ(c_fields_of("januspro_draw_events"),
            (Names{"size", "on_step", "on_picture", "user", "partials", "on_partial"}));
  EXPECT_EQ(c_fields_of("januspro_partial"),
            (Names{"size", "image", "request", "index", "number", "rows"}));
  EXPECT_EQ(c_fields_of("januspro_mask"), (Names{"size", "width", "height", "redraw"}));
  EXPECT_EQ(c_fields_of("januspro_edit_request"),
            (Names{"size", "drawing", "image", "mask", "outpaint", "keep", "instruction",
                   "image_guidance"}));
  EXPECT_EQ(c_fields_of("januspro_scored_token"),
            (Names{"size", "bytes", "byte_count", "logprob"}));
  EXPECT_EQ(c_fields_of("januspro_message"),
            (Names{"size", "role", "text", "images", "image_count"}));
  EXPECT_EQ(c_fields_of("januspro_ask_request"),
            (Names{"size", "messages", "message_count", "system", "max_tokens", "temperature",
                   "top_k", "top_p", "seed", "stop", "stop_count", "logprobs"}));
  EXPECT_EQ(c_fields_of("januspro_answer"),
            (Names{"size", "text", "text_bytes", "finish", "prompt_tokens", "answer_tokens",
                   "cached_tokens"}));
  EXPECT_EQ(c_fields_of("januspro_embed_request"),
            (Names{"size", "text", "images", "image_count"}));
  EXPECT_EQ(c_fields_of("januspro_embedding"),
            (Names{"size", "values", "value_count", "prompt_tokens"}));
  EXPECT_EQ(c_fields_of("januspro_ask_events"), (Names{"size", "on_text", "user"}));
  EXPECT_EQ(c_fields_of("januspro_view"),
            (Names{"size", "state", "change", "phase", "codes", "codes_total", "pictures",
                   "pictures_total", "text_bytes", "code", "error"}));
}

}  // namespace
}  // namespace janus
