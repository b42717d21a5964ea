// See environment.h. SPDX-License-Identifier: MIT
#include "apps/environment.h"

#include <algorithm>
#include <cstdlib>

#include "apps/brackets.h"
#include "apps/command.h"

namespace janus {

namespace {

constexpr const char* kBeginning = "JANUSPRO";

// "top-k" -> "_TOP_K"
std::string as_variable(const std::string& name) {
  std::string text = "_" + name;
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return text;
}

}  // namespace

std::vector<std::string> variables_of(const CLI::App& verb, const CLI::Option& option) {
  if (option.get_lnames().empty() || &option == verb.get_help_ptr()) return {};
  const std::string name = option.get_lnames().front();
  std::string words;
  for (const CLI::App* app = &verb; app->get_parent() != nullptr; app = app->get_parent()) {
    words = as_variable(app->get_name()) + words;
  }
  std::vector<std::string> names = {kBeginning + words + as_variable(name)};
  if (name != "model" && name != "isa") names.push_back(kBeginning + as_variable(name));
  return names;
}

std::vector<std::string> take_defaults(CLI::App& verb) {
  std::vector<std::string> taken;
  for (CLI::Option* option : verb.get_options()) {
    for (const std::string& name : variables_of(verb, *option)) {
      const char* value = std::getenv(name.c_str());
      if (!value || !*value) continue;
      try {
        option->run_callback_for_default()->default_val(hide_bracket(value))->default_str(value);
      } catch (const CLI::Error& error) {
        throw UsageError(name + "=" + value + " in the environment: " + error.what());
      }
      option->required(false);
      taken.push_back(name + "=" + value);
      break;
    }
  }
  return taken;
}

}  // namespace janus
