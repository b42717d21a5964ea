// SPDX-License-Identifier: MIT
#include "serve/multipart.h"

#include <algorithm>
#include <optional>

namespace janus::serve {

namespace {

constexpr size_t kMostParts = 64, kMostHead = 8192, kMostBoundary = 70;

[[noreturn]] void refuse(const std::string& what) {
  throw Refusal(400, "invalid_value", "the body is not multipart/form-data: " + what);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// `; name=value` or `; name="value"` of a header; in quotes a backslash stands before what is meant
// as it is, and browsers write %22 for a quote.
std::optional<std::string> parameter(std::string_view header, std::string_view name) {
  size_t at = header.find(';');
  while (at < header.size()) {
    ++at;
    const size_t equals = header.find_first_of("=;", at);
    if (equals == header.npos) return {};
    if (header[equals] == ';') {
      at = equals;
      continue;
    }
    const bool found = same_word(trimmed(header.substr(at, equals - at)), name);
    at = header.find_first_not_of(" \t", equals + 1);
    std::string value;
    if (at != header.npos && header[at] == '"') {
      for (++at; at < header.size() && header[at] != '"'; ++at) {
        if (header[at] == '\\' && at + 1 < header.size()) ++at;
        value += header[at];
      }
      at = header.find(';', at);
    } else if (at != header.npos) {
      const size_t end = std::min(header.find(';', at), header.size());
      value = trimmed(header.substr(at, end - at));
      at = end;
    }
    if (found) return value;
  }
  return {};
}

std::string unescaped(std::string value) {
  for (size_t at = 0; (at = value.find("%22", at)) != value.npos; ++at) value.replace(at, 3, "\"");
  return value;
}

FormPart part_of(std::string_view head, std::string_view content) {
  FormPart part{.name = {}, .is_file = false, .content = content};
  bool named = false;
  while (!head.empty()) {
    const size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    const size_t colon = line.find(':');
    if (colon == line.npos || !same_word(trimmed(line.substr(0, colon)), "content-disposition")) {
      continue;
    }
    const std::optional<std::string> name = parameter(line, "name");
    named = name.has_value();
    part.name = unescaped(name.value_or(""));
    part.is_file =
        parameter(line, "filename").has_value() || parameter(line, "filename*").has_value();
  }
  if (!named) refuse("a part has no name (Content-Disposition: form-data; name=\"…\")");
  return part;
}

}  // namespace

bool is_multipart(std::string_view content_type) {
  return same_word(trimmed(content_type.substr(0, content_type.find(';'))), "multipart/form-data");
}

std::vector<FormPart> parse_multipart(std::string_view content_type, std::string_view body) {
  const std::string boundary = parameter(content_type, "boundary").value_or("");
  if (boundary.empty() || boundary.size() > kMostBoundary) {
    refuse("its Content-Type names no boundary of 1 to 70 characters");
  }
  const std::string line = "--" + boundary, next = "\r\n" + line;
  std::vector<FormPart> parts;
  // The first line may follow a preamble, which means nothing.
  size_t at = line.size();
  if (!body.starts_with(line)) {
    const size_t first = body.find(next);
    if (first == body.npos) refuse("its boundary is nowhere in it");
    at = first + next.size();
  }
  while (!body.substr(at).starts_with("--")) {
    const size_t break_at = body.find("\r\n", at);
    if (break_at == body.npos || !trimmed(body.substr(at, break_at - at)).empty()) {
      refuse("a boundary is not on a line of its own");
    }
    // A head may be empty: then the line after the boundary's is.
    const size_t head = break_at + 2, head_end = body.find("\r\n\r\n", break_at);
    const size_t begin = head_end + 4;
    if (head_end == body.npos || head_end - break_at > kMostHead) {
      refuse("a part has no end of its head within 8 KiB");
    }
    const size_t end = body.find(next, begin - 2);
    if (end == body.npos) refuse("its last part is cut short");
    if (parts.size() == kMostParts) refuse("it has more than 64 parts");
    const std::string_view content = body.substr(begin, end > begin ? end - begin : 0);
    parts.push_back(part_of(body.substr(head, head_end > head ? head_end - head : 0), content));
    at = end + next.size();
  }
  return parts;
}

}  // namespace janus::serve
