// SPDX-License-Identifier: MIT
#include "serve/gate.h"

#include <algorithm>

#include "base/error.h"
#include "base/sha256.h"
#include "io/base64.h"
#include "io/file.h"

namespace janus::serve {

namespace {

constexpr size_t kMostCallers = 10'000;  // remembered for their rate
constexpr auto kMinute = std::chrono::minutes(1);

// Looks at every byte, wherever they differ.
bool equal(const std::array<uint8_t, 32>& a, const std::array<uint8_t, 32>& b) {
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned>(a[i] ^ b[i]);
  return difference == 0;
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

// "[::1]:8080" -> "[::1]", "localhost:8080" -> "localhost".
std::string without_port(const std::string& host) {
  const size_t end = host.starts_with("[") ? host.find(']') : 0;
  const size_t colon = host.find(':', end == host.npos ? 0 : end);
  return lower(host.substr(0, colon));
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

}  // namespace

Gate::Gate(GateOptions options) : options_(std::move(options)) { read_keys(); }

void Gate::read_keys() {
  std::vector<Key> keys;
  if (!options_.api_key.empty()) keys.push_back({"key", sha256(options_.api_key), false});
  if (!options_.keys.empty()) {
    const std::string text = read_text(options_.keys);
    int number = 0;
    for (size_t begin = 0; begin <= text.size(); ++number) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      const std::string_view line = trimmed(std::string_view(text).substr(begin, end - begin));
      begin = end + 1;
      if (line.empty() || line[0] == '#') continue;
      const size_t space = line.find_first_of(" \t");
      const std::string_view key = trimmed(line.substr(space == line.npos ? 0 : space));
      check(key.find_first_of(" \t") == key.npos, Code::bad_input, options_.keys.string(), " line ",
            number + 1, ": more than `name key` on it");
      const std::string name = space == line.npos ? "key-" + std::to_string(number + 1)
                                                  : std::string(line.substr(0, space));
      keys.push_back({name, sha256(key), space != line.npos});
    }
    check(keys.size() > (options_.api_key.empty() ? 0 : 1), Code::bad_input, options_.keys.string(),
          ": holds no key; put one a line, optionally `name key`");
  }
  const std::lock_guard lock(mutex_);
  keys_ = std::move(keys);
}

bool Gate::has_keys() const { return !options_.api_key.empty() || !options_.keys.empty(); }

void Gate::check_host(const Request& request, bool loopback) const {
  if (!loopback) return;
  const std::string host = without_port(std::string(request.header("host")));
  if (host == "localhost" || host == "127.0.0.1" || host == "[::1]") return;
  for (const std::string& allowed : options_.hosts) {
    if (host == lower(allowed)) return;
  }
  throw Refusal(403, "host_not_allowed",
                "this server does not answer under the name in the Host header; start it with "
                "--allow-host NAME to let it");
}

bool Gate::allows(const std::string& origin) const {
  return std::find(options_.origins.begin(), options_.origins.end(), origin) !=
         options_.origins.end();
}

void Gate::check_origin(const Request& request) const {
  const std::string origin(request.header("origin"));
  if (origin.empty() || allows(origin)) return;
  const std::string host(request.header("host"));
  if (origin == "http://" + host || origin == "https://" + host) return;  // https: by a proxy
  throw Refusal(403, "origin_not_allowed",
                "a page of another origin may not use this server; start it with --cors ORIGIN to "
                "let it");
}

std::string Gate::check_key(const Request& request, bool basic) const {
  if (!has_keys()) return "address:" + request.peer;
  const std::string_view given = request.header("authorization");
  std::string key;
  if (lower(std::string(given.substr(0, 7))) == "bearer ") {
    key = trimmed(given.substr(7));
  } else if (basic && lower(std::string(given.substr(0, 6))) == "basic ") {
    const std::string pair = from_base64(trimmed(given.substr(6))).value_or("");
    const size_t colon = pair.find(':');
    if (colon != pair.npos) key = pair.substr(colon + 1);
  }
  const char* const scheme = basic ? "Basic realm=\"januspro\"" : "Bearer";
  if (key.empty()) {
    throw Refusal(401, "missing_api_key",
                  "this server wants a key; send it as `Authorization: Bearer KEY`")
        .with("WWW-Authenticate", scheme);
  }
  const std::array<uint8_t, 32> sum = sha256(key);
  const std::lock_guard lock(mutex_);
  const Key* found = nullptr;
  for (const Key& each : keys_) {
    if (equal(each.sum, sum)) found = &each;
  }
  if (found) return "key:" + found->name;
  throw Refusal(401, "invalid_api_key", "this key is not one of the server's; ask its operator")
      .with("WWW-Authenticate", scheme);
}

std::string Gate::owner_of(const std::string& caller) const {
  if (!has_keys()) return {};
  const std::lock_guard lock(mutex_);
  for (const Key& each : keys_) {
    if (caller != "key:" + each.name) continue;
    return each.named ? "name:" + each.name
                      : "sum:" + to_base64(std::as_bytes(std::span(each.sum)));
  }
  return caller;
}

void Gate::check_rate(const std::string& caller) {
  if (options_.rate <= 0) return;
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (minutes_.size() > kMostCallers) {
    std::erase_if(minutes_, [&](const auto& each) { return now - each.second.begun > kMinute; });
  }
  Minute& minute = minutes_[caller];
  if (now - minute.begun > kMinute) minute = {now, 0};
  if (++minute.count <= options_.rate) return;
  const auto left =
      std::chrono::duration_cast<std::chrono::seconds>(kMinute - (now - minute.begun)).count() + 1;
  throw Refusal(429, "rate_limit_exceeded",
                "more than " + std::to_string(options_.rate) + " requests a minute; wait " +
                    std::to_string(left) + " s")
      .with("Retry-After", std::to_string(std::clamp<int64_t>(left, 1, 120)));
}

Headers Gate::cors(const Request& request) const {
  const std::string origin(request.header("origin"));
  if (origin.empty() || !allows(origin)) return {};
  return {{"Access-Control-Allow-Origin", origin},
          {"Vary", "Origin"},
          {"Access-Control-Expose-Headers", "x-request-id, x-januspro-ignored, Retry-After"}};
}

}  // namespace janus::serve
