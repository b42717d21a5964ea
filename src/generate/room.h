// Room: what requests take in memory beside the model, told from their prompts and counts before
// anything is taken. What is told is what draw and ask then take when they run alone.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/dtype.h"
#include "generate/order.h"
#include "januspro/requests.hpp"
#include "kernels/backend.h"
#include "model/config.h"

namespace janus {

// In bytes.
struct Room {
  int64_t cache = 0;     // keys and values
  int64_t scratch = 0;   // what passes work in; rows of embeddings and logits
  int64_t pictures = 0;  // pixels on their way in and out

  int64_t total() const { return cache + scratch + pictures; }
};

// What is known of a model before it is loaded.
struct Sizes {
  const Config& config;
  const Backend& backend;
  Dtype weights = Dtype::f32;
  Dtype cache = Dtype::f32;  // of keys and values
};

// --- drawing -------------------------------------------------------------------------------------

// Pictures side by side.
struct BatchShape {
  int64_t rows = 0;       // of a step
  int64_t prompts = 0;    // tokens of all distinct prompts
  int64_t positions = 0;  // of the longest sequence
  int64_t blocks = 0;     // of keys and values
  int64_t kept = 0;       // codes that stand, of all rows
  int64_t shown = 0;      // codes in the distinct prompts: a picture to change, read both ways

  bool operator==(const BatchShape&) const = default;
};

// `prompts`: that of each picture; pictures of one prompt share its blocks.
BatchShape batch_shape(const Config& config, std::span<const PromptRows* const> prompts);
// Of pictures drawn `at_once` at a time; neighbours that are alike are there once.
std::vector<BatchShape> group_shapes(const Config& config,
                                     std::span<const PromptRows* const> pictures, int at_once);
// Of pictures that all have a prompt of that many tokens and two rows each.
BatchShape batch_shape(const Config& config, int64_t pictures, int64_t prompt);
// Of keys and values of the largest batch, `at_once` pictures each.
int64_t drawing_blocks(const Config& config, std::span<const PromptRows* const> pictures,
                       int at_once);
// Of the workspace: every pass, and one picture at a time through the decoder.
int64_t workspace_bytes(const Config& config, const BatchShape& shape);

// The largest batch, `at_once` pictures each, and all the pictures that come out.
Room drawing_room(const Sizes& sizes, std::span<const PromptRows* const> pictures, int at_once);
Room drawing_room(const Sizes& sizes, const BatchShape& shape, int64_t pictures);

// --- asking --------------------------------------------------------------------------------------

struct AnswerShape {
  int64_t prompt = 0;     // tokens, those of pictures included
  int64_t positions = 0;  // of prompt and answer
  int64_t pictures = 0;
  int64_t pixel_bytes = 0;  // of the pictures as they are given
};

AnswerShape answer_shape(const Config& config, int64_t prompt, int64_t max_tokens,
                         std::span<const Image* const> images);
int64_t workspace_bytes(const Config& config, const AnswerShape& shape);
Room asking_room(const Sizes& sizes, const AnswerShape& shape);

}  // namespace janus
