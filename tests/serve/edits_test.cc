// Edits in every dialect: the picture, what is kept of it, and refusals.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>

#include "io/base64.h"
#include "made_up.h"
#include "serve/a1111.h"
#include "serve/openai_edits.h"

namespace janus::serve {
namespace {

constexpr const char* kForm = "multipart/form-data; boundary=x";

Served editor() {
  Served served = made_up();
  served.info.edits = true;
  return served;
}

// Left half white, right half black.
std::string halves(int width, int height) {
  Image image{.width = width, .height = height, .rgb = {}};
  for (int i = 0; i < width * height; ++i) {
    image.rgb.insert(image.rgb.end(), 3, i % width < width / 2 ? 255 : 0);
  }
  const auto bytes = encode_picture(image);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string base64(const std::string& file) {
  return to_base64(std::as_bytes(std::span(file.data(), file.size())));
}

std::string form(std::initializer_list<std::pair<const char*, std::string>> parts) {
  std::string body;
  for (const auto& [name, content] : parts) {
    body += std::string("--x\r\nContent-Disposition: form-data; name=\"") + name + "\"\r\n\r\n" +
            content + "\r\n";
  }
  return body + "--x--\r\n";
}

template <class Parse>
std::string code_of(const Parse& parse) {
  try {
    parse();
  } catch (const Refusal& refusal) {
    return refusal.code + " " + refusal.param;
  }
  return "taken";
}

int64_t redrawn(const DrawCall& call) {
  const auto& mask = call.edit->mask->redraw;
  return std::count_if(mask.begin(), mask.end(), [](uint8_t pixel) { return pixel != 0; });
}

TEST(Edits, AFormAndJsonSayTheSame) {
  const DrawCall a = parse_edit(kForm,
                                form({{"image[]", halves(20, 10)},
                                      {"mask", halves(20, 10)},
                                      {"prompt", "a cat"},
                                      {"n", "2"},
                                      {"seed", "7"},
                                      {"stream", "true"},
                                      {"odd", "1"}}),
                                editor());
  const Json json = {
      {"prompt", "a cat"},
      {"images", {{{"image_url", "data:image/png;base64," + base64(halves(20, 10))}}}},
      {"mask", {{"image_url", "data:image/png;base64," + base64(halves(20, 10))}}},
      {"n", 2},
      {"seed", 7},
      {"stream", true},
      {"odd", 1}};
  const DrawCall b = parse_edit("application/json", json.dump(), editor());
  for (const DrawCall& call : {a, b}) {
    EXPECT_EQ(call.request.prompt, "a cat");
    EXPECT_EQ(call.request.images, 2);
    EXPECT_EQ(call.edit->drawing.seed, 7u);
    EXPECT_EQ(call.edit->image.width, 20);
    EXPECT_EQ(redrawn(call), 100);
    EXPECT_TRUE(call.stream);
    EXPECT_EQ(call.ignored, std::vector<std::string>{"odd"});
    EXPECT_TRUE(call.edited.contains("mask_sha256"));
  }
  EXPECT_EQ(a.edited, b.edited);
}

TEST(Edits, KeepingOutpaintingAndVariations) {
  const std::string image = halves(9, 9);
  const auto edit = [&](const char* name, const char* value) {
    return parse_edit(kForm, form({{"image", image}, {"prompt", "a"}, {name, value}}), editor());
  };
  EXPECT_EQ(edit("keep", "0.25").edit->keep, .25f);
  EXPECT_EQ(edit("user", "me").edit->keep, .5f);
  EXPECT_EQ(edit("outpaint", "top").edit->outpaint, Outpaint::top);
  EXPECT_EQ(edit("outpaint", "top").edited["outpaint"], "top");
  const DrawCall other =
      parse_variation(kForm, form({{"image", image}, {"n", "3"}, {"keep", "1"}}), editor());
  EXPECT_EQ(other.request.prompt, "");
  EXPECT_EQ(other.edit->drawing.images, 3);
  EXPECT_EQ(other.edit->keep, 1.f);
}

// Where nothing says what is redrawn, the prompt is an instruction, to a model that was taught.
TEST(Edits, APromptAloneIsAnInstruction) {
  Served taught = editor();
  taught.info.edit_layout = "und+gen";
  EXPECT_TRUE(taught.edits_by_instruction());
  EXPECT_FALSE(editor().edits_by_instruction());
  const std::string image = halves(9, 9);
  const auto edit = [&](const char* name, const std::string& value) {
    return parse_edit(kForm, form({{"image", image}, {"prompt", "make it red"}, {name, value}}),
                      taught);
  };
  const DrawCall call = edit("user", "me");
  EXPECT_EQ(call.edit->instruction, "make it red");
  EXPECT_EQ(call.edit->drawing.prompt, "");
  EXPECT_EQ(call.request.prompt, "make it red");  // for its recipe
  EXPECT_EQ(call.edited["instruction"], true);
  EXPECT_EQ(edit("keep", "0.5").edit->instruction, "");
  EXPECT_EQ(edit("keep", "0.5").edit->drawing.prompt, "make it red");
  EXPECT_EQ(edit("outpaint", "top").edit->instruction, "");
  EXPECT_EQ(edit("mask", image).edit->instruction, "");
  EXPECT_EQ(parse_variation(kForm, form({{"image", image}}), taught).edit->instruction, "");
  taught.info.reads = false;
  EXPECT_EQ(edit("user", "me").edit->instruction, "");
}

TEST(Edits, WhatCannotBeIsRefusedWithItsField) {
  const std::string image = halves(20, 10);
  const auto edit = [&](std::initializer_list<std::pair<const char*, std::string>> parts,
                        const Served& served = editor()) {
    return code_of([&] { parse_edit(kForm, form(parts), served); });
  };
  EXPECT_EQ(edit({{"image", image}, {"prompt", "a"}}), "taken");
  EXPECT_EQ(edit({{"image", image}, {"prompt", "a"}}, made_up()), "unsupported_value ");
  EXPECT_EQ(edit({{"image", image}}), "missing_required_parameter prompt");
  EXPECT_EQ(edit({{"prompt", "a"}}), "missing_required_parameter image");
  EXPECT_EQ(edit({{"image", "no picture"}, {"prompt", "a"}}), "invalid_image image");
  EXPECT_EQ(edit({{"image", halves(40, 30)}, {"prompt", "a"}}), "image_too_large image");
  EXPECT_EQ(edit({{"image[]", image}, {"image[]", image}, {"prompt", "a"}}),
            "too_many_images image[]");
  EXPECT_EQ(edit({{"image", image}, {"mask", halves(10, 20)}, {"prompt", "a"}}),
            "mask_size_mismatch mask");
  EXPECT_EQ(edit({{"image", image}, {"keep", "2"}, {"prompt", "a"}}), "invalid_value keep");
  EXPECT_EQ(edit({{"image", image}, {"outpaint", "up"}, {"prompt", "a"}}),
            "invalid_value outpaint");
  const auto json = [&](const Json& body) {
    return code_of([&] { parse_edit("application/json", body.dump(), editor()); });
  };
  EXPECT_EQ(json({{"prompt", "a"}, {"images", "x"}}), "invalid_type images");
  EXPECT_EQ(json({{"prompt", "a"}, {"images", {{{"image_url", "http://x/y.png"}}}}}),
            "remote_image_refused images[0].image_url");
  EXPECT_EQ(json({{"prompt", "a"}, {"images", {{{"image_url", "data:image/png;base64,!"}}}}}),
            "invalid_base64 images[0].image_url");
}

TEST(Edits, A1111BeginsWithAPictureAndPaintsInWhite) {
  const std::string image = base64(halves(20, 10));
  const auto call = [](Json body) { return parse_img2img(body, editor()); };
  const SdCall plain = call({{"init_images", {image}}, {"prompt", "a cat"}, {"seed", 3}});
  EXPECT_EQ(plain.draw.edit->keep, .25f);
  EXPECT_EQ(plain.draw.edit->drawing.prompt, "a cat");
  EXPECT_TRUE(plain.parameters["init_images"].is_null());
  EXPECT_EQ(call({{"init_images", {image}}, {"denoising_strength", 0}}).draw.edit->keep, 1.f);
  // A mask of another size is scaled; white is what is redrawn.
  const Json masked = {{"init_images", {"data:image/png;base64," + image}},
                       {"mask", base64(halves(40, 20))}};
  EXPECT_EQ(redrawn(call(masked).draw), 100);
  EXPECT_EQ(call(masked).draw.edit->mask->redraw[0], 1);
  Json inverted = masked;
  inverted["inpainting_mask_invert"] = 1;
  EXPECT_EQ(call(inverted).draw.edit->mask->redraw[0], 0);
  EXPECT_EQ(code_of([&] { call({{"prompt", "a"}}); }), "invalid_value init_images");
  EXPECT_EQ(code_of([&] { call({{"init_images", {7}}}); }), "invalid_value init_images");
}

}  // namespace
}  // namespace janus::serve
