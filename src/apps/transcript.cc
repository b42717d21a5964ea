// See transcript.h. SPDX-License-Identifier: MIT
#include "apps/transcript.h"

#include <iterator>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "apps/command.h"
#include "base/error.h"
#include "io/json.h"

namespace janus {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "januspro conversation 1";
constexpr int64_t kMostBytes = 64'000'000;

std::filesystem::path whole_path(const std::filesystem::path& path) {
  std::error_code none;  // without a current directory the path stays as it is
  const auto whole = std::filesystem::absolute(path, none);
  return (none ? path : whole).lexically_normal();
}

// As the file says it: from its folder where the picture lies there, else in full.
Json written(const std::vector<std::filesystem::path>& paths, const std::filesystem::path& folder) {
  Json list = Json::array();
  for (const std::filesystem::path& path : paths) {
    const auto whole = whole_path(path);
    const auto from_there = whole.lexically_relative(folder);
    const bool below = !from_there.empty() && *from_there.begin() != "..";
    list.push_back((below ? from_there : whole).string());
  }
  return list;
}

using Read = nlohmann::json;

const Read& member(const Read& object, const char* key, Read::value_t type,
                   const std::string& where) {
  const bool good = object.is_object() && object.contains(key) && object[key].type() == type;
  check(good, Code::bad_input, where, ": `", key, "` is missing or not a ",
        type == Read::value_t::array ? "list" : "text", "; was this file changed after /save?");
  return object[key];
}

std::string text_of(const Read& object, const char* key, const std::string& where) {
  return member(object, key, Read::value_t::string, where).get<std::string>();
}

// The pictures of a list, read from disk.
void read_pictures(const Read& object, const char* key, const std::string& where,
                   const std::filesystem::path& folder, std::vector<std::filesystem::path>& paths,
                   std::vector<Image>& images) {
  if (!object.contains(key)) return;
  for (const Read& one : member(object, key, Read::value_t::array, where)) {
    check(one.is_string(), Code::bad_input, where, ": `", key, "` holds what is not a path");
    const std::filesystem::path path = folder / one.get<std::string>();
    images.push_back(load_picture(path));
    paths.push_back(path);
  }
}

}  // namespace

void Transcript::add_picture(const std::filesystem::path& path, Image image) {
  images_.push_back(std::move(image));
  image_paths_.push_back(path);
}

size_t Transcript::pictures() const {
  size_t count = waiting();
  for (const Paths& paths : paths_) count += paths.size();
  return count;
}

void Transcript::question(const std::string& text) {
  request.messages.push_back({"user", text, std::exchange(images_, {})});
  paths_.push_back(std::exchange(image_paths_, {}));
}

void Transcript::answer(const std::string& text) {
  request.messages.push_back({"assistant", text, {}});
  paths_.emplace_back();
}

void Transcript::take_back() {
  check(request.messages.size() % 2 == 1, Code::bug, "there is no open question");
  images_ = std::move(request.messages.back().images);
  image_paths_ = std::move(paths_.back());
  request.messages.pop_back();
  paths_.pop_back();
}

void Transcript::clear() {
  request.messages.clear();
  paths_.clear();
  images_.clear();
  image_paths_.clear();
}

void Transcript::save(const std::filesystem::path& path, const ModelInfo& model) const {
  const auto folder = whole_path(path).parent_path();
  Json file{{"format", kFormat}, {"model", model.name}, {"model_hash", model.hash}};
  if (request.system) file["system"] = *request.system;
  file["messages"] = Json::array();
  for (size_t i = 0; i < request.messages.size(); ++i) {
    Json message{{"role", request.messages[i].role}, {"text", request.messages[i].text}};
    if (!paths_[i].empty()) message["images"] = written(paths_[i], folder);
    file["messages"].push_back(std::move(message));
  }
  file["waiting"] = written(image_paths_, folder);
  std::string text;
  try {
    text = file.dump(1) + "\n";
  } catch (const Json::exception& error) {
    fail(Code::bad_input, path.string(),
         ": this conversation cannot be written as JSON; a path or ", "a text in it is not UTF-8 (",
         error.what(), ")");
  }
  save_file(path, std::as_bytes(std::span(text)));
}

std::string Transcript::load(const std::filesystem::path& path) {
  const std::string name = path.string();
  const auto folder = whole_path(path).parent_path();
  const Read file = read_json(path, kMostBytes);
  check(file.is_object() && file.contains("format") && file["format"] == kFormat, Code::bad_input,
        name, ": is not a conversation that /save has written (its `format` is not \"", kFormat,
        "\")");
  Transcript other;
  other.request = request;
  other.request.messages.clear();
  if (file.contains("system")) other.request.system = text_of(file, "system", name);
  for (const Read& message : member(file, "messages", Read::value_t::array, name)) {
    const size_t number = other.paths_.size();
    const std::string where = name + ": message " + std::to_string(number + 1);
    const std::string role = text_of(message, "role", where);
    const char* due = number % 2 == 0 ? "user" : "assistant";
    check(role == due, Code::bad_input, where, " has role \"", role, "\" where \"", due,
          "\" is due");
    other.request.messages.push_back({role, text_of(message, "text", where), {}});
    other.paths_.emplace_back();
    read_pictures(message, "images", where, folder, other.paths_.back(),
                  other.request.messages.back().images);
  }
  check(other.paths_.size() % 2 == 0, Code::bad_input, name, ": the last of its ",
        other.paths_.size(), " messages is a question without an answer");
  read_pictures(file, "waiting", name, folder, other.image_paths_, other.images_);
  const std::string hash = text_of(file, "model_hash", name);
  *this = std::move(other);
  return hash;
}

}  // namespace janus
