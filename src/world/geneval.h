// GenEval's metadata and verdict (evaluate_images.py) with the detector of this world in place of a
// neural one: what a prompt asks for, and whether a picture has it.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "world/detect.h"
#include "world/tasks.h"

namespace janus {

// The prompt's line of evaluation_metadata.jsonl: tag, include, exclude where counting, prompt.
std::string geneval_line(const DrawSample& sample);

// The picture's line in the schema that a scorer reads from a detector: class, box, score and
// colour of each object. Boxes are in pixels of a picture of `size`.
std::string detection_line(const std::string& filename, const Detection& picture, int size);

// Empty where the picture is right; else what is missing, in words.
std::string geneval_reason(const DrawSample& sample, const Detection& picture);

}  // namespace janus
