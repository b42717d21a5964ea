// `januspro serve`: the model over HTTP, for programs and for a browser. Everything that the server
// takes from the outside world is put together here. SPDX-License-Identifier: MIT
#include <poll.h>
#include <sys/resource.h>

#include <charconv>
#include <climits>
#include <csignal>
#include <map>
#include <memory>
#include <random>

#include "apps/command.h"
#include "apps/recipe.h"
#include "base/error.h"
#include "serve/options.h"

namespace janus {

namespace {

// "90s", "12h", "7d" -> seconds; without a unit, days.
std::string read_time(std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string unit(end, static_cast<const char*>(text.data() + text.size()));
  if (unit.empty()) unit = "d";
  const std::map<std::string, double> units = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
  const auto found = units.find(unit);
  if (error != std::errc() || !(number >= 0 && number <= 1e6) || found == units.end()) {
    return text + " is no time; as 7d, 12h, 30m or 90s";
  }
  text = std::to_string(number * found->second);
  return {};
}

class ServeVerb {
 public:
  ServeVerb(CLI::App& app, const Interrupt& interrupt);
  void run();

 private:
  void add_access(CLI::App& app);
  Engine load() const;
  Recipe recipe_of(const DrawRequest& request, const ModelInfo& info) const;

  const Interrupt& interrupt_;
  ModelFlags model_;
  serve::ServeOptions options_;
  std::string keys_;
  std::string log_format_ = "text";
};

ServeVerb::ServeVerb(CLI::App& app, const Interrupt& interrupt) : interrupt_(interrupt) {
  app.add_option("--host", options_.host, "Address to listen on, in numbers")
      ->capture_default_str();
  app.add_option("--port", options_.port, "Port to listen on; 0 takes a free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  add_access(app);
  app.add_option("--alias", options_.aliases,
                 "A further name of the model, `*` for any; may be given several times")
      ->allow_extra_args(false);
  app.add_option(
         "--parallel", options_.parallel,
         "Pictures and answers worked on together (default: what --memory allows, at most 16)")
      ->check(CLI::Range(1, 256));
  app.add_option("--queue", options_.queue, "Requests that may wait")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  app.add_option("--max-body", options_.max_body, "Bytes of a request")
      ->transform(size_in_bytes())
      ->capture_default_str();
  app.add_option("--max-pixels", options_.max_pixels, "Pixels of a picture that is sent")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000}))
      ->capture_default_str();
  app.add_flag("--allow-fetch", options_.allow_fetch, "Bring pictures that image_url names");
  app.add_option("--rate", options_.gate.rate,
                 "POSTs a minute of each caller (default: any number)")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--read-timeout", options_.read_timeout,
                 "Seconds for a request's head, and for a pause in its body")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_option("--drain", options_.drain, "Seconds that running requests get at the end")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  app.add_option("--db", options_.db,
                 "File of jobs (default: ~/.local/state/januspro/jobs.sqlite), or postgresql://…");
  app.add_option("--keep-jobs", options_.keep_jobs,
                 "How long jobs that are over are kept, as 7d, 12h or 90s (default: 7d)")
      ->transform(CLI::Validator(read_time, "TIME"));
  app.add_option("--public-url", options_.public_url,
                 "How clients reach the server behind a proxy; begins URLs of pictures");
  app.add_option("--log-format", log_format_, "Of the lines on stderr")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  model_.add_to(app);
  model_.add_memory(app);
  model_.add_ahead(app);
  model_.add_lora(app);
  app.footer(
      "Example:\n  januspro serve --port 8080\nprints http://127.0.0.1:8080/, which a browser "
      "opens and OpenAI's libraries take as base_url with v1 behind it.");
}

// Who may ask, and under which names.
void ServeVerb::add_access(CLI::App& app) {
  app.add_option("--api-key", options_.gate.api_key, "A key that clients must send");
  app.add_option("--keys", keys_,
                 "A file of such keys, one a line, as `key` or `name key`; read again on SIGHUP");
  app.add_flag("--no-auth", options_.no_auth, "Let other machines in without a key");
  app.add_option("--allow-host", options_.gate.hosts,
                 "A further name under which this machine is asked; may be given several times")
      ->allow_extra_args(false);
  app.add_option("--cors", options_.gate.origins,
                 "An origin whose pages may use the server; may be given several times")
      ->allow_extra_args(false);
}

Engine ServeVerb::load() const {
  EngineOptions options = model_.options(interrupt_, false);
  options.parallel = options_.parallel;
  if (options.parallel > 0) options.pictures_at_once = options.parallel;
  return Engine::load(options);
}

Recipe ServeVerb::recipe_of(const DrawRequest& request, const ModelInfo& info) const {
  Recipe recipe;
  recipe.prompt = request.prompt;
  recipe.negative = request.negative;
  recipe.seed = request.seed;
  recipe.guidance = static_cast<double>(request.guidance.value_or(info.guidance));
  recipe.temperature = static_cast<double>(request.temperature);
  recipe.top_k = request.top_k;
  recipe.top_p = static_cast<double>(request.top_p);
  recipe.drawn_by(model_.shown_name(info), info, model_.round_rope);
  return recipe;
}

// A pipe that nobody reads, or a terminal that is held, must not hold the server. What poll() calls
// writable takes PIPE_BUF bytes at once.
bool log_line(const std::string& line) {
  static_assert(serve::kLongestLogLine < PIPE_BUF);
  pollfd stderr_now{STDERR_FILENO, POLLOUT, 0};
  if (poll(&stderr_now, 1, 0) != 1 || (stderr_now.revents & POLLOUT) == 0) return false;
  say(line);
  return true;
}

// Every open connection is a descriptor, and the usual limit is a thousand.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void ServeVerb::run() {
  raise_descriptor_limit();
  options_.gate.keys = keys_;
  options_.json_log = log_format_ == "json";
  options_.load = [this] { return load(); };
  options_.name = [this](const ModelInfo& info) { return model_.shown_name(info); };
  options_.recipe = [this](const DrawRequest& request, const ModelInfo& info,
                           const nlohmann::ordered_json& edit) {
    Recipe recipe = recipe_of(request, info);
    recipe.edit = edit;
    return recipe.as_text();
  };
  options_.previews = user_folder("XDG_CACHE_HOME", ".cache");
  const std::filesystem::path state = user_folder("XDG_STATE_HOME", ".local/state");
  if (options_.db.empty() && !state.empty()) options_.db = (state / "jobs.sqlite").string();
  options_.random = [] {
    std::random_device device;
    return uint64_t{device()} << 32 | device();
  };
  options_.log = log_line;
  options_.listening = [](const std::string& url) { print(url + "\n"); };
  options_.signals = interrupt_.fd();
  options_.to_end = [this] { return interrupt_.asked(); };
  model_.path();  // a model that is not there is said before anything is listened on
  if (!options_.no_auth && !serve::is_loopback(options_.host) && options_.gate.api_key.empty() &&
      keys_.empty()) {
    throw UsageError(
        "serve: --host " + options_.host +
        " is reached from other machines; give keys by --keys FILE (or --api-key KEY), "
        "or say --no-auth");
  }
  const std::string fault = serve::fault_of_db(options_.db);
  if (!fault.empty()) {
    throw UsageError("serve: --db: " + fault +
                     "; an address is postgresql://USER@HOST:PORT/DATABASE, its password is best "
                     "kept in ~/.pgpass");
  }
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is a full disk, not the end
  serve::serve(options_);
  check(!interrupt_.asked() || interrupt_.terminated(), Code::cancelled, "interrupted");
}

}  // namespace

Run add_serve(CLI::App& app, const Interrupt& interrupt) {
  const auto verb = std::make_shared<ServeVerb>(app, interrupt);
  return [verb] { verb->run(); };
}

}  // namespace janus
