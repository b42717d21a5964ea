// See description.h. SPDX-License-Identifier: MIT
#include "apps/description.h"

#include <string_view>

namespace janus {

namespace {

constexpr std::string_view kExample = "Example:\n";

// "{auto,cpu,cuda}", as CLI11 shows a list of choices.
std::vector<std::string> choices_of(std::string_view text) {
  std::vector<std::string> choices;
  if (!text.starts_with('{') || !text.ends_with('}')) return choices;
  text = text.substr(1, text.size() - 2);
  while (true) {
    const size_t comma = text.find(',');
    choices.emplace_back(text.substr(0, comma));
    if (comma == text.npos) return choices;
    text.remove_prefix(comma + 1);
  }
}

// "INT in [1 - 9]" and "NONNEGATIVE", as CLI11 has them, in words.
std::string range_of(const std::string& text) {
  if (text == "NONNEGATIVE") return "0 or more";
  const size_t begin = text.find(" in ["), end = text.rfind(']');
  if (begin == text.npos || end == text.npos) return "";
  std::string range = text.substr(begin + 5, end - begin - 5);
  const size_t dash = range.find(" - ");
  return dash == range.npos ? range : range.replace(dash, 3, " to ");
}

OptionText describe(const CLI::Option& option) {
  OptionText text;
  for (const std::string& name : option.get_snames()) text.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) text.names.push_back("--" + name);
  text.place = option.get_name(true, false);
  text.about = option.get_description();
  text.required = option.get_required();
  text.several = option.get_items_expected_max() > 1;
  if (option.get_type_size() == 0) return text;
  const std::string type = option.get_type_name();  // "TEXT:{a,b}", "INT:INT in [1 - 9]"
  const size_t colon = type.find(':');
  text.value = type.substr(0, colon);
  text.fallback = option.get_default_str();
  if (colon == type.npos) return text;
  text.choices = choices_of(std::string_view(type).substr(colon + 1));
  if (text.choices.empty()) text.range = range_of(type.substr(colon + 1));
  return text;
}

std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

void collect(const VerbText& verb, std::vector<const VerbText*>& all) {
  all.push_back(&verb);
  for (const VerbText& one : verb.verbs) collect(one, all);
}

VerbText describe(const CLI::App& app, const std::string& words) {
  VerbText text;
  text.words = words;
  text.about = app.get_description();
  const std::string footer = app.get_footer();
  const size_t example = footer.find(kExample);
  text.notes = trimmed(footer.substr(0, example));
  if (example != footer.npos) text.example = trimmed(footer.substr(example + kExample.size()));
  for (const CLI::Option* option : app.get_options()) text.options.push_back(describe(*option));
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    text.verbs.push_back(describe(*verb, words + (words.empty() ? "" : " ") + verb->get_name()));
  }
  return text;
}

}  // namespace

VerbText describe(const CLI::App& app) { return describe(app, ""); }

const CLI::App& root_of(const CLI::App& verb) {
  const CLI::App* app = &verb;
  while (app->get_parent() != nullptr) app = app->get_parent();
  return *app;
}

std::vector<const VerbText*> all_verbs(const VerbText& root) {
  std::vector<const VerbText*> all;
  collect(root, all);
  return all;
}

}  // namespace janus
