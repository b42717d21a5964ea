// `januspro edit`: a picture changed by an instruction; or part of it drawn anew, the rest as it
// was. SPDX-License-Identifier: MIT
#include <array>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "apps/command.h"
#include "apps/drawing.h"
#include "apps/progress.h"
#include "apps/recipe.h"
#include "apps/results.h"
#include "base/error.h"
#include "base/free_memory.h"
#include "base/sha256.h"
#include "io/file.h"

namespace janus {

namespace {

constexpr std::array<std::pair<const char*, Outpaint>, 4> kSides = {{{"left", Outpaint::left},
                                                                     {"right", Outpaint::right},
                                                                     {"top", Outpaint::top},
                                                                     {"bottom", Outpaint::bottom}}};

struct EditFlags {
  ModelFlags model;
  PictureFlags pictures;
  ResultFlags result;
  std::string image;
  std::string prompt;
  std::string mask;
  std::string outpaint;
  double keep = .5;
  std::optional<double> image_guidance;
};

class EditVerb {
 public:
  EditVerb(CLI::App& app, const Interrupt& interrupt);
  void run();

 private:
  void check_use() const;
  // Whether an instruction changes the picture: nothing says what of it is redrawn.
  bool instructed() const;
  void fill_recipe();
  EditRequest request() const;
  nlohmann::ordered_json how() const;
  void check_memory(const EngineOptions& options, const EditRequest& request) const;

  CLI::App& app_;
  const Interrupt& interrupt_;
  EditFlags flags_;
  Recipe recipe_;
};

EditVerb::EditVerb(CLI::App& app, const Interrupt& interrupt) : app_(app), interrupt_(interrupt) {
  app.add_option("-i,--image", flags_.image, "The picture; its middle square is taken")->required();
  app.add_option(
      "-p,--prompt,INSTRUCTION", flags_.prompt,
      "What is to change; with --mask, --outpaint or --keep what the whole picture is to "
      "show");
  app.add_option("--mask", flags_.mask,
                 "A picture of the same size: what is fully transparent in it, or white where it "
                 "has no transparency, is redrawn");
  app.add_option("--outpaint", flags_.outpaint,
                 "Move the picture half a frame away from this side and draw what is new")
      ->check(CLI::IsMember({"left", "right", "top", "bottom"}));
  app.add_option("--keep", flags_.keep,
                 "The share of the picture that stays, from the top, and draw the rest")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--image-guidance", flags_.image_guidance,
                 "How closely the picture is kept to by an instruction; 1: unguided (default: the "
                 "layout's own)")
      ->check(CLI::Range(-1000.0, 1000.0));
  flags_.model.add_edit_layout(app);
  flags_.pictures.add_to(app, "Different results; number k has seed + k");
  flags_.result.add_to(app);
  flags_.model.add_verbose(app);
  flags_.model.add_to(app);
  flags_.model.add_memory(app);
  flags_.model.add_ahead(app);
  flags_.model.add_lora(app);
  app.footer(
      "With -i and an instruction alone the picture is drawn anew, changed as that says, by a "
      "model "
      "that was taught to. With --mask, --outpaint or --keep a part of it is redrawn, by any model "
      "that draws: codes of the picture are kept, the others drawn anew.\n\n"
      "Example:\n  januspro edit -m toys -i ball.png 'make the ball red' -o red.png\n"
      "  januspro edit -i ball.png 'a red ball on a green field' --outpaint right -o wide.png");
}

bool EditVerb::instructed() const {
  return flags_.mask.empty() && flags_.outpaint.empty() && app_.count("--keep") == 0;
}

void EditVerb::check_use() const {
  if (instructed() && flags_.prompt.find_first_not_of(" \t\r\n") == std::string::npos) {
    throw UsageError(
        "edit: say what is to change, such as 'make the ball red'; or what is redrawn, with "
        "--mask, --outpaint or --keep");
  }
  if (!instructed() && (flags_.image_guidance || app_.count("--edit-layout") > 0)) {
    throw UsageError(
        "edit: --image-guidance and --edit-layout are for an instruction alone, without --mask, "
        "--outpaint and --keep");
  }
  if (!flags_.mask.empty() && !flags_.outpaint.empty()) {
    throw UsageError("edit: --mask and --outpaint are two edits; do one after the other");
  }
  if (app_.count("--keep") > 0 && (!flags_.mask.empty() || !flags_.outpaint.empty())) {
    throw UsageError(
        "edit: --keep is for an edit without --mask and --outpaint, which say "
        "themselves what stays");
  }
  flags_.result.check_use("edit");
}

void EditVerb::fill_recipe() {
  recipe_ = flags_.pictures.recipe(flags_.result.quiet);
  recipe_.prompt = flags_.prompt;
  recipe_.edit = how();
}

EditRequest EditVerb::request() const {
  EditRequest request;
  request.image = load_picture(flags_.image);
  if (!flags_.mask.empty()) request.mask = load_mask(flags_.mask);
  for (const auto& [name, side] : kSides) {
    if (flags_.outpaint == name) request.outpaint = side;
  }
  request.keep = static_cast<float>(flags_.keep);
  request.drawing = recipe_.request();
  request.drawing.images = flags_.pictures.images;
  if (!flags_.pictures.guidance)
    request.drawing.guidance.reset();  // the model's own, not known yet
  if (instructed()) {
    request.instruction = std::exchange(request.drawing.prompt, {});
    if (flags_.image_guidance) {
      request.image_guidance = static_cast<float>(*flags_.image_guidance);
    }
  }
  return request;
}

// For the recipe.
nlohmann::ordered_json EditVerb::how() const {
  const auto hash = [](const std::string& path) {
    const MappedFile file(path);
    const auto bytes = file.bytes();
    return sha256_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  nlohmann::ordered_json how{{"image_sha256", hash(flags_.image)}};
  if (instructed()) {
    how["instruction"] = true;
  } else if (!flags_.mask.empty()) {
    how["mask_sha256"] = hash(flags_.mask);
  } else if (!flags_.outpaint.empty()) {
    how["outpaint"] = flags_.outpaint;
  } else {
    how["keep"] = flags_.keep;
  }
  return how;
}

// What does not fit is refused before minutes are spent on loading.
void EditVerb::check_memory(const EngineOptions& options, const EditRequest& request) const {
  const MemoryPlan plan = Engine::plan(options, request);
  check(plan.fits(), Code::out_of_memory, plan.refusal);
}

void EditVerb::run() {
  check_use();
  fill_recipe();
  const auto count = static_cast<size_t>(flags_.pictures.images);
  flags_.result.name_output("edit", recipe_.seed, count);
  const EditRequest request = this->request();

  ProgressBar bar(flags_.result.quiet);
  EngineOptions options = flags_.model.options(interrupt_, flags_.result.quiet);
  options.pictures_at_once = flags_.pictures.batch;
  options.halves = instructed() ? "both" : "edit";
  check_memory(options, request);
  Engine engine =
      load_engine(std::move(options), flags_.model, flags_.result.quiet, interrupt_, bar);
  DrawingView view(engine, interrupt_, bar, !flags_.pictures.no_preview);
  view.prepare();

  if (!flags_.pictures.guidance) recipe_.guidance = engine.info().guidance;
  if (instructed()) {
    recipe_.edit["layout"] = engine.info().edit_layout;
    recipe_.edit["image_guidance"] = flags_.image_guidance.value_or(engine.info().image_guidance);
  }
  recipe_.drawn_by(flags_.model.shown_name(engine.info()), engine.info(), flags_.model.round_rope);
  const auto started = std::chrono::steady_clock::now();
  size_t kept = 0;
  DrawEvents events;
  events.on_step = [&](const Progress& progress) { return view.on_step(progress); };
  events.on_picture = [&](const Picture& picture) {
    Recipe recipe = recipe_;
    recipe.seed = picture.seed;
    bar.clear();
    flags_.result.keep(picture.image, recipe, ++kept, count, seconds_since(started));
  };
  engine.edit(request, events);
}

}  // namespace

Run add_edit(CLI::App& app, const Interrupt& interrupt) {
  const auto verb = std::make_shared<EditVerb>(app, interrupt);
  return [verb] { verb->run(); };
}

}  // namespace janus
