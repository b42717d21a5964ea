// What is said of pictures on a command line, and how loading and growing them look on the
// terminal, for every verb that does either. SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "apps/command.h"
#include "apps/progress.h"
#include "apps/recipe.h"
#include "januspro/januspro.hpp"

namespace janus {

// Flags of pictures, the same for drawing and editing.
struct PictureFlags {
  SamplingFlags sampling;
  std::string negative;
  int images = 1;
  std::optional<double> guidance;
  int batch = 8;
  bool no_preview = false;

  // `images_help`: what several of them are.
  void add_to(CLI::App& app, const std::string& images_help);
  // Without prompt and model; of no guidance that was given, the published one. Says a random seed
  // unless `quiet`.
  Recipe recipe(bool quiet) const;
};

// Engine::load with a bar, and what --verbose tells of it; stops when interrupted.
Engine load_engine(EngineOptions options, const ModelFlags& model, bool quiet,
                   const Interrupt& interrupt, ProgressBar& bar);

class DrawingView {
 public:
  // `preview`: growing pictures above the bar, unless NO_COLOR is set or the model cannot draw.
  DrawingView(Engine& engine, const Interrupt& interrupt, ProgressBar& bar, bool preview);

  // Makes the preview ready, once a model; where that fails there is a bar alone, and why is said.
  void prepare();
  // For DrawEvents::on_step.
  bool on_step(const Progress& progress);

 private:
  Engine& engine_;
  const Interrupt& interrupt_;
  ProgressBar& bar_;
  bool preview_;
  bool ready_ = false;
};

}  // namespace janus
