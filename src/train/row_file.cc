// See row_file.h.
// SPDX-License-Identifier: MIT
#include "train/row_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/image.h"
#include "io/preprocess.h"
#include "io/resize.h"
#include "io/special_tokens.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::string_view kMark = "<image>";

// Replaces every mark by the placeholder of the template and counts them.
int64_t place_images(std::string& text) {
  int64_t count = 0;
  for (size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at)) {
    text.replace(at, kMark.size(), kImageToken);
    at += kImageToken.size();
    ++count;
  }
  return count;
}

// Turns as they are; of pictures without a mark the first turn tells.
std::vector<Message> messages_of(const Json& row, int64_t pictures) {
  std::vector<Message> messages;
  int64_t marks = 0;
  for (const Json& item : row.at("messages")) {
    const std::string role = item.at("role");
    Message message;
    message.role = messages.size() % 2 == 0 ? Role::user : Role::assistant;
    check(role == (message.role == Role::user ? "user" : "assistant"), Code::bad_input, "message ",
          messages.size() + 1, " is of \"", role,
          "\"; turns alternate and begin with \"user\", and \"system\" is a key of the row");
    message.text = item.at("content");
    message.images = place_images(message.text);
    marks += message.images;
    messages.push_back(std::move(message));
  }
  check(!messages.empty(), Code::bad_input, "\"messages\" is empty");
  if (marks == 0) messages.front().images = pictures;
  check(marks == 0 || marks == pictures, Code::bad_input, marks, " <image> marks for ", pictures,
        " \"images\"; write one for each, or none to have the pictures first");
  return messages;
}

std::string task_of(const Json& row) {
  const bool drawn =
      row.contains("prompt") || row.contains("target") || row.contains("target_codes");
  const bool read = row.contains("images") && !row.at("images").empty();
  const std::string task = row.value("task", row.contains("source") ? "edit"
                                             : drawn                ? "generate"
                                             : read                 ? "understand"
                                                                    : "text");
  check(task == "generate" || task == "edit" || task == "understand" || task == "text",
        Code::bad_input, "task \"", task, "\" is none of generate, edit, understand, text");
  check(task != "text" || !read, Code::bad_input,
        "a row of the task \"text\" has \"images\"; those are of the task \"understand\"");
  return task;
}

void read_drawing(const Json& row, const fs::path& folder, FileRow& out) {
  if (out.task == "edit") {
    check(row.contains("source"), Code::bad_input,
          "an edit says nothing of what is changed: \"source\" (a file) is missing");
    out.source = folder / row.at("source").get<std::string>();
  }
  if (row.contains("prompt")) {
    out.prompt = row.at("prompt");
  } else {
    const std::vector<Message> messages = messages_of(row, 0);
    check(messages.size() == 1, Code::bad_input,
          "what is drawn is told in one turn of the user's, here are ", messages.size());
    out.prompt = messages.front().text;
  }
  if (row.contains("target_codes") && !row.at("target_codes").is_null()) {
    out.codes = row.at("target_codes").get<std::vector<int64_t>>();
    return;
  }
  const char* key = row.contains("target") ? "target" : "image";
  check(row.contains(key), Code::bad_input,
        "says nothing of what is drawn: \"image\" (a file) or \"target_codes\" is missing");
  out.target = folder / row.at(key).get<std::string>();
}

void append_picture(const fs::path& path, const Config& config, std::vector<float>& out) {
  const int side = config.vision.image;
  std::vector<float> pixels(static_cast<size_t>(side) * side * 3);  // [S, S, 3]
  prepare_for_reading(load_upright(path), side, config.preprocessing, pixels);
  for (size_t channel = 0; channel < 3; ++channel) {
    for (size_t i = channel; i < pixels.size(); i += 3) out.push_back(pixels[i]);
  }
}

}  // namespace

FileRow parse_row(const std::string& line, const fs::path& folder) {
  try {
    const Json row = Json::parse(line);
    FileRow out;
    out.task = task_of(row);
    if (out.task == "generate" || out.task == "edit") {
      read_drawing(row, folder, out);
      return out;
    }
    for (const Json& path : row.value("images", Json::array())) {
      out.images.push_back(folder / path.get<std::string>());
    }
    out.messages = messages_of(row, static_cast<int64_t>(out.images.size()));
    if (row.contains("system")) out.system = row.at("system").get<std::string>();
    check(out.messages.size() >= 2, Code::bad_input,
          "no turn of the assistant's, so nothing to learn");
    return out;
  } catch (const Json::exception& error) {
    fail(Code::bad_input, error.what(), "; docs/training.md shows what a row looks like");
  }
}

RowFile::RowFile(const fs::path& path) : file_(path) {
  const auto bytes = file_.bytes();
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (int64_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    begins_.push_back(line);
    lines_.push_back(number);
  }
  check(!begins_.empty(), Code::bad_input, path.string(),
        ": holds no row; one JSON object a line is expected");
}

FileRow RowFile::row(int64_t index) const {
  try {
    return parse_row(std::string(begins_.at(static_cast<size_t>(index))),
                     file_.path().parent_path());
  } catch (const Error& error) {
    fail(error.code(), place(index), ": ", error.what());
  }
}

std::string RowFile::place(int64_t index) const {
  return file_.path().string() + ", line " + std::to_string(lines_.at(static_cast<size_t>(index)));
}

DrawRow draw_row(const FileRow& row, const PromptBuilder& prompts, const Config& config) {
  DrawRow out;
  if (row.task == "edit") {
    out = edit_row(prompts, row.prompt, load_upright(row.source), config);
  } else {
    out.prompt = prompts.draw(row.prompt);
  }
  out.covered.assign(static_cast<size_t>(config.image_tokens()), false);  // nobody knows
  if (row.target.empty()) {
    check(std::ssize(row.codes) == config.image_tokens(), Code::bad_input, row.codes.size(),
          " target_codes, the model draws ", config.image_tokens());
    for (const int64_t code : row.codes) {
      check(code >= 0 && code < config.vq.codes, Code::bad_input, "target code ", code,
            " is outside 0..", config.vq.codes - 1);
    }
    out.codes = row.codes;
  } else {
    append_pixels(cover_and_crop(load_upright(row.target), config.image), 0, 0, config.image,
                  out.pixels);
  }
  return out;
}

AskRow ask_row(const FileRow& row, const PromptBuilder& prompts, const Config& config) {
  AskRow out;
  out.dialogue = teach(prompts, row.messages, row.system);
  for (const fs::path& path : row.images) append_picture(path, config, out.pixels);
  return out;
}

}  // namespace janus::train
