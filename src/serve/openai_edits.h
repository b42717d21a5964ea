// OpenAI's image edits and variations: a form or JSON -> DrawCall with a picture to begin with.
// Nothing here waits or sends. SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "serve/openai_images.h"

namespace janus::serve {

// `content_type` says whether `body` is multipart/form-data or JSON. Throw Refusal.
DrawCall parse_edit(std::string_view content_type, std::string_view body, const Served& served);
DrawCall parse_edit(Json body, const Served& served);
DrawCall parse_variation(std::string_view content_type, std::string_view body,
                         const Served& served);

// The same of a picture from elsewhere; for other dialects. Throws `unsupported_value` where the
// model cannot edit.
void begin_with(DrawCall& call, const Served& served, EditRequest edit, OrderedJson how);

}  // namespace janus::serve
