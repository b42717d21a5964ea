// See hub_options.h. What each variable means: huggingface_hub, constants.py and utils/_auth.py.
// SPDX-License-Identifier: MIT
#include "apps/hub_options.h"

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <vector>

#include "base/error.h"
#include "hub/cache.h"
#include "hub/name.h"
#include "io/file.h"

namespace janus {

namespace {

namespace fs = std::filesystem;

// The first of these variables that is set to something.
std::optional<std::string> variable(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const char* value = std::getenv(name); value && *value) return value;
  }
  return std::nullopt;
}

bool is_true(std::initializer_list<const char*> names) {
  std::string value = variable(names).value_or("");
  std::transform(value.begin(), value.end(), value.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

fs::path home() {
  const auto found = variable({"HOME"});
  check(found.has_value(), Code::bad_input,
        "HOME is not set, so that there is no place for models; name one in HF_HUB_CACHE");
  return *found;
}

// `~` may have come through quotes, past the shell.
fs::path expanded(const std::string& path) {
  if (path == "~") return home();
  return path.starts_with("~/") ? home() / path.substr(2) : fs::path(path);
}

fs::path hugging_face_home() {
  if (const auto named = variable({"HF_HOME"})) return expanded(*named);
  if (const auto caches = variable({"XDG_CACHE_HOME"})) return expanded(*caches) / "huggingface";
  return home() / ".cache" / "huggingface";
}

std::string trimmed(std::string text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_space(text.back())) text.pop_back();
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), is_space));
  return text;
}

std::string token() {
  if (is_true({"HF_HUB_DISABLE_IMPLICIT_TOKEN"})) return "";
  if (const auto named = variable({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})) return trimmed(*named);
  const auto place = variable({"HF_TOKEN_PATH"});
  const fs::path path = place ? expanded(*place) : hugging_face_home() / "token";
  std::error_code error;
  return fs::exists(path, error) ? trimmed(read_text(path, 10'000)) : "";
}

fs::path cache_folder() {
  const auto named = variable({"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"});
  return named ? expanded(*named) : hugging_face_home() / "hub";
}

int seconds(const std::string& text) {
  const bool number = text.size() <= 5 && text.find_first_not_of("0123456789") == std::string::npos;
  const int value = number ? std::atoi(text.c_str()) : 0;
  check(value > 0, Code::bad_input, "HF_HUB_DOWNLOAD_TIMEOUT is '", text,
        "'; it must be a whole number of seconds, 1 or more");
  return value;
}

}  // namespace

HubOptions hub_options() {
  HubOptions options;
  options.cache = cache_folder();
  options.token = token();
  options.offline = is_true({"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"});
  if (const auto named = variable({"HF_ENDPOINT"})) options.endpoint = *named;
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  if (const auto named = variable({"HF_HUB_DOWNLOAD_TIMEOUT"})) {
    options.stall_seconds = seconds(*named);
  }
  return options;
}

fs::path checkpoint_path(const std::string& given) {
  std::error_code error;
  if (fs::exists(given, error)) return given;
  const std::optional<ModelName> name = read_model_name(given);
  return name ? find_pulled(Cache(cache_folder()), *name) : fs::path(given);
}

std::filesystem::path model_path(const std::string& given) {
  if (!given.empty()) return checkpoint_path(given);
  if (const char* named = std::getenv("JANUSPRO_MODEL"); named && *named) {
    return checkpoint_path(named);
  }
  std::error_code none;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", none);
  const std::filesystem::path here = program.parent_path();
  std::string places;
  for (const std::filesystem::path& place : {here / "models", here / ".." / "share" / "januspro",
                                             std::filesystem::path(JANUSPRO_MODELS)}) {
    places += "\n  " + place.lexically_normal().string();
    std::vector<std::filesystem::path> found;
    for (std::filesystem::directory_iterator entry(place, none), end; !none && entry != end;
         entry.increment(none)) {
      const bool whole = std::filesystem::exists(entry->path() / "config.json", none) ||
                         entry->path().extension() == ".gguf";
      if (whole) found.push_back(*entry);
    }
    none.clear();
    if (!found.empty()) return *std::min_element(found.begin(), found.end());
  }
  fail(Code::bad_input,
       "no model: give -m PATH, pull one (januspro pull --help) or set JANUSPRO_MODEL; looked for "
       "a directory with a config.json, or a .gguf, in",
       places);
}

}  // namespace janus
