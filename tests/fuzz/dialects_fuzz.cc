// A request's target and body in every dialect: the first byte says which. Whatever comes is taken
// or refused. SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "serve/a1111.h"
#include "serve/openai_chat.h"
#include "serve/openai_edits.h"
#include "serve/openai_embeddings.h"
#include "serve/openai_images.h"
#include "serve/routes.h"
#include "serve/target.h"

namespace {

using namespace janus::serve;

Served made_up() {
  Served served;
  served.info.image = 384;
  served.info.image_tokens = served.info.vision_tokens = 576;
  served.info.context = 4096;
  served.info.edits = true;
  served.name = "janus";
  served.max_pixels = 1 << 16;
  served.random = [] { return uint64_t{7}; };
  return served;
}

void read(uint8_t dialect, std::string_view text) {
  const std::string_view form = "multipart/form-data; boundary=x";
  if (dialect == 'e') {
    parse_embeddings(parse_json(text), made_up());
  } else if (dialect % 8 == 0) {
    parse_chat(parse_json(text), made_up());
  } else if (dialect % 8 == 1) {
    parse_generation(parse_json(text), made_up());
  } else if (dialect % 8 == 2) {
    const SdCall call = parse_txt2img(parse_json(text), made_up());
    dump(txt2img_json(call, made_up(), "0", {{call.draw.request.seed, "x", ""}}));
  } else if (dialect % 8 == 4) {
    parse_edit(form, text, made_up());
  } else if (dialect % 8 == 5) {
    parse_edit("application/json", text, made_up());
  } else if (dialect % 8 == 6) {
    parse_img2img(parse_json(text), made_up());
  } else if (dialect % 8 == 7) {
    parse_variation(form, text, made_up());
  } else {
    Request request;
    request.method = "GET";
    split_target(text, request);
    find_route(request);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  try {
    read(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  } catch (const Refusal& refusal) {
    error_response(refusal, Dialect::openai);
  }
  return 0;
}
