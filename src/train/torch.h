// The one door to libtorch: every file of this room that needs it includes this header, which is
// also the precompiled header, since all of torch takes about 20 seconds to read.
// SPDX-License-Identifier: MIT
#pragma once

#include <torch/torch.h>
