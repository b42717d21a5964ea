// The parser is the library's; the limits are watched while it reads, not afterwards.
// SPDX-License-Identifier: MIT
#include "io/json.h"

#include <set>
#include <vector>

#include "base/error.h"
#include "io/file.h"
#include "io/mishap.h"

namespace janus {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 64;

}  // namespace

Json parse_json(const std::string& text, const std::string& where) {
  std::vector<std::set<std::string>> keys;  // of the objects being read, outermost first
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    check(depth <= kMaxDepth, Code::bad_checkpoint, where, " nests deeper than ", kMaxDepth,
          " levels; it is damaged or of another kind");
    if (event == Json::parse_event_t::object_start) {
      keys.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == Json::parse_event_t::key) {
      check(keys.back().insert(parsed.get<std::string>()).second, Code::bad_checkpoint, where,
            " has the key '", parsed.get<std::string>(), "' twice");
    }
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const Json::exception& error) {
    fail(Code::bad_checkpoint, where, " is not valid JSON: ", error.what(),
         "; it was cut short or changed: download it again");
  }
}

Json read_json(const std::filesystem::path& path, int64_t limit) {
  const std::string text = read_text(path, limit);
  refuse_mishap(path, text);
  return parse_json(text, path.string());
}

}  // namespace janus
