// Section: one object of a config.json (or of the metadata of a .gguf) that knows its own path, so
// that every complaint names the key, the value found and what would be right. Which keys there are
// is config.cc and config_gguf.cc.
// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"

namespace janus {

class Section {
 public:
  Section(nlohmann::json object, std::string file, std::string path)
      : object_(std::move(object)), file_(std::move(file)), path_(std::move(path)) {
    check(object_.is_object(), Code::bad_checkpoint, file_, ": ",
          path_.empty() ? "the file" : path_, " is not a JSON object; is it another kind of file?");
  }

  const std::string& file() const { return file_; }
  const std::string& path() const { return path_; }
  std::string name(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  // null counts as absent, as in the reference's own files.
  bool has(const std::string& key) const { return find(key) != nullptr; }

  // An absent object reads as an empty one.
  Section child(const std::string& key) const {
    const nlohmann::json* value = find(key);
    return Section(value ? *value : nlohmann::json::object(), file_, name(key));
  }
  Section required_child(const std::string& key) const {
    check(has(key), Code::bad_checkpoint, file_, ": ", name(key),
          " is missing; is the file complete?");
    return child(key);
  }

  int whole(const std::string& key, int fallback, int low, int high) const {
    const nlohmann::json* value = find(key);
    return value ? whole_value(*value, name(key), low, high) : fallback;
  }

  double number(const std::string& key, double fallback, double low, double high) const {
    const nlohmann::json* value = find(key);
    if (!value) return fallback;
    check(value->is_number(), Code::bad_checkpoint, file_, ": ", name(key), " is ", shown(*value),
          ", expected a number");
    const double result = value->get<double>();
    check(result >= low && result <= high, Code::bad_checkpoint, file_, ": ", name(key), " is ",
          shown(*value), ", expected ", low, " to ", high);
    return result;
  }

  bool flag(const std::string& key, bool fallback) const {
    const nlohmann::json* value = find(key);
    if (!value) return fallback;
    check(value->is_boolean(), Code::bad_checkpoint, file_, ": ", name(key), " is ", shown(*value),
          ", expected true or false");
    return value->get<bool>();
  }

  std::string text(const std::string& key, const std::string& fallback) const {
    const nlohmann::json* value = find(key);
    if (!value) return fallback;
    check(value->is_string(), Code::bad_checkpoint, file_, ": ", name(key), " is ", shown(*value),
          ", expected a string");
    return value->get<std::string>();
  }

  // Exactly as many numbers as `fallback` has.
  std::vector<double> numbers(const std::string& key, const std::vector<double>& fallback,
                              double low, double high) const {
    const nlohmann::json* value = find(key);
    if (!value) return fallback;
    bool fits = value->is_array() && value->size() == fallback.size();
    for (size_t i = 0; fits && i < fallback.size(); ++i) {
      const nlohmann::json& item = (*value)[i];
      fits = item.is_number() && item.get<double>() >= low && item.get<double>() <= high;
    }
    check(fits, Code::bad_checkpoint, file_, ": ", name(key), " is ", shown(*value), ", expected ",
          fallback.size(), " numbers from ", low, " to ", high);
    return value->get<std::vector<double>>();
  }

  // 1 to `most` whole numbers.
  std::vector<int> list(const std::string& key, const std::vector<int>& fallback, size_t most,
                        int low, int high) const {
    const nlohmann::json* value = find(key);
    if (!value) return fallback;
    check(value->is_array() && !value->empty() && value->size() <= most, Code::bad_checkpoint,
          file_, ": ", name(key), " is ", shown(*value), ", expected a list of 1 to ", most,
          " whole numbers");
    std::vector<int> result;
    for (const nlohmann::json& item : *value) {
      result.push_back(whole_value(item, name(key), low, high));
    }
    return result;
  }

 private:
  // At most 60 characters of the value as the file has it.
  static std::string shown(const nlohmann::json& value) {
    std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    if (text.size() > 60) text = text.substr(0, 57) + "...";
    return text;
  }

  const nlohmann::json* find(const std::string& key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  int whole_value(const nlohmann::json& value, const std::string& where, int low, int high) const {
    const bool fits = value.is_number_unsigned()
                          ? value.get<uint64_t>() <= static_cast<uint64_t>(high)
                          : value.is_number_integer() && value.get<int64_t>() <= high;
    check(fits && value.get<int64_t>() >= low, Code::bad_checkpoint, file_, ": ", where, " is ",
          shown(value), ", expected a whole number from ", low, " to ", high);
    return value.get<int>();
  }

  nlohmann::json object_;
  std::string file_;
  std::string path_;
};

}  // namespace janus
