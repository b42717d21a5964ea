// A server as dialects know it, with round numbers. SPDX-License-Identifier: MIT
#pragma once

#include "serve/served.h"

namespace janus::serve {

inline Served made_up() {
  Served served;
  served.info.image = 384;
  served.info.image_tokens = 576;
  served.info.vision_tokens = 576;
  served.info.context = 4096;
  served.info.width = 2048;
  served.info.hash = "0123456789abcdef";
  served.info.weights = "bf16";
  served.info.edits = false;
  served.name = "janus";
  served.aliases = {"dall-e-2"};
  served.created = 1700000000;
  served.max_pixels = 1000;
  served.random = [] { return uint64_t{0x1234567800000063}; };
  return served;
}

}  // namespace janus::serve
