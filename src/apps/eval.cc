// `januspro eval`: how well a model draws and reads, on a suite with exact verdicts; one line of
// JSON a case, a table at the end. SPDX-License-Identifier: MIT
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/case_file.h"
#include "apps/command.h"
#include "apps/drawing.h"
#include "apps/progress.h"
#include "apps/sheet.h"
#include "apps/toyland.h"
#include "base/error.h"

namespace janus {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kShownFailures = 36;
constexpr std::string_view kSuite = "toyland";

class EvalVerb {
 public:
  EvalVerb(CLI::App& app, const Interrupt& interrupt);
  void run();

 private:
  std::vector<toyland::Part> chosen() const;
  bool named() const { return suite_.find(':') != suite_.npos; }
  void list() const;
  void run_part(const toyland::Part& part, Engine& engine, const toyland::Settings& settings,
                ProgressBar& bar);
  void report(const toyland::Part& part, const std::vector<toyland::Figure>& figures);
  std::function<bool()> wanted() const {
    return [this] { return !interrupt_.asked(); };
  }

  const Interrupt& interrupt_;
  ModelFlags model_;
  std::string suite_;
  std::string output_;
  int64_t limit_ = 0;
  int images_ = 4;
  uint64_t seed_ = 1;
  std::optional<double> guidance_;
  bool controls_ = false;
  bool circular_ = false;
  bool list_ = false;
  bool json_ = false;
  bool quiet_ = false;
};

EvalVerb::EvalVerb(CLI::App& app, const Interrupt& interrupt) : interrupt_(interrupt) {
  app.add_option("SUITE", suite_, "toyland, or parts of it: toyland:prompts,open");
  app.add_flag("--list", list_, "Which suites and parts there are");
  app.add_option("-o,--output", output_,
                 "A folder for the cases, pictures of failures and report.json; what is there "
                 "already is not run again");
  app.add_option("--limit", limit_, "Only the first so many samples of each part")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 30));
  app.add_option("-n,--images", images_, "Pictures of each prompt")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--seed", seed_, "Seed of the first picture")
      ->check(whole_number())
      ->capture_default_str();
  app.add_option("--guidance,--cfg-scale", guidance_,
                 "Of drawing (default: what the model recommends)")
      ->check(CLI::Range(0.0, 100.0));
  app.add_flag("--controls", controls_,
               "Ask every question again with the objects taken out of the picture");
  app.add_flag("--circular", circular_,
               "Ask each question of toyland:choices with its options in every rotation");
  app.add_flag("--json", json_, "One JSON object a figure on stdout");
  app.add_flag("--quiet", quiet_, "No notes on stderr");
  model_.add_verbose(app);
  model_.add_to(app);
  model_.add_memory(app);
  model_.add_ahead(app);
  model_.add_lora(app);
  model_.add_edit_layout(app);
  app.footer("Example:\n  januspro eval toyland:single,short --limit 20 -n 1 -o scores");
}

void EvalVerb::list() const {
  for (const toyland::Part& part : toyland::parts()) {
    print(std::string(kSuite) + ':' + part.stream + "\t" + std::to_string(part.samples) +
          (part.asks == toyland::Asks::to_draw   ? " prompts\n"
           : part.asks == toyland::Asks::to_edit ? " instructions\n"
                                                 : " pictures or turns\n"));
  }
}

std::vector<toyland::Part> EvalVerb::chosen() const {
  const size_t colon = suite_.find(':');
  check(suite_.substr(0, colon) == kSuite, Code::bad_input, "no suite \"", suite_.substr(0, colon),
        "\"; `januspro eval --list` names those there are");
  check(colon == suite_.npos || colon + 1 < suite_.size(), Code::bad_input, "\"", suite_,
        "\" names no part after the colon");
  auto parts = toyland::parts(colon == suite_.npos ? "" : suite_.substr(colon + 1));
  for (toyland::Part& part : parts) {
    if (limit_ > 0) part.samples = std::min(part.samples, limit_);
  }
  return parts;
}

void EvalVerb::report(const toyland::Part& part, const std::vector<toyland::Figure>& figures) {
  if (!json_) print(part.stream + "\n");
  for (const toyland::Figure& figure : figures) {
    if (json_) {
      print(json_line({{"part", part.stream},
                       {"figure", figure.name},
                       {"value", figure.value},
                       {"count", figure.count}}));
      continue;
    }
    char row[160];
    std::snprintf(row, sizeof row, "  %-40s %6.3f  of %lld\n", figure.name.c_str(), figure.value,
                  static_cast<long long>(figure.count));
    print(row);
  }
}

void EvalVerb::run_part(const toyland::Part& part, Engine& engine,
                        const toyland::Settings& settings, ProgressBar& bar) {
  const std::filesystem::path folder = output_;
  Json kept = {{"suite", std::string(kSuite) + ':' + part.stream},
               {"model", engine.info().hash},
               {"images", settings.images},
               {"seed", settings.seed},
               {"guidance", settings.guidance},
               {"controls", settings.controls}};
  if (settings.circular && part.stream == "choices") kept["circular"] = true;
  CaseFile file(folder / (part.stream + ".jsonl"), kept);
  toyland::run(part, engine, settings, file, wanted(), [&](int64_t done, int64_t total) {
    bar.show(part.stream, done, total, part.asks == toyland::Asks::to_draw ? "prompts" : "samples");
  });
  bar.show("pictures of failures", 0, 1, "sheets");
  const std::vector<Image> wrong =
      toyland::failures(part, engine, settings, file, kShownFailures, wanted());
  bar.clear();
  if (!wrong.empty()) {
    const Image sheet = contact_sheet(wrong);
    save_file(folder / (part.stream + "-failures.png"), encode_picture(sheet));
  }
  const std::vector<toyland::Figure> figures = toyland::figures(part, file);
  Json table = Json::object();
  for (const toyland::Figure& f : figures) table[f.name] = {{"value", f.value}, {"count", f.count}};
  const std::string text = Json{{"settings", kept}, {"figures", table}}.dump(2) + "\n";
  save_file(folder / (part.stream + "-report.json"), std::as_bytes(std::span(text)));
  report(part, figures);
}

void EvalVerb::run() {
  if (list_) return list();
  if (suite_.empty()) throw UsageError("eval: a suite is missing; --list names them");
  if (output_.empty()) throw UsageError("eval: -o FOLDER is missing: where the cases go");
  const std::vector<toyland::Part> parts = chosen();
  std::error_code error;
  std::filesystem::create_directories(output_, error);
  check(!error, Code::device_failure, output_, ": ", error.message());
  ProgressBar bar(quiet_);
  Engine engine = load_engine(model_.options(interrupt_, quiet_), model_, quiet_, interrupt_, bar);
  toyland::Settings settings;
  settings.images = images_;
  settings.seed = seed_;
  settings.guidance = guidance_ ? static_cast<float>(*guidance_) : engine.info().guidance;
  settings.controls = controls_;
  settings.circular = circular_;
  for (const toyland::Part& part : parts) {
    const std::string why = toyland::why_not(part, engine.info());
    if (!why.empty() && !named()) {
      if (!quiet_) say("toyland:" + part.stream + " is left out: " + why);
      continue;
    }
    check(why.empty(), Code::not_supported, "toyland:", part.stream, ": ", why);
    run_part(part, engine, settings, bar);
  }
}

}  // namespace

Run add_eval(CLI::App& app, const Interrupt& interrupt) {
  const auto verb = std::make_shared<EvalVerb>(app, interrupt);
  return [verb] { verb->run(); };
}

}  // namespace janus
