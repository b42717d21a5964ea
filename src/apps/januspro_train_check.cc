// See januspro_train_check.h.
// SPDX-License-Identifier: MIT
#include "apps/januspro_train_check.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/hub_options.h"
#include "base/error.h"
#include "io/file.h"
#include "io/utf8.h"
#include "train/check.h"
#include "train/recipe_data.h"
#include "train/start.h"
#include "train/vocabulary.h"

namespace janus {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using train::Checked;
using train::Recipe;

constexpr size_t kNamed = 10;  // broken rows in the text for people

Recipe recipe_of(const CheckArguments& a) {
  if (a.data.ends_with(".toml")) {
    Recipe recipe = train::parse_recipe(read_text(a.data), a.data, a.overrides);
    check(!recipe.trains_codec(), Code::bad_input, a.data,
          ": trains the codec, whose pictures the world makes; there is nothing to check");
    return recipe;
  }
  Recipe recipe;
  recipe.model.init = model_path(a.model).string();
  const train::Start start = train::start_of(recipe.model.init);
  recipe.model.config = start.config;
  recipe.model.processor = start.processor;
  recipe.batch.max_len = start.config.llama.context;
  train::Source source;
  source.path = a.data;
  source.format = a.format.empty() ? train::guessed_format(a.data) : a.format;
  source.task = train::task_named(a.task.empty() ? train::usual_task(source) : a.task, "--task");
  source.templates = a.templates;
  source.images = a.images;
  train::complete_source(source, "check");
  recipe.data.push_back(source);
  check(!recipe.trains_codec(), Code::bad_input,
        "--task reconstruct: the codec's pictures are the world's; there is nothing to check");
  train::complete_edit_layout(recipe);
  return recipe;
}

// The length below which `share` of the rows are.
int64_t quantile(const std::vector<int64_t>& sorted, double share) {
  const auto at = static_cast<size_t>(share * static_cast<double>(sorted.size() - 1));
  return sorted[at];
}

Json as_json(const train::Source& source, const Checked& found, int64_t max_len,
             const std::string& sheet) {
  Json broken = Json::array();
  for (const train::BrokenRow& row : found.broken) {
    broken.push_back(
        {{"row", row.row}, {"place", as_utf8(row.place)}, {"reason", as_utf8(row.reason)}});
  }
  Json length = {{"max_len", max_len}};
  if (!found.lengths.empty()) {
    length["min"] = found.lengths.front();
    length["median"] = quantile(found.lengths, 0.5);
    length["p95"] = quantile(found.lengths, 0.95);
    length["max"] = found.lengths.back();
  }
  Json rows = nullptr;
  if (found.rows > 0) rows = found.rows;
  return {{"path", as_utf8(source.path)},
          {"format", source.format},
          {"rows", rows},
          {"looked_at", found.looked_at},
          {"usable", found.lengths.size()},
          {"tasks", found.tasks},
          {"targets", found.targets},
          {"length", length},
          {"broken", broken},
          {"broken_allowed", found.allowed},
          {"sheet", sheet}};
}

void print(const train::Source& source, const Checked& found, int64_t max_len,
           const std::string& sheet) {
  std::cout << source.path << " (" << source.format << "): ";
  if (found.rows > 0) std::cout << found.rows << " rows, ";
  std::cout << found.looked_at << " looked at\n";
  for (const auto& [task, count] : found.tasks) std::cout << "  " << task << ": " << count << '\n';
  if (!found.lengths.empty()) {
    std::cout << "  positions: " << found.lengths.front() << " to " << found.lengths.back()
              << ", half below " << quantile(found.lengths, 0.5) << ", 95% below "
              << quantile(found.lengths, 0.95) << "; max_len is " << max_len << '\n'
              << "  targets: " << found.targets << '\n';
  }
  std::cout << "  broken: " << found.broken.size() << ", " << found.allowed << " allowed\n";
  for (size_t i = 0; i < std::min(found.broken.size(), kNamed); ++i) {
    std::cout << "    " << found.broken[i].place << ": " << found.broken[i].reason << '\n';
  }
  if (found.broken.size() > kNamed) std::cout << "    ... (--json names all)\n";
  if (!found.shown.empty()) {
    std::cout << "  for instance: ";
    bool taught = false;
    for (const train::Piece& piece : found.shown.front().pieces) {
      if (piece.taught != taught) std::cout << (piece.taught ? "\u27E6" : "\u27E7");
      taught = piece.taught;
      std::cout << piece.text;
    }
    std::cout << "\u27E7\n    (\u27E6what the model learns to say\u27E7; more in " << sheet
              << ")\n";
  }
  std::cout << std::flush;
}

}  // namespace

void add_check(CLI::App& app, CheckArguments& a) {
  CLI::App* verb = app.add_subcommand("check", "look at data before training on it");
  verb->fallthrough();
  verb->add_option("data", a.data, "a file or folder of rows, or a recipe with all its sources")
      ->required();
  verb->add_option("--format", a.format, "what it is (default: told by name and content)");
  verb->add_option("--task", a.task,
                   "generate, understand or edit, where rows do not say themselves");
  verb->add_option("--template", a.templates, "what captions and classes are put into");
  verb->add_option("--images", a.images,
                   "where the pictures of a LLaVA list lie (default: beside it)");
  verb->add_option("-m,--model", a.model,
                   "whose tokens and sizes count (default: the model that ships with the program)");
  verb->add_option("--max-len", a.max_len, "longest row (default: the model's context)")
      ->check(CLI::PositiveNumber);
  verb->add_option("--max-broken", a.max_broken, "rows that may be broken (default: 1 in 100)")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--rows", a.rows, "look at so many, spread over the data (default: all)")
      ->check(CLI::PositiveNumber);
  verb->add_option("--set", a.overrides, "section.key=value, instead of what the recipe says");
  verb->add_option("-o,--out", a.out, "directory of the contact sheet");
  verb->add_flag("--json", a.json, "one JSON object a source");
  verb->footer("Example: januspro-train check photos -o check");
}

int check_data(const CheckArguments& a, int threads) {
  Recipe recipe = recipe_of(a);
  if (a.max_len > 0) recipe.batch.max_len = a.max_len;
  const PromptBuilder prompts = train::recipe_prompts(recipe);
  train::CheckOptions options;
  options.rows = a.rows;
  options.workers = threads > 0 ? threads : std::max(1u, std::thread::hardware_concurrency());
  bool good = true;
  for (size_t i = 0; i < recipe.data.size(); ++i) {
    if (a.max_broken >= 0) recipe.data[i].max_broken = a.max_broken;
    const Checked found = train::check_source(recipe, i, prompts, options, [](int64_t done) {
      if (done > 0 && done % 10'000 == 0) std::cerr << done << " rows" << std::endl;
    });
    const fs::path dir =
        recipe.data.size() == 1 ? fs::path(a.out) : fs::path(a.out) / std::to_string(i + 1);
    train::write_sheet(dir, recipe.data[i].path, found);
    const std::string sheet = (dir / "sheet.html").string();
    if (a.json) {
      std::cout << as_json(recipe.data[i], found, recipe.batch.max_len, sheet).dump() << std::endl;
    } else {
      print(recipe.data[i], found, recipe.batch.max_len, sheet);
    }
    good = good && !found.lengths.empty() && std::ssize(found.broken) <= found.allowed;
  }
  return good ? 0 : 1;
}

}  // namespace janus
