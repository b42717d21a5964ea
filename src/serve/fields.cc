// SPDX-License-Identifier: MIT
#include "serve/fields.h"

#include <charconv>
#include <cmath>

namespace janus::serve {

namespace {

constexpr int kDeepest = 64;
constexpr int64_t kMostValues = 1'000'000;
constexpr size_t kMostNames = 32;

// Of the parser's message, what stands behind its own number.
std::string reason(const std::string& text) {
  const size_t end = text.find("] ");
  return end == text.npos ? text : text.substr(end + 2, 200);
}

template <class Number>
std::optional<Number> number_of(const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

std::string shown(double value) {
  std::string text = Json(value).dump();
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

[[noreturn]] void refuse_range(const std::string& path, const std::string& value,
                               const std::string& low, const std::string& high) {
  throw Refusal(400, "invalid_value",
                path + " is " + value + "; it must be from " + low + " to " + high, path);
}

}  // namespace

void refuse_type(const std::string& path, const std::string& expected) {
  throw Refusal(400, "invalid_type", path + " must be " + expected, path);
}

Json parse_json(std::string_view text) {
  int64_t values = 0;
  const auto watch = [&](int depth, Json::parse_event_t event, const Json&) {
    const bool opens =
        event == Json::parse_event_t::array_start || event == Json::parse_event_t::object_start;
    if (opens && depth >= kDeepest) {
      throw Refusal(400, "invalid_json", "the body's JSON is nested deeper than 64 levels");
    }
    if (++values > kMostValues) {
      throw Refusal(400, "invalid_json", "the body's JSON holds more than a million values");
    }
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const Json::exception& error) {
    throw Refusal(400, "invalid_json", "the body is not JSON: " + reason(error.what()));
  }
}

std::string dump(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

Fields::Fields(const Json& object, std::string path, bool texts)
    : object_(object), path_(std::move(path)), texts_(texts) {
  if (!object.is_object()) {
    if (!path_.empty()) refuse_type(path_, "an object");
    throw Refusal(400, "invalid_type", "the body must be a JSON object");
  }
}

std::string Fields::at(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

const Json* Fields::find(std::string_view name) {
  read_.emplace(name);
  const auto found = object_.find(std::string(name));
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> Fields::text(std::string_view name) {
  const Json* const value = find(name);
  if (!value) return {};
  if (!value->is_string()) refuse_type(at(name), "a string");
  return value->get<std::string>();
}

std::string Fields::required_text(std::string_view name) {
  if (auto value = text(name)) return *value;
  throw Refusal(400, "missing_required_parameter", at(name) + " is missing; it is a string",
                at(name));
}

std::optional<int64_t> Fields::whole(std::string_view name, int64_t low, int64_t high) {
  const Json* const value = find(name);
  if (!value) return {};
  std::optional<int64_t> result;
  if (value->is_number_unsigned() && value->get<uint64_t>() > uint64_t{INT64_MAX}) {
    refuse_range(at(name), value->dump(), std::to_string(low), std::to_string(high));
  } else if (value->is_number_integer()) {
    result = value->get<int64_t>();
  } else if (value->is_number_float() && std::abs(value->get<double>()) < 9e15 &&
             std::trunc(value->get<double>()) == value->get<double>()) {
    result = static_cast<int64_t>(value->get<double>());
  } else if (texts_ && value->is_string()) {
    result = number_of<int64_t>(value->get<std::string>());
  }
  if (!result) refuse_type(at(name), "a whole number");
  if (*result < low || *result > high) {
    refuse_range(at(name), std::to_string(*result), std::to_string(low), std::to_string(high));
  }
  return result;
}

std::optional<double> Fields::number(std::string_view name, double low, double high) {
  const Json* const value = find(name);
  if (!value) return {};
  std::optional<double> result;
  if (value->is_number()) result = value->get<double>();
  if (texts_ && value->is_string()) result = number_of<double>(value->get<std::string>());
  if (!result) refuse_type(at(name), "a number");
  if (!(*result >= low && *result <= high)) {
    refuse_range(at(name), shown(*result), shown(low), shown(high));
  }
  return result;
}

std::optional<bool> Fields::flag(std::string_view name) {
  const Json* const value = find(name);
  if (!value) return {};
  if (value->is_boolean()) return value->get<bool>();
  if (texts_ && value->is_string()) {
    const std::string& text = value->get_ref<const std::string&>();
    if (text == "true" || text == "True" || text == "1") return true;
    if (text == "false" || text == "False" || text == "0") return false;
  }
  refuse_type(at(name), "true or false");
}

std::optional<std::string> Fields::word(std::string_view name,
                                        std::initializer_list<const char*> words) {
  const auto value = text(name);
  if (!value) return {};
  std::string list;
  for (const char* const each : words) {
    if (*value == each) return value;
    list += (list.empty() ? "" : ", ") + std::string(each);
  }
  throw Refusal(400, "invalid_value", at(name) + " must be one of " + list, at(name));
}

void Fields::pass(std::initializer_list<const char*> names) {
  for (const char* const name : names) read_.emplace(name);
}

void Fields::cannot(std::string_view name, const std::string& why,
                    std::initializer_list<const char*> harmless) {
  const Json* const value = find(name);
  if (!value || *value == false || (value->is_array() && value->empty())) return;
  for (const char* const each : harmless) {
    if (*value == each) return;
  }
  throw Refusal(400, "unsupported_parameter", at(name) + " cannot be done here: " + why, at(name));
}

std::vector<std::string> Fields::unread() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : object_.items()) {
    if (!read_.contains(name)) names.push_back(at(name));
  }
  return names;
}

std::string header_list(const std::vector<std::string>& names) {
  std::string list;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) list += ", ";
    if (i == kMostNames) return list + "...";
    for (const char c : names[i].substr(0, 64)) list += c > ' ' && c < 127 && c != ',' ? c : '?';
  }
  return list;
}

}  // namespace janus::serve
