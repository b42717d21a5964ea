// A picture that an instruction changes, as the vision tower and the codec's encoder get it: the
// same for an engine and for training. SPDX-License-Identifier: MIT
#pragma once

#include "io/preprocess.h"
#include "io/processor_config.h"

namespace janus {

// Its middle square at side × side, or, as Janus-4o was taught, the whole of it on the fill.
// (FreedomIntelligence/ShareGPT-4o-Image, train_janus.py) Throws Code::bad_input for a picture
// without pixels.
Image edit_source(const Image& image, int side, EditLayout layout, const Preprocessing& rule);

}  // namespace janus
