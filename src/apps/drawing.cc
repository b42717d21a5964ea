// See drawing.h. SPDX-License-Identifier: MIT
#include "apps/drawing.h"

#include <chrono>
#include <cstdlib>
#include <utility>
#include <vector>

namespace janus {

void PictureFlags::add_to(CLI::App& app, const std::string& images_help) {
  app.add_option("--negative,--negative-prompt", negative, "What guidance moves away from");
  app.add_option("-n,-b,--images,--batch-count", images, images_help)
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--guidance,--cfg-scale", guidance,
                 "How closely the prompt is followed; 1: unguided (default: the model's own, or 5)")
      ->check(CLI::Range(-1000.0, 1000.0));
  sampling.add_to(app);
  app.add_option("--batch", batch, "Pictures drawn side by side, fewer where memory is short")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_flag("--no-preview", no_preview, "No pictures in the terminal while they grow");
}

Recipe PictureFlags::recipe(bool quiet) const {
  Recipe recipe;
  recipe.negative = negative;
  recipe.seed = sampling.choose_seed(quiet);
  recipe.guidance = guidance.value_or(recipe.guidance);
  recipe.temperature = sampling.greedy ? 0 : sampling.temperature;
  recipe.top_k = sampling.top_k;
  recipe.top_p = sampling.top_p;
  return recipe;
}

Engine load_engine(EngineOptions options, const ModelFlags& model, bool quiet,
                   const Interrupt& interrupt, ProgressBar& bar) {
  const auto started = std::chrono::steady_clock::now();
  options.on_load = [&](double fraction) {
    if (bar.due()) bar.show("loading", static_cast<int64_t>(fraction * 100), 100, "%");
    return !interrupt.asked();
  };
  Engine engine = Engine::load(options);
  bar.clear();
  if (!quiet) model.tell_loaded(engine.info(), seconds_since(started));
  return engine;
}

DrawingView::DrawingView(Engine& engine, const Interrupt& interrupt, ProgressBar& bar, bool preview)
    : engine_(engine),
      interrupt_(interrupt),
      bar_(bar),
      preview_(preview && bar.visible() && engine.info().draws && !std::getenv("NO_COLOR")) {}

void DrawingView::prepare() {
  if (!preview_ || ready_) return;
  bar_.show("preparing the preview (once a model)", 0, 1, "fits");
  try {
    engine_.prepare_preview(user_folder("XDG_CACHE_HOME", ".cache"),
                            [&] { return !interrupt_.asked(); });
    ready_ = true;
  } catch (const Error& error) {
    bar_.clear();
    if (error.code() == Code::cancelled) throw;
    preview_ = false;
    say(std::string("warning: no preview: ") + error.what());
  }
}

bool DrawingView::on_step(const Progress& progress) {
  if (interrupt_.asked()) return false;
  const bool last = progress.phase == Progress::Phase::pixels;
  if (!bar_.visible() || !(bar_.due() || last)) return true;
  std::vector<Image> pictures;
  if (ready_) {
    for (const Sketch& sketch : progress.sketches) {
      pictures.push_back(engine_.preview(sketch.codes));
    }
  }
  bar_.show(last ? "decoding" : "drawing", progress.done, progress.total, "codes", pictures);
  return true;
}

}  // namespace janus
