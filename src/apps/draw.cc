// `januspro draw`: prompts -> picture files, each with its recipe. SPDX-License-Identifier: MIT
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/drawing.h"
#include "apps/progress.h"
#include "apps/recipe.h"
#include "apps/results.h"
#include "apps/sheet.h"
#include "base/error.h"
#include "base/free_memory.h"
#include "io/image.h"
#include "io/utf8.h"

namespace janus {

namespace {

struct DrawFlags {
  ModelFlags model;
  PictureFlags pictures;
  std::vector<std::string> prompts;
  std::string prompts_file;
  std::string from;
  ResultFlags result;
  std::string sheet;
};

// One prompt a line; blank lines and those that begin with # are passed over.
std::vector<std::string> read_prompts(const std::string& path) {
  std::ifstream file(path);
  check(file.is_open(), Code::bad_input, path, ": cannot be read: ", std::strerror(errno));
  std::vector<std::string> prompts;
  bool first = true;
  for (std::string line; std::getline(file, line); first = false) {
    if (first) line = std::string(without_byte_order_mark(line));
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const size_t begin = line.find_first_not_of(" \t");
    if (begin != std::string::npos && line[begin] != '#') prompts.push_back(line);
  }
  check(!file.bad(), Code::bad_input, path, ": cannot be read: ", std::strerror(errno));
  check(!prompts.empty(), Code::bad_input, path, ": holds no prompt (one a line is expected)");
  return prompts;
}

class DrawVerb {
 public:
  DrawVerb(CLI::App& app, const Interrupt& interrupt);
  void run();

 private:
  void check_use() const;
  void plan_from_file();
  void plan_prompts();
  void check_same_model(const ModelInfo& info) const;
  void check_outputs_fit(const ModelInfo& info) const;
  std::vector<DrawRequest> requests() const;
  void check_memory(const EngineOptions& options) const;
  Recipe recipe_of(size_t request, uint64_t seed, const ModelInfo& info) const;
  void keep(const Picture& picture, const ModelInfo& info);
  void tell_times() const;
  void keep_sheet(const std::vector<Picture>& pictures);

  CLI::App& app_;
  const Interrupt& interrupt_;
  DrawFlags flags_;
  std::vector<Recipe> recipes_;  // one a request
  std::optional<Recipe> repeated_;
  size_t count_ = 0;  // pictures in all
  size_t kept_ = 0;
  std::unique_ptr<ProgressBar> bar_;
  std::chrono::steady_clock::time_point started_;
};

DrawVerb::DrawVerb(CLI::App& app, const Interrupt& interrupt) : app_(app), interrupt_(interrupt) {
  app.add_option("-p,--prompt,PROMPT", flags_.prompts, "One prompt each; they are drawn together");
  app.add_option("--prompts", flags_.prompts_file,
                 "A file with one prompt a line; lines that begin with # are comments");
  flags_.pictures.add_to(app, "Pictures of each prompt; picture k has seed + k");
  app.add_option("--from", flags_.from,
                 "Repeat this picture by the recipe in it; other flags change it");
  flags_.result.add_to(app);
  app.add_option("--sheet", flags_.sheet, "Another file, with all the pictures side by side");
  flags_.model.add_verbose(app);
  flags_.model.add_to(app);
  flags_.model.add_memory(app);
  flags_.model.add_ahead(app);
  flags_.model.add_lora(app);
  app.footer(
      "Example:\n  januspro draw 'a red ball on a green field' -n 4 --seed 7 -o ball.png\n"
      "writes ball-1.png … ball-4.png and prints their names.");
}

void DrawVerb::check_use() const {
  const bool named = !flags_.prompts.empty() || !flags_.prompts_file.empty();
  if (flags_.from.empty() && !named) throw UsageError("draw: a prompt is missing");
  if (!flags_.from.empty() && named) {
    throw UsageError("draw: --from repeats one picture; leave the prompts out");
  }
  if (flags_.sheet == "-" || (flags_.result.output == "-" && !flags_.sheet.empty())) {
    throw UsageError("draw: --sheet writes a file and says its name on stdout; name both files");
  }
  flags_.result.check_use("draw", flags_.sheet);
}

// What the command line says changes the recipe; what variables of the environment say does not.
void DrawVerb::plan_from_file() {
  Recipe recipe = read_recipe(flags_.from);
  check(recipe.edit.is_null(), Code::bad_input, flags_.from,
        ": was edited from another picture, which its recipe does not hold; repeat it by `januspro "
        "edit` with that picture and --seed ",
        recipe.seed);
  repeated_ = recipe;
  if (app_.count("--negative") > 0) recipe.negative = flags_.pictures.negative;
  if (app_.count("--guidance") > 0) recipe.guidance = *flags_.pictures.guidance;
  if (app_.count("--temperature") > 0) recipe.temperature = flags_.pictures.sampling.temperature;
  if (app_.count("--greedy") > 0 && flags_.pictures.sampling.greedy) recipe.temperature = 0;
  if (app_.count("--top-k") > 0) recipe.top_k = flags_.pictures.sampling.top_k;
  if (app_.count("--top-p") > 0) recipe.top_p = flags_.pictures.sampling.top_p;
  if (app_.count("--seed") > 0)
    recipe.seed = flags_.pictures.sampling.choose_seed(flags_.result.quiet);
  recipes_.push_back(recipe);
  // The same arithmetic, unless asked otherwise: backend, level and types decide the last bits.
  ModelFlags& model = flags_.model;
  const size_t space = recipe.backend.find(' ');
  if (app_.count("--backend") + app_.count("--device") == 0) {
    model.backend = recipe.backend.substr(0, space);
  }
  if (app_.count("--isa") == 0 && space != std::string::npos) {
    model.isa = recipe.backend.substr(space + 1);
  }
  if (app_.count("--type") == 0) model.type = recipe.weights;
  if (app_.count("--kv") == 0) model.cache = recipe.cache;
  if (app_.count("--round-rope") == 0) model.round_rope = recipe.round_rope;
}

void DrawVerb::plan_prompts() {
  std::vector<std::string> prompts = flags_.prompts;
  if (!flags_.prompts_file.empty()) {
    const std::vector<std::string> more = read_prompts(flags_.prompts_file);
    prompts.insert(prompts.end(), more.begin(), more.end());
  }
  Recipe recipe = flags_.pictures.recipe(flags_.result.quiet);
  for (const std::string& prompt : prompts) {
    recipe.prompt = prompt;
    recipes_.push_back(recipe);
  }
}

void DrawVerb::check_same_model(const ModelInfo& info) const {
  if (!repeated_) return;
  if (repeated_->model_hash != info.hash) {
    std::string text =
        flags_.from + ": was drawn by " + repeated_->model + " (" + repeated_->model_hash + ")";
    const char* before = " with --lora ";
    for (const std::string& adapter : repeated_->adapters) {
      text += before + adapter;
      before = " --lora ";
    }
    text += ", this is " + flags_.model.shown_name(info) + " (" + info.hash + ")";
    check(repeated_->adapters.empty() || !flags_.model.loras.empty(), Code::bad_input, text,
          "; give the same adapters, by their directories, or --lora DIR:0 to do without");
    check(!flags_.model.model.empty() || !flags_.model.loras.empty(), Code::bad_input, text,
          "; name its checkpoint with -m");
    if (!flags_.result.quiet) say("warning: " + text + "; the picture will be another");
  } else if (repeated_->backend != info.backend && !flags_.result.quiet) {
    say("warning: " + flags_.from + ": was drawn on " + repeated_->backend + ", this is " +
        info.backend + "; the last bits may differ");
  }
}

Recipe DrawVerb::recipe_of(size_t request, uint64_t seed, const ModelInfo& info) const {
  Recipe recipe = recipes_[request];
  recipe.seed = seed;
  recipe.drawn_by(flags_.model.shown_name(info), info, flags_.model.round_rope);
  return recipe;
}

std::vector<DrawRequest> DrawVerb::requests() const {
  std::vector<DrawRequest> requests;
  for (const Recipe& recipe : recipes_) {
    requests.push_back(recipe.request());
    requests.back().images = flags_.pictures.images;
  }
  return requests;
}

// What does not fit is refused before minutes are spent on loading.
void DrawVerb::check_memory(const EngineOptions& options) const {
  std::vector<DrawRequest> planned = requests();
  for (DrawRequest& request : planned) {
    if (!repeated_ && !flags_.pictures.guidance)
      request.guidance.reset();  // the model's own, not known yet
  }
  const MemoryPlan plan = Engine::plan(options, planned);
  check(plan.fits(), Code::out_of_memory, plan.refusal);
  const int wanted = static_cast<int>(std::min(count_, static_cast<size_t>(flags_.pictures.batch)));
  if (plan.pictures_at_once < wanted && !flags_.result.quiet) {
    say("note: " + std::to_string(plan.pictures_at_once) + " of " + std::to_string(count_) +
        " pictures at a time, which take " + size_text(plan.total()) + " of " +
        size_text(plan.limit));
  }
}

// What a format cannot hold is found out before minutes are spent on drawing: a long prompt in a
// JPEG, a large sheet.
void DrawVerb::check_outputs_fit(const ModelInfo& info) const {
  const Image pixel{.width = 1, .height = 1, .rgb = {0, 0, 0}};
  for (size_t i = 0; i < recipes_.size(); ++i) {
    encode_picture(pixel, recipe_of(i, ~uint64_t{0}, info).as_text(),
                   flags_.result.options_for(flags_.result.output));
  }
  if (flags_.sheet.empty()) return;
  const SheetSize size = sheet_size(static_cast<int64_t>(count_), info.image, info.image);
  check_fits(size.width, size.height, picture_format(flags_.sheet));
}

void DrawVerb::keep(const Picture& picture, const ModelInfo& info) {
  const Recipe recipe = recipe_of(static_cast<size_t>(picture.request), picture.seed, info);
  bar_->clear();
  flags_.result.keep(picture.image, recipe, ++kept_, count_, seconds_since(started_));
}

void DrawVerb::keep_sheet(const std::vector<Picture>& pictures) {
  std::vector<Image> images;
  for (const Picture& picture : pictures) images.push_back(picture.image);
  save_result(flags_.sheet,
              encode_picture(contact_sheet(images), {}, flags_.result.options_for(flags_.sheet)));
  if (!flags_.result.json) return print(flags_.sheet + "\n");
  print(json_line({{"sheet", flags_.sheet}}));
}

void DrawVerb::tell_times() const {
  char text[64];
  std::snprintf(text, sizeof text, "%zu picture%s in %.2f s", kept_, kept_ == 1 ? "" : "s",
                seconds_since(started_));
  bar_->clear();
  say(text);
}

void DrawVerb::run() {
  check_use();
  flags_.from.empty() ? plan_prompts() : plan_from_file();
  count_ = recipes_.size() * static_cast<size_t>(flags_.pictures.images);
  flags_.result.name_output("draw", recipes_.front().seed, count_);
  if (!flags_.sheet.empty()) check_output(flags_.sheet);

  bar_ = std::make_unique<ProgressBar>(flags_.result.quiet);
  EngineOptions options = flags_.model.options(interrupt_, flags_.result.quiet);
  options.pictures_at_once = flags_.pictures.batch;
  options.halves = "draw";  // the other half is not read; one that cannot draw is refused at once
  check_memory(options);
  Engine engine =
      load_engine(std::move(options), flags_.model, flags_.result.quiet, interrupt_, *bar_);
  check_same_model(engine.info());
  if (!repeated_) {
    for (Recipe& recipe : recipes_) {
      recipe.guidance = flags_.pictures.guidance.value_or(engine.info().guidance);
    }
  }
  check_outputs_fit(engine.info());
  DrawingView view(engine, interrupt_, *bar_, !flags_.pictures.no_preview);
  view.prepare();

  const std::vector<DrawRequest> requests = this->requests();
  started_ = std::chrono::steady_clock::now();
  DrawEvents events;
  events.on_step = [&](const Progress& progress) { return view.on_step(progress); };
  events.on_picture = [&](const Picture& picture) { keep(picture, engine.info()); };
  const std::vector<Picture> pictures = engine.draw(requests, events);
  if (!flags_.sheet.empty()) keep_sheet(pictures);
  if (flags_.model.verbose && !flags_.result.quiet) tell_times();
}

}  // namespace

Run add_draw(CLI::App& app, const Interrupt& interrupt) {
  const auto verb = std::make_shared<DrawVerb>(app, interrupt);
  return [verb] { verb->run(); };
}

}  // namespace janus
