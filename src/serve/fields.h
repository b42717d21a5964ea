// Fields of a JSON request: read by name with their types and ranges, each fault told with the path
// of its field; what nobody read is named to the client. SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "serve/refusal.h"

namespace janus::serve {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

// Throws Refusal `invalid_json`: also for bad UTF-8, a depth above 64, more than a million values.
Json parse_json(std::string_view text);
// As bytes; what is no UTF-8 becomes U+FFFD.
std::string dump(const OrderedJson& json);

class Fields {
 public:
  // `object` must outlive this. `path` stands before each name in messages. `texts`: numbers and
  // booleans may be written as strings, as in a form. Throws `invalid_type` unless an object.
  explicit Fields(const Json& object, std::string path = {}, bool texts = false);

  const Json* find(std::string_view name);  // none for what is absent or null
  // Each throws `invalid_type`, or `invalid_value` outside of the range.
  std::optional<std::string> text(std::string_view name);
  std::optional<int64_t> whole(std::string_view name, int64_t low, int64_t high);
  std::optional<double> number(std::string_view name, double low, double high);
  std::optional<bool> flag(std::string_view name);
  // One of these words, or nothing.
  std::optional<std::string> word(std::string_view name, std::initializer_list<const char*> words);
  std::string required_text(std::string_view name);     // throws `missing_required_parameter`
  void pass(std::initializer_list<const char*> names);  // taken, without effect
  // Throws `unsupported_parameter` where the field says anything but null, false, or one of the
  // `harmless` texts.
  void cannot(std::string_view name, const std::string& why,
              std::initializer_list<const char*> harmless = {});

  std::string at(std::string_view name) const;  // "messages[1].content"
  std::vector<std::string> unread() const;

 private:
  const Json& object_;
  std::string path_;
  bool texts_;
  std::set<std::string, std::less<>> read_;
};

// For the header x-januspro-ignored: visible ASCII, a bounded number of them.
std::string header_list(const std::vector<std::string>& names);

[[noreturn]] void refuse_type(const std::string& path, const std::string& expected);

}  // namespace janus::serve
