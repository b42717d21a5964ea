// Pictures across the border. SPDX-License-Identifier: MIT
#pragma once

#include "januspro/image.hpp"
#include "januspro/januspro.h"

namespace janus::c {

Image read_image(const januspro_image* given);  // a copy. Throws Code::bad_input
januspro_image view_image(const Image& image);
januspro_image* give_image(Image image);  // for januspro_image_free()

}  // namespace janus::c
