// Where models come from and where they are kept. Plain values: who reads the environment is the
// program. SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace janus {

struct HubOptions {
  std::filesystem::path cache;                      // holds models--org--name folders
  std::string endpoint = "https://huggingface.co";  // without a slash at its end
  std::string token = {};                           // empty: none is sent
  bool offline = false;                             // nothing is asked of the network
  std::string agent = "januspro";                   // how requests introduce themselves
  int at_once = 4;                                  // files
  int stall_seconds = 30;                           // nearly nothing for so long is a failure
  int attempts = 5;                                 // in a row that bring nothing new
  std::chrono::milliseconds first_pause{1000};      // before the second; then doubled
};

}  // namespace janus
