// multipart/form-data, as HTML forms and the clients' libraries send it (RFC 7578): fields and
// files of a body that is whole. SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "serve/refusal.h"

namespace janus::serve {

struct FormPart {
  std::string name = {};
  bool is_file = false;           // it came with a file name
  std::string_view content = {};  // of the body, which must outlive it
};

// True for a Content-Type of this kind.
bool is_multipart(std::string_view content_type);

// In the order of the body. Throws Refusal `invalid_value` for what is no such body: no boundary, a
// part without a name or end, more than 64 parts, a head of more than 8 KiB.
std::vector<FormPart> parse_multipart(std::string_view content_type, std::string_view body);

}  // namespace janus::serve
