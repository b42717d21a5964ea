// The rules are those of the Hub, as far as they matter for paths.
// SPDX-License-Identifier: MIT
#include "hub/name.h"

#include <algorithm>

#include "base/error.h"

namespace janus {
namespace {

constexpr size_t kLongestPart = 96;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// An organisation, or a name within it. Two dashes part them in the name of the cache's folder.
bool is_name_part(std::string_view part) {
  const auto allowed = [](char c) {
    return is_letter_or_digit(c) || c == '-' || c == '_' || c == '.';
  };
  const auto edge = [](char c) { return c != '-' && c != '.'; };
  return !part.empty() && part.size() <= kLongestPart &&
         std::all_of(part.begin(), part.end(), allowed) && edge(part.front()) &&
         edge(part.back()) && part.find("--") == std::string_view::npos &&
         part.find("..") == std::string_view::npos;
}

bool is_hex(std::string_view text, size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_revision(std::string_view text) {
  return text.size() <= 255 && is_plain_path(text) && text.find(' ') == std::string_view::npos;
}

}  // namespace

bool is_plain_path(std::string_view path) {
  const auto hostile = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\';
  };
  if (std::any_of(path.begin(), path.end(), hostile)) return false;
  while (true) {
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    if (part.empty() || part == "." || part == "..") return false;
    if (end == path.size()) return true;
    path.remove_prefix(end + 1);
  }
}

bool is_commit(std::string_view text) { return is_hex(text, 40); }
bool is_sha256(std::string_view text) { return is_hex(text, 64); }

std::optional<ModelName> read_model_name(std::string_view text) {
  const size_t at = std::min(text.find('@'), text.size());
  const std::string_view repo = text.substr(0, at);
  const size_t slash = repo.find('/');
  if (slash == std::string_view::npos || !is_name_part(repo.substr(0, slash)) ||
      !is_name_part(repo.substr(slash + 1)) || repo.ends_with(".git")) {
    return std::nullopt;
  }
  ModelName name{std::string(repo), ""};
  if (at == text.size()) return name;
  name.revision = text.substr(at + 1);
  if (!is_revision(name.revision)) return std::nullopt;
  return name;
}

ModelName parse_model_name(std::string_view text) {
  const std::optional<ModelName> name = read_model_name(text);
  check(name.has_value(), Code::bad_input, "'", text,
        "' does not name a model of the Hub: write org/name, or org/name@revision for a branch, "
        "tag or commit (deepseek-ai/Janus-Pro-1B@main)");
  return *name;
}

}  // namespace janus
