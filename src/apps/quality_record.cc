// SPDX-License-Identifier: MIT
#include "apps/quality_record.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/dtype.h"
#include "base/error.h"

namespace janus {

namespace {

using Json = nlohmann::ordered_json;

bool is_line(const Json& line) {
  const auto holds = [&](const char* key, const auto& test) {
    return line.contains(key) && test(line[key]);
  };
  const auto is_type = [](const Json& value) {
    return value.is_string() && dtype_named(value.get<std::string>());
  };
  const auto is_number = [](const Json& value) { return value.is_number(); };
  const auto is_count = [](const Json& value) { return value.is_number_unsigned(); };
  const auto is_name = [](const Json& value) {
    const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    return value.is_string() && std::ranges::all_of(value.get<std::string>(), is_digit);
  };
  return line.is_object() && holds("model", is_name) && holds("type", is_type) &&
         holds("kv", is_type) && holds("pictures", is_count) && holds("codes", is_count) &&
         holds("kl_mean", is_number) && holds("kl_max", is_number) && holds("flips", is_number) &&
         holds("psnr", [](const Json& value) { return value.is_null() || value.is_number(); }) &&
         holds("same", is_count) &&
         holds("right", [&](const Json& value) { return value.is_null() || is_count(value); });
}

}  // namespace

std::vector<Json> parse_quality(const std::string& text, const std::string& where) {
  std::vector<Json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    lines.push_back(Json::parse(line, nullptr, false));
    check(is_line(lines.back()), Code::bad_checkpoint, where, ": line ", lines.size(),
          " is none that `januspro bench --work quality --json` writes; measure again, or take it "
          "away");
  }
  return lines;
}

std::string quality_heading(const Json& first) {
  char text[200];
  std::snprintf(text, sizeof text,
                "quality against f32: %lld pictures of %lld codes, model %.16s\n"
                "type  kv     KL mean  KL largest  flips a picture  PSNR, dB   same  right\n",
                first["pictures"].get<long long>(), first["codes"].get<long long>(),
                first["model"].get<std::string>().c_str());
  return text;
}

std::string quality_row(const Json& line) {
  const auto shown = [&](const char* key, const char* format) {
    char text[40] = "-";
    if (!line[key].is_null()) std::snprintf(text, sizeof text, format, line[key].get<double>());
    return std::string(text);
  };
  char text[200];
  std::snprintf(text, sizeof text, "%-5s %-5s %8s %11s %16s %9s %6s %6s\n",
                line["type"].get<std::string>().c_str(), line["kv"].get<std::string>().c_str(),
                shown("kl_mean", "%.1e").c_str(), shown("kl_max", "%.1e").c_str(),
                shown("flips", "%.1f").c_str(), shown("psnr", "%.1f").c_str(),
                shown("same", "%.0f").c_str(), shown("right", "%.0f").c_str());
  return text;
}

}  // namespace janus
