// One table of a recipe: hands out its keys and refuses what nobody asked for.
// SPDX-License-Identifier: MIT
#pragma once

#include <toml++/toml.h>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace janus::train {

class Section {
 public:
  // `table`: null for a section that is absent.
  Section(const toml::table* table, std::string path, const std::string& file)
      : table_(table), path_(std::move(path)), file_(file) {}

  template <class T>
  void read(const char* key, T& out) {
    const toml::node* node = get(key);
    if (!node) return;
    const auto value = node->value<T>();
    check(value.has_value(), Code::bad_input, file_, ": ", path_, key, " has the wrong type, a ",
          type_name(T{}), " is expected");
    out = *value;
  }
  void read(const char* key, int& out) {
    int64_t wide = out;
    read(key, wide);
    check(wide >= 0 && wide <= 1'000'000'000, Code::bad_input, file_, ": ", path_, key, " = ", wide,
          " is outside 0..1000000000");
    out = static_cast<int>(wide);
  }
  void read(const char* key, uint64_t& out) {
    auto wide = static_cast<int64_t>(out);
    read(key, wide);
    check(wide >= 0, Code::bad_input, file_, ": ", path_, key, " is negative");
    out = static_cast<uint64_t>(wide);
  }
  // A list, or the one item of it.
  template <class T>
  void read(const char* key, std::vector<T>& out) {
    const toml::node* node = get(key);
    if (!node) return;
    out.clear();
    if (const auto alone = node->value<T>()) {
      out.push_back(*alone);
      return;
    }
    const toml::array* list = node->as_array();
    check(list != nullptr, Code::bad_input, file_, ": ", path_, key, " is no list");
    for (const toml::node& item : *list) {
      const auto value = item.value<T>();
      check(value.has_value(), Code::bad_input, file_, ": ", path_, key,
            " holds an item of the wrong type");
      out.push_back(*value);
    }
  }
  // A table of free names.
  void read(const char* key, std::map<std::string, double>& out) {
    const toml::node* node = get(key);
    if (!node) return;
    const toml::table* table = node->as_table();
    check(table != nullptr, Code::bad_input, file_, ": ", path_, key, " is no table");
    out.clear();
    for (const auto& [name, item] : *table) {
      const auto value = item.value<double>();
      check(value.has_value(), Code::bad_input, file_, ": ", path_, key, ".\"", name.str(),
            "\" is no number; a name with dots or stars needs quotes");
      out[std::string(name.str())] = *value;
    }
  }
  // A table below this one; an empty table where the key is absent.
  Section section(const char* key) {
    const toml::node* node = get(key);
    check(!node || node->is_table(), Code::bad_input, file_, ": ", path_, key, " is no table");
    return Section(node ? node->as_table() : nullptr, path_ + key + ".", file_);
  }
  std::vector<Section> sections(const char* key) {
    std::vector<Section> all;
    const toml::node* node = get(key);
    if (!node) return all;
    const toml::array* list = node->as_array();
    check(list != nullptr, Code::bad_input, file_, ": ", path_, key, " is no list of tables");
    for (const toml::node& item : *list) {
      check(item.is_table(), Code::bad_input, file_, ": ", path_, key, " is no list of tables");
      all.emplace_back(item.as_table(), path_ + key + ".", file_);
    }
    return all;
  }
  // Call when every known key has been read.
  void finish() const {
    if (!table_) return;
    for (const auto& [key, node] : *table_) {
      check(seen_.count(std::string(key.str())) > 0, Code::bad_input, file_, ": unknown key ",
            path_, key.str(), " (line ", node.source().begin.line,
            "); docs/training.md lists the keys");
    }
  }

 private:
  const toml::node* get(const char* key) {
    seen_.insert(key);
    return table_ ? table_->get(key) : nullptr;
  }
  static const char* type_name(int64_t) { return "whole number"; }
  static const char* type_name(double) { return "number"; }
  static const char* type_name(bool) { return "true or false"; }
  static const char* type_name(const std::string&) { return "string"; }

  const toml::table* table_;
  std::string path_;
  const std::string& file_;
  std::set<std::string> seen_;
};

}  // namespace janus::train
