// The web API of AUTOMATIC1111's program, as far as its clients use it for drawing: JSON ->
// DrawRequest, pictures -> JSON. Nothing here waits or sends. SPDX-License-Identifier: MIT
#pragma once

#include "serve/openai_images.h"

namespace janus::serve {

struct SdCall {
  DrawCall draw = {};
  bool send_images = true;
  Json parameters = {};  // the request as it came
  int batch_size = 1;
  int64_t steps = 20;
};

// Throws Refusal.
SdCall parse_txt2img(const Json& body, const Served& served);
// A picture to begin with: `mask` says what is redrawn, in white; without one the first
// 1 - denoising_strength of the codes stand.
SdCall parse_img2img(const Json& body, const Served& served);
// Of either.
OrderedJson txt2img_json(const SdCall& call, const Served& served, const std::string& time,
                         const std::vector<Drawn>& pictures);

// What its programs write under a picture.
std::string infotext(const SdCall& call, const Served& served, uint64_t seed);

OrderedJson sd_model_json(const Served& served);
OrderedJson sd_options_json(const Served& served);

struct SdProgress {
  double share = 0;  // 0 to 1
  double seconds_left = 0;
  int images = 0;
  int64_t step = 0, steps = 0;
  bool interrupted = false;
  std::string picture = {};  // PNG
};
OrderedJson progress_json(const SdProgress& progress);

}  // namespace janus::serve
