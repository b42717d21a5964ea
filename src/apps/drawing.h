// How loading and growing pictures look on the terminal, for every verb that does either.
// SPDX-License-Identifier: MIT
#pragma once

#include "apps/command.h"
#include "apps/progress.h"
#include "januspro/januspro.hpp"

namespace janus {

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
