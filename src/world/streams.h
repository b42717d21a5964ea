// Every stream of samples by its name, for those who take them as they come: the trainer, whose
// recipes name them, and the scorer. What each holds is said in the header of its samples.
// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "world/diagram.h"
#include "world/render.h"
#include "world/tasks.h"

namespace janus {

// To draw from: "single" (draw_sample), "prompts", "dense", "gallery".
std::span<const std::string_view> drawing_streams();
DrawSample drawing(std::string_view stream, Split split, uint64_t index);

// To answer: "short" (ask_dialogue), "open", "captions", "exists", "pairs", "choices", "talk",
// "flows", "charts", "circuits". `turns`: questions at most, where a stream asks several about one
// picture.
struct Turn {
  std::string question;
  std::string answer;
  std::string category;  // what is asked for, within the stream
  bool held = false;
};
struct Lesson {
  std::variant<std::monostate, Scene, Diagram> picture;  // none: words alone
  std::vector<Turn> turns;
};
std::span<const std::string_view> reading_streams();
std::span<const std::string_view> diagram_streams();  // those of them about diagrams
Lesson reading(std::string_view stream, Split split, uint64_t index, int turns);

// A picture, an instruction and the picture that ought to come out: "edits" (edit_sample).
std::span<const std::string_view> edit_streams();

// For the codec, whose job is pixels alone, so that nothing is held out: "few" (codec_scene),
// "pictures" (up to four objects). Without turns.
std::span<const std::string_view> codec_streams();
Lesson codec_picture(std::string_view stream, Split split, uint64_t index);

// 0 to 1. Of dense prompts the share of the facts that a picture has, of others whether it is right
// (draw_right).
double drawing_grade(const DrawSample& sample, const Detection& picture);
// 0 to 1: of captions F1 over facts, of whole diagrams as world/diagram_tasks.h has it, else
// whether the answer is right.
double reading_grade(std::string_view stream, const Turn& turn, const std::string& answer);
// Of whole diagrams, whether the answer says the diagram exactly; of nothing else.
std::optional<bool> reading_exact(std::string_view stream, const Turn& turn,
                                  const std::string& answer);

// The picture of a lesson; empty for words alone. `coverage` as of render().
Rendering draw_lesson(const Lesson& lesson, int size);
// With nothing in it but its backdrop or paper.
Lesson without_objects(Lesson lesson);
// Its picture's record; empty for words alone.
std::string lesson_record(const Lesson& lesson, Split split, std::string_view stream,
                          uint64_t index);

// A text of the train split of all streams in turn, as a model reads it, to train a tokenizer on.
std::string world_text(uint64_t index);

}  // namespace janus
