// `januspro pull`, `list` and `rm`: models of the Hub in the cache that Python's libraries use too.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "apps/command.h"
#include "apps/hub_options.h"
#include "apps/progress.h"
#include "base/error.h"
#include "base/free_memory.h"
#include "hub/models.h"
#include "hub/pull.h"
#include "io/json.h"

namespace janus {

namespace {

class PullVerb {
 public:
  PullVerb(CLI::App& app, const Interrupt& interrupt);
  void run();

 private:
  const Interrupt& interrupt_;
  std::string name_;
  bool json_ = false;
  bool quiet_ = false;
};

PullVerb::PullVerb(CLI::App& app, const Interrupt& interrupt) : interrupt_(interrupt) {
  app.add_option("REPO", name_, "org/name, or org/name@revision for a branch, tag or commit")
      ->required();
  app.add_flag("--json", json_, "One JSON object on stdout");
  app.add_flag("--quiet", quiet_, "No progress and no notes on stderr");
  app.footer(
      "Only what januspro reads is fetched, into the cache of Python's huggingface_hub. A pull "
      "that\n"
      "was cut goes on where it stopped. HF_HUB_CACHE, HF_HOME, HF_ENDPOINT, HF_TOKEN and\n"
      "HF_HUB_OFFLINE mean what they mean there.\n\n"
      "Example:\n  januspro pull deepseek-ai/Janus-Pro-1B\n"
      "  januspro draw -m deepseek-ai/Janus-Pro-1B 'a red ball' -o ball.png");
}

void PullVerb::run() {
  const ModelName name = parse_model_name(name_);
  ProgressBar bar(quiet_);
  PullEvents events;
  events.on_progress = [&](const PullProgress& progress) {
    if (progress.total > 0 && bar.due()) {
      const bool checking = progress.stage == PullProgress::checking;
      bar.show(checking ? "checking what is here" : name.repo, progress.done / 1'000'000,
               progress.total / 1'000'000, "MB");
    }
    return !interrupt_.asked();
  };
  if (!quiet_) {
    events.log = [&](const std::string& line) {
      bar.clear();
      say(line);
    };
  }
  HubOptions options = hub_options();
  options.agent = "januspro/" + version();
  const Pulled pulled = pull_model(name, options, events);
  bar.clear();
  if (!json_) return print(pulled.path.string() + "\n");
  const nlohmann::ordered_json line{
      {"repo", name.repo},        {"revision", name.revision_or_main()},
      {"commit", pulled.commit},  {"path", pulled.path.string()},
      {"files", pulled.files},    {"bytes", pulled.bytes},
      {"fetched", pulled.fetched}};
  print(json_line(line));
}

class ListVerb {
 public:
  explicit ListVerb(CLI::App& app);
  void run() const;

 private:
  void print_objects(const std::vector<CachedModel>& models) const;
  void print_table(const std::vector<CachedModel>& models) const;

  bool json_ = false;
};

ListVerb::ListVerb(CLI::App& app) {
  app.add_flag("--json", json_, "One JSON object a revision");
  app.footer("Example:\n  januspro list");
}

// Empty where there is no config.json that says it.
std::string model_type(const CachedRevision& revision) {
  try {
    const nlohmann::json config = read_json(revision.path / "config.json");
    return config.is_object() ? config.value("model_type", "") : "";
  } catch (const Error&) {
    return "";
  } catch (const nlohmann::json::exception&) {
    return "";
  }
}

std::string comma_list(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

// The cache holds whatever other programs have put there.
std::string state_of(const CachedRevision& revision) {
  const std::string type = model_type(revision);
  if (!type.empty() && type != "janus" && type != "multi_modality") return "no Janus: " + type;
  return revision.missing.empty() ? "complete" : "lacks " + comma_list(revision.missing);
}

void ListVerb::print_objects(const std::vector<CachedModel>& models) const {
  for (const CachedModel& model : models) {
    for (const CachedRevision& revision : model.revisions) {
      const nlohmann::ordered_json line{{"repo", model.repo},
                                        {"commit", revision.commit},
                                        {"refs", revision.refs},
                                        {"path", revision.path.string()},
                                        {"bytes", revision.bytes},
                                        {"model_type", model_type(revision)},
                                        {"complete", revision.missing.empty()},
                                        {"missing", revision.missing},
                                        {"partial_bytes", model.partial_bytes}};
      print(json_line(line));
    }
  }
}

void ListVerb::print_table(const std::vector<CachedModel>& models) const {
  constexpr size_t kCommitShown = 12;
  std::vector<std::vector<std::string>> rows;
  for (const CachedModel& model : models) {
    for (const CachedRevision& revision : model.revisions) {
      rows.push_back({model.repo, revision.refs.empty() ? "-" : comma_list(revision.refs),
                      revision.commit.substr(0, kCommitShown), size_text(revision.bytes),
                      state_of(revision)});
    }
    if (model.partial_bytes > 0) {
      rows.push_back({model.repo, "-", "-", size_text(model.partial_bytes), "of unfinished files"});
    }
  }
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(row.size(), 0);
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] + 2 - row[i].size(), ' ');
    }
    print(line + "\n");
  }
}

void ListVerb::run() const {
  const Cache cache(hub_options().cache);
  const std::vector<CachedModel> models = list_models(cache);
  if (json_) return print_objects(models);
  print_table(models);
  if (models.empty()) {
    say("no models in " + cache.root().string() + "; `januspro pull org/name` fetches one");
  }
}

class RemoveVerb {
 public:
  explicit RemoveVerb(CLI::App& app);
  void run() const;

 private:
  std::vector<std::string> names_;
  bool json_ = false;
};

RemoveVerb::RemoveVerb(CLI::App& app) {
  app.add_option("REPO", names_,
                 "org/name, or org/name@revision for one revision and what no other needs")
      ->required();
  app.add_flag("--json", json_, "One JSON object a model");
  app.footer("Example:\n  januspro rm deepseek-ai/Janus-Pro-1B");
}

void RemoveVerb::run() const {
  std::vector<ModelName> names;
  for (const std::string& name : names_) names.push_back(parse_model_name(name));
  const Cache cache(hub_options().cache);
  for (const ModelName& name : names) {
    const Removed removed = remove_model(cache, name);
    if (!json_) {
      print(name.text() + "  " + size_text(removed.freed) + " freed\n");
      continue;
    }
    const nlohmann::ordered_json line{
        {"repo", name.repo}, {"commits", removed.commits}, {"freed", removed.freed}};
    print(json_line(line));
  }
}

}  // namespace

Run add_pull(CLI::App& app, const Interrupt& interrupt) {
  const auto verb = std::make_shared<PullVerb>(app, interrupt);
  return [verb] { verb->run(); };
}

Run add_list(CLI::App& app, const Interrupt&) {
  const auto verb = std::make_shared<ListVerb>(app);
  return [verb] { verb->run(); };
}

Run add_rm(CLI::App& app, const Interrupt&) {
  const auto verb = std::make_shared<RemoveVerb>(app);
  return [verb] { verb->run(); };
}

}  // namespace janus
