// The Hub as the environment describes it, by the variables of Python's huggingface_hub: HF_HOME,
// HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and their older names; and models by their
// names there. SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>

#include "hub/options.h"

namespace janus {

// Throws Code::bad_input for a variable that makes no sense.
HubOptions hub_options();

// What is meant by -m: a directory that is there, else `org/name[@revision]` that has been pulled.
// Throws Code::bad_input saying how to fetch a model that has not been; any other text is taken for
// a directory.
std::filesystem::path checkpoint_path(const std::string& given);

// The same, or where nothing is given $JANUSPRO_MODEL, or else the model that ships with the
// program. Throws Code::bad_input saying where it was looked for.
std::filesystem::path model_path(const std::string& given);

}  // namespace janus
