// Requests, options and callbacks of C as those of C++. All throw Code::bad_input for a struct that
// cannot be used. SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "januspro/januspro.h"
#include "januspro/januspro.hpp"

namespace janus::c {

EngineOptions read_options(const januspro_engine_options* given);
std::vector<DrawRequest> read_requests(const januspro_draw_request* const* given, size_t count);
EditRequest read_request(const januspro_edit_request* given);
DrawEvents read_events(const januspro_draw_events* given);
AskRequest read_request(const januspro_ask_request* given);
OnText read_events(const januspro_ask_events* given);
EmbedRequest read_request(const januspro_embed_request* given);

// `image` must outlive the result.
januspro_picture view_picture(const Picture& picture, const januspro_image& image);

}  // namespace janus::c
