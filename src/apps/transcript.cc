// See transcript.h. SPDX-License-Identifier: MIT
#include "apps/transcript.h"

#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "base/error.h"
#include "io/file.h"
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

std::vector<std::string> paths_of(const Read& object, const char* key, const std::string& where) {
  std::vector<std::string> paths;
  if (!object.contains(key)) return paths;
  for (const Read& one : member(object, key, Read::value_t::array, where)) {
    check(one.is_string(), Code::bad_input, where, ": `", key, "` holds what is not a path");
    paths.push_back(one.get<std::string>());
  }
  return paths;
}

// Pictures of a conversation while it is loaded.
class PictureLoader {
 public:
  PictureLoader(const std::filesystem::path& file, int64_t most_pixels)
      : file_(file.string()), folder_(whole_path(file).parent_path()), most_(most_pixels) {}

  void load(const std::vector<std::string>& names, std::vector<std::filesystem::path>& paths,
            std::vector<Image>& images) {
    for (const std::string& name : names) {
      paths.push_back(folder_ / name);
      images.push_back(load_picture(paths.back()));
      pixels_ += int64_t{images.back().width} * images.back().height;
      check(pixels_ <= most_, Code::bad_input, file_, ": its pictures have more than ", most_,
            " pixels together; make them smaller");
    }
  }

 private:
  std::string file_;
  std::filesystem::path folder_;
  int64_t most_;
  int64_t pixels_ = 0;
};

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

void Transcript::save(const std::filesystem::path& path, const std::string& name,
                      const ModelInfo& model) const {
  const auto folder = whole_path(path).parent_path();
  Json file{{"format", kFormat}, {"model", name}, {"model_hash", model.hash}};
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

std::string Transcript::load(const std::filesystem::path& path, int64_t most_pixels) {
  Conversation file = parse_conversation(read_text(path, kMostBytes), path.string());
  PictureLoader pictures(path, most_pixels);
  Transcript other;
  other.request = request;
  other.request.messages.clear();
  if (file.system) other.request.system = std::move(file.system);
  for (Conversation::Message& message : file.messages) {
    const char* role = other.paths_.size() % 2 == 0 ? "user" : "assistant";
    other.request.messages.push_back({role, std::move(message.text), {}});
    other.paths_.emplace_back();
    pictures.load(message.images, other.paths_.back(), other.request.messages.back().images);
  }
  pictures.load(file.waiting, other.image_paths_, other.images_);
  *this = std::move(other);
  return std::move(file.model_hash);
}

Conversation parse_conversation(const std::string& text, const std::string& where) {
  const Read file = parse_json(text, where);
  check(file.is_object() && file.contains("format") && file["format"] == kFormat, Code::bad_input,
        where, ": is not a conversation that /save has written (its `format` is not \"", kFormat,
        "\")");
  Conversation conversation;
  if (file.contains("system")) conversation.system = text_of(file, "system", where);
  for (const Read& message : member(file, "messages", Read::value_t::array, where)) {
    const size_t number = conversation.messages.size();
    const std::string place = where + ": message " + std::to_string(number + 1);
    const std::string role = text_of(message, "role", place);
    const char* due = number % 2 == 0 ? "user" : "assistant";
    check(role == due, Code::bad_input, place, " has role \"", role, "\" where \"", due,
          "\" is due");
    std::vector<std::string> images = paths_of(message, "images", place);
    check(images.empty() || number % 2 == 0, Code::bad_input, place,
          ": pictures belong to the user's messages");
    conversation.messages.push_back({text_of(message, "text", place), std::move(images)});
  }
  check(conversation.messages.size() % 2 == 0, Code::bad_input, where, ": the last of its ",
        conversation.messages.size(), " messages is a question without an answer");
  conversation.waiting = paths_of(file, "waiting", where);
  conversation.model_hash = text_of(file, "model_hash", where);
  return conversation;
}

}  // namespace janus
