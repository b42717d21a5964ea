// Edits by instruction through both headers. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "api/fields.h"
#include "januspro/januspro.h"
#include "januspro/januspro.hpp"

namespace janus {
namespace {

struct Free {
  void operator()(januspro_engine* engine) const { januspro_free(engine); }
  void operator()(januspro_job* job) const { januspro_job_free(job); }
};
using EngineHandle = std::unique_ptr<januspro_engine, Free>;
using JobHandle = std::unique_ptr<januspro_job, Free>;

TEST(InstructThreads, CDoesAsCppDoes) {
  EngineOptions options;
  options.checkpoint = golden("tiny-hf");
  options.edit_layout = "janus4o";
  Engine cpp = Engine::load(options);
  EXPECT_EQ(cpp.info().edit_layout, "janus4o");
  EXPECT_EQ(cpp.info().image_guidance, 5);
  EditRequest same;
  same.drawing.seed = 3;
  same.image = load_picture(golden("images/astronaut-64.png"));
  same.instruction = "make it blue";
  const Picture plain = cpp.edit(same).at(0);
  same.image_guidance = 2;
  const Picture other = cpp.edit(same).at(0);
  EXPECT_NE(plain.codes, other.codes);

  januspro_engine_options given;
  januspro_engine_options_init(&given, sizeof given);
  const std::string path = golden("tiny-hf").string();
  given.checkpoint = path.c_str();
  given.edit_layout = "janus4o";
  januspro_engine* loaded = nullptr;
  ASSERT_EQ(januspro_load(&given, &loaded), JANUSPRO_OK) << januspro_last_error();
  const EngineHandle engine(loaded);
  januspro_info info;
  januspro_info_init(&info, sizeof info);
  ASSERT_EQ(januspro_engine_info(engine.get(), &info), JANUSPRO_OK);
  EXPECT_STREQ(info.edit_layout, "janus4o");
  EXPECT_EQ(info.image_guidance, 5);
  januspro_draw_request drawing;
  januspro_draw_request_init(&drawing, sizeof drawing);
  drawing.seed = 3;
  const januspro_image image{sizeof image, 64, 64, same.image.rgb.data()};
  januspro_edit_request request;
  januspro_edit_request_init(&request, sizeof request);
  request.image = &image;
  request.drawing = &drawing;
  request.instruction = "make it blue";
  for (const Picture* expected : {&plain, &other}) {
    januspro_job* made = nullptr;
    ASSERT_EQ(januspro_edit(engine.get(), &request, nullptr, &made), JANUSPRO_OK)
        << januspro_last_error();
    const JobHandle owner(made);
    januspro_picture picture;
    januspro_picture_init(&picture, sizeof picture);
    ASSERT_EQ(januspro_job_picture(made, 0, &picture), JANUSPRO_OK);
    EXPECT_EQ(std::vector<int32_t>(picture.codes, picture.codes + picture.code_count),
              expected->codes);
    request.image_guidance = 2;
  }
}

TEST(InstructThreads, AnInstructionNeedsAModelThatWasTaughtAndBothHalves) {
  EditRequest request;
  request.image = load_picture(golden("images/astronaut-64.png"));
  request.instruction = "make it blue";
  const auto refused = [&](const char* layout, const char* halves, Code code) {
    try {
      Engine engine =
          Engine::load({.checkpoint = golden("tiny-hf"), .halves = halves, .edit_layout = layout});
      engine.edit(request);
      ADD_FAILURE() << layout << ' ' << halves;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
    }
  };
  refused("auto", "both", Code::not_supported);
  refused("und+gen", "edit", Code::bad_input);
  refused("und+gen", "read", Code::bad_input);
  refused("other", "both", Code::bad_input);
}

}  // namespace
}  // namespace janus
