// SPDX-License-Identifier: MIT
#include "apps/case_file.h"

#include <sstream>

#include "base/error.h"
#include "io/file.h"

namespace janus {

using Json = nlohmann::ordered_json;

CaseFile::CaseFile(const std::filesystem::path& path, const Json& settings) : path_(path) {
  std::error_code error;
  const bool fresh =
      !std::filesystem::exists(path, error) || std::filesystem::file_size(path, error) == 0;
  if (!fresh) read(settings);
  out_.open(path, std::ios::binary | std::ios::app);
  check(out_.is_open(), Code::device_failure, path.string(), " cannot be written");
  if (fresh) append({{"settings", settings}});
}

void CaseFile::read(const Json& settings) {
  const std::string text = read_text(path_);
  const size_t whole = text.rfind('\n') == text.npos ? 0 : text.rfind('\n') + 1;
  std::istringstream lines(text.substr(0, whole));
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const Json json = Json::parse(line, nullptr, false);
    const bool first = number == 1;
    check(json.is_object() && json.contains(first ? "settings" : "case") &&
              (first || json["case"].is_string()),
          Code::bad_input, path_.string(), ", line ", number,
          " is none that an evaluation wrote; another -o, or move this file away");
    if (first) {
      check(json["settings"] == settings, Code::bad_input, path_.string(),
            " was made with other settings (", json["settings"].dump(), ", now ", settings.dump(),
            "); another -o keeps both");
    } else {
      cases_[json["case"].get<std::string>()] = json;
    }
  }
  check(whole > 0, Code::bad_input, path_.string(),
        " holds no line that an evaluation wrote; another -o, or move this file away");
  if (whole < text.size()) std::filesystem::resize_file(path_, whole);
}

void CaseFile::append(const Json& line) {
  out_ << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  out_.flush();
  check(out_.good(), Code::device_failure, path_.string(), " cannot be written; is the disk full?");
}

void CaseFile::add(Json line) {
  append(line);
  const std::string key = line["case"];
  cases_[key] = std::move(line);
}

}  // namespace janus
