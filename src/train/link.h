// How a process finds the others, and what it then has. SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include "base/log.h"
#include "train/launcher.h"
#include "train/processes.h"
#include "train/roll_call.h"

namespace janus::train {

struct Joined {
  std::unique_ptr<RollCall> roll_call;
  std::unique_ptr<Link> link;  // uses the roll call while it waits
};

// See Processes. c10d's TCP store and Gloo group, where libtorch has them.
Joined join(const Place& place, const Log& log);

}  // namespace janus::train
