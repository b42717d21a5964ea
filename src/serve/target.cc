// SPDX-License-Identifier: MIT
#include "serve/target.h"

#include <algorithm>

#include "serve/refusal.h"

namespace janus::serve {

namespace {

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decoded(std::string_view text, bool is_query) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 &&
        digit(text[i + 2]) >= 0) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += is_query && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

}  // namespace

void split_target(std::string_view target, Request& request) {
  // "http://host/path", as proxies are asked, names the same.
  if (target.starts_with("http://")) {
    const size_t slash = target.find('/', 7);
    target = slash == target.npos ? "/" : target.substr(slash);
  }
  if (target.empty() || (target[0] != '/' && target != "*")) {
    throw Refusal(400, "invalid_value", "the request's target is no path");
  }
  const size_t mark = target.find('?');
  request.path = decoded(target.substr(0, mark), false);
  if (mark == target.npos) return;
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const size_t equal = pair.find('=');
    const std::string_view value = equal == pair.npos ? "" : pair.substr(equal + 1);
    request.query[decoded(pair.substr(0, equal), true)] = decoded(value, true);
  }
}

}  // namespace janus::serve
