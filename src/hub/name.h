// How a model is named: `org/name`, and `org/name@revision` where a branch, tag or commit is meant.
// Names become parts of paths and addresses, so their letters are checked here, once.
// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace janus {

struct ModelName {
  std::string repo;      // org/name
  std::string revision;  // empty: none was given

  std::string revision_or_main() const { return revision.empty() ? "main" : revision; }
  std::string text() const { return revision.empty() ? repo : repo + "@" + revision; }
};

// Nothing when the text is not of that form.
std::optional<ModelName> read_model_name(std::string_view text);
// Throws Code::bad_input instead, saying what the form is.
ModelName parse_model_name(std::string_view text);

// `a`, `a/b`, …: no way out of the folder it is put in, no control characters, nothing empty.
bool is_plain_path(std::string_view path);
// 40 lower-case hexadecimal digits, as git names commits and blobs; 64, as SHA-256.
bool is_commit(std::string_view text);
bool is_sha256(std::string_view text);

}  // namespace janus
