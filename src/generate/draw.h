// Prompts -> pictures. Reading order: draw.cc tells the story; what runs beside it is running.h;
// one pass of the model is pass.h; how a code is chosen is sampler.h. SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "generate/prompt.h"
#include "generate/room.h"
#include "generate/running.h"
#include "januspro/requests.hpp"
#include "model/model.h"

namespace janus {

// What every request of one engine shares.
struct Drawing {
  const Model& model;
  const PromptBuilder& prompts;
  Dtype cache = Dtype::f32;  // of keys and values
  int pictures_at_once = 8;
  int ahead = 0;  // positions in one pass; 0: as many as pay (ahead.h)
};

using OnPicture = std::function<void(Picture)>;
using OnStep = std::function<bool(const Progress&)>;
// Looks at growing pictures: how many a picture, and who takes them (requests.hpp, DrawEvents).
struct Looks {
  int count = 0;
  std::function<void(const Partial&)> on_partial = {};
};

// The most pictures of one call that run side by side.
inline constexpr int kMostAtOnce = 256;

// A call's part in a running batch: pictures in the order of requests, then images, each as soon as
// it is finished. Guided pairs share a step, the pictures of one prompt share its keys and values.
// It fails of Code::cancelled when on_step (requests.hpp, DrawEvents) says so. `shared` must
// outlive it.
std::unique_ptr<Member> make_drawing(const Shared& shared, std::shared_ptr<const DrawOrder> order,
                                     int pictures_at_once, OnPicture on_picture, OnStep on_step,
                                     Looks looks = {});

// The same alone, in a batch of its own. Throws as draw_order() does.
void draw(const Drawing& drawing, std::span<const DrawRequest> requests,
          const OnPicture& on_picture, const OnStep& on_step = {}, const Looks& looks = {});

}  // namespace janus
