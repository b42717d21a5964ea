// See recipe_data.h.
// SPDX-License-Identifier: MIT
#include "train/recipe_data.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "io/picture_name.h"
#include "train/picture_folders.h"
#include "world/streams.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWorld = "toyland";
constexpr std::pair<Teaches, std::string_view> kTasks[] = {{Teaches::reconstruct, "reconstruct"},
                                                           {Teaches::generate, "generate"},
                                                           {Teaches::understand, "understand"},
                                                           {Teaches::edit, "edit"}};

std::string listed(std::span<const std::string_view> names) {
  std::string all;
  for (const std::string_view name : names) all.append(all.empty() ? "" : ", ").append(name);
  return all;
}

// Whether its pictures come with a caption or class, which the recipe has words for.
bool captioned(const Source& source) {
  return source.format == "folder" || source.format == "classes" || source.format == "webdataset";
}

std::span<const std::string_view> streams_of(Teaches task) {
  if (task == Teaches::generate) return drawing_streams();
  if (task == Teaches::understand) return reading_streams();
  return task == Teaches::edit ? edit_streams() : codec_streams();
}

// "toyland" alone means the first stream of the task's.
void find_stream(Source& source, const std::string& name) {
  const bool world = source.format == "world" && source.path.starts_with(kWorld) &&
                     (source.path.size() == kWorld.size() || source.path[kWorld.size()] == '/');
  check(
      world, Code::bad_input, name, ": data.path = \"", source.path,
      "\": without a data.format it is the world \"toyland\"; what you have yourself needs one of ",
      listed(file_formats()));
  const auto streams = streams_of(source.task);
  source.stream = source.path == kWorld ? streams.front() : source.path.substr(kWorld.size() + 1);
  check(std::find(streams.begin(), streams.end(), source.stream) != streams.end(), Code::bad_input,
        name, ": data.path = \"", source.path, "\": for this task toyland has ", listed(streams));
}

// What is said of a caption or class where the recipe has no words of its own.
void find_templates(Source& source, const std::string& name) {
  const bool draws = source.task == Teaches::generate;
  if (source.templates.empty()) {
    source.templates = {draws                        ? "{}"
                        : source.format == "classes" ? "What is in this picture?"
                                                     : "Describe this picture."};
  }
  for (const std::string& text : source.templates) {
    check(!draws || text.find("{}") != std::string::npos, Code::bad_input, name,
          ": data.template = \"", text, "\" has no {}, where the caption or class goes");
  }
}

// Whether the first picture that lies in a folder has a text beside it.
bool has_captions(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    if (is_picture_name(at->path()))
      return fs::exists(fs::path(at->path()).replace_extension(".txt"));
  }
  return false;
}

}  // namespace

std::span<const std::string_view> file_formats() {
  static constexpr std::string_view kFormats[] = {"jsonl", "llava", "folder", "classes",
                                                  "webdataset"};
  return kFormats;
}

std::string guessed_format(const std::string& path) {
  if (path == kWorld || path.starts_with(std::string(kWorld) + "/")) return "world";
  const std::string kind = fs::path(path).extension().string();
  if (kind == ".jsonl") return "jsonl";
  if (kind == ".json") return "llava";
  if (kind == ".tar") return "webdataset";
  std::error_code error;
  bool pictures = false, folders = false;
  for (fs::directory_iterator at(path, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    if (at->path().extension() == ".tar") return "webdataset";
    pictures = pictures || is_picture_name(at->path()) || has_captions(at->path());
    folders = folders || at->is_directory();
  }
  check(!error, Code::bad_input, path, ": ", error.message());
  check(pictures || folders, Code::bad_input, path, ": is none of ", listed(file_formats()),
        " by its name and what lies in it; --format says which");
  return pictures ? "folder" : "classes";
}

std::string usual_task(const Source& source) {
  if (captioned(source)) return "generate";
  for (const auto& [task, name] : kTasks) {
    const auto streams = streams_of(task);
    const bool known = std::any_of(streams.begin(), streams.end(), [&](std::string_view stream) {
      return source.path == std::string(kWorld) + "/" + std::string(stream);
    });
    if (known && task != Teaches::reconstruct) return std::string(name);
  }
  return "understand";
}

Teaches task_named(const std::string& name, const std::string& where) {
  for (const auto& [task, known] : kTasks) {
    if (name == known) return task;
  }
  fail(Code::bad_input, where, " = \"", name,
       "\", one of reconstruct, generate, understand, edit is expected");
}

void complete_source(Source& source, const std::string& name) {
  check(source.weight > 0, Code::bad_input, name, ": data.weight must be positive");
  check(source.turns >= 1 && source.turns <= 10, Code::bad_input, name,
        ": data.turns is outside 1..10");
  check(source.max_broken >= -1, Code::bad_input, name, ": data.max_broken is negative");
  check(source.samples >= 0, Code::bad_input, name, ": data.samples is negative");
  const auto formats = file_formats();
  check(!source.from_file() ||
            std::find(formats.begin(), formats.end(), source.format) != formats.end(),
        Code::bad_input, name, ": data.format = \"", source.format, "\", one of world, ",
        listed(formats), " is expected");
  if (captioned(source)) {
    find_templates(source, name);
  } else {
    check(source.templates.empty(), Code::bad_input, name,
          ": data.template is for captions and classes; rows of the format \"", source.format,
          "\" say themselves what is asked");
  }
  check(source.images.empty() || source.format == "llava", Code::bad_input, name,
        ": data.images is for the format \"llava\"; other rows name pictures by where they are");
  if (!source.from_file()) find_stream(source, name);
  check(!source.from_file() || source.task != Teaches::reconstruct, Code::bad_input, name,
        ": data.task \"reconstruct\" has no files yet, the codec learns from the world");
  check(source.task != Teaches::edit || !source.from_file() || source.format == "jsonl",
        Code::bad_input, name, ": data.task \"edit\" has rows of the format \"jsonl\", with a \"",
        "source\"; those of the format \"", source.format, "\" change no picture");
}

void complete_edit_layout(Recipe& recipe) {
  EditLayout& used = recipe.model.processor.edit_layout;
  const bool edits = std::any_of(recipe.data.begin(), recipe.data.end(),
                                 [](const Source& source) { return source.task == Teaches::edit; });
  if (edits && used == EditLayout::none) used = EditLayout::und_gen;
}

void read_data(Section& root, Recipe& recipe, const std::string& name) {
  for (Section& item : root.sections("data")) {
    Source source;
    item.read("path", source.path);
    item.read("format", source.format);
    std::string task = source.from_file() ? usual_task(source) : "reconstruct";
    item.read("task", task);
    item.read("weight", source.weight);
    item.read("samples", source.samples);
    item.read("turns", source.turns);
    item.read("max_broken", source.max_broken);
    item.read("template", source.templates);
    item.read("images", source.images);
    item.finish();
    source.task = task_named(task, name + ": data.task");
    complete_source(source, name);
    recipe.data.push_back(source);
  }
  check(!recipe.data.empty(), Code::bad_input, name, ": no [[data]] is given");
  for (const Source& source : recipe.data) {
    check((source.task == Teaches::reconstruct) == recipe.trains_codec(), Code::bad_input, name,
          ": data.task \"reconstruct\" trains the codec and cannot be mixed with other tasks");
  }
}

}  // namespace janus::train
