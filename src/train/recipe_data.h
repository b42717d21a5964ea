// The sources that a recipe names, [[data]]. SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "train/recipe.h"
#include "train/recipe_section.h"

namespace janus::train {

// The format that a path has by its name and what lies there: that of lines, lists, shards, folders
// with folders of pictures or with pictures; "world" for toyland. Throws Code::bad_input where
// nothing tells.
std::string guessed_format(const std::string& path);

// What rows that do not say themselves are taken for: to draw where they are captioned or drawn
// from in the world.
std::string usual_task(const Source& source);

// `where`: the key or option that says it, for the message to refuse another name with.
Teaches task_named(const std::string& name, const std::string& where);

// Fills in what follows from path, format and task, and checks the whole. `name`: of the recipe,
// for messages. Throws Code::bad_input naming key and cure.
void complete_source(Source& source, const std::string& name);

// Edits need a layout: that of the model they start from, else ours.
void complete_edit_layout(Recipe& recipe);

// Into recipe.data. Throws likewise.
void read_data(Section& root, Recipe& recipe, const std::string& name);

}  // namespace janus::train
