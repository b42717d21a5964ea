// The verb `check` of the training program. SPDX-License-Identifier: MIT
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace janus {

struct CheckArguments {
  std::string data, format, task, images, model, out = "check";
  std::vector<std::string> templates, overrides;
  int64_t rows = 0, max_len = 0, max_broken = -1;
  bool json = false;
};

void add_check(CLI::App& app, CheckArguments& a);

// 0 where every source can be trained on, else 1.
int check_data(const CheckArguments& a, int threads);

}  // namespace janus
