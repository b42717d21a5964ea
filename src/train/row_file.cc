// See row_file.h.
// SPDX-License-Identifier: MIT
#include "train/row_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/special_tokens.h"
#include "io/utf8.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::string_view kMark = "<image>";
constexpr std::string_view kSpace = " \t\r\n";

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
  // Of a conversation "source" may say where it is from.
  const bool changed = row.contains("source") && (drawn || !row.contains("messages"));
  const std::string task = row.value("task", changed ? "edit"
                                             : drawn ? "generate"
                                             : read  ? "understand"
                                                     : "text");
  check(task == "generate" || task == "edit" || task == "understand" || task == "text",
        Code::bad_input, "task \"", task, "\" is none of generate, edit, understand, text");
  check(task != "text" || !read, Code::bad_input,
        "a row of the task \"text\" has \"images\"; those are of the task \"understand\"");
  return task;
}

void read_rejected(const Json& row, const fs::path& folder, FileRow& out) {
  const bool coded = out.draws() && row.contains("rejected_codes");
  check(!coded || !row.contains("rejected"), Code::bad_input,
        "\"rejected\" and \"rejected_codes\" both say what is worse; one of them is meant");
  if (coded) out.rejected_codes = row.at("rejected_codes").get<std::vector<int64_t>>();
  if (!row.contains("rejected") || row.at("rejected").is_null()) return;
  const std::string rejected = row.at("rejected");
  if (out.draws()) {
    out.rejected.path = folder / rejected;
  } else {
    out.rejected_reply = rejected;
  }
}

void read_drawing(const Json& row, const fs::path& folder, FileRow& out) {
  if (out.task == "edit") {
    check(row.contains("source"), Code::bad_input,
          "an edit says nothing of what is changed: \"source\" (a file) is missing");
    out.source.path = folder / row.at("source").get<std::string>();
  }
  if (row.contains("prompt")) {
    out.prompt = row.at("prompt");
  } else {
    const std::vector<Message> messages = messages_of(row, 0);
    check(messages.size() == 1, Code::bad_input,
          "what is drawn is told in one turn of the user's, here are ", messages.size());
    out.prompt = messages.front().text;
  }
  check(out.prompt.find_first_not_of(kSpace) != std::string::npos, Code::bad_input,
        "the prompt is blank");
  if (row.contains("target_codes") && !row.at("target_codes").is_null()) {
    out.codes = row.at("target_codes").get<std::vector<int64_t>>();
    return;
  }
  const char* key = row.contains("target") ? "target" : "image";
  check(row.contains(key), Code::bad_input,
        "says nothing of what is drawn: \"image\" (a file) or \"target_codes\" is missing");
  out.target.path = folder / row.at(key).get<std::string>();
}

FileRow read_row(const Json& row, const fs::path& folder) {
  check(row.is_object(), Code::bad_input, "is no JSON object");
  FileRow out;
  out.task = task_of(row);
  check(!row.contains("conversations"), Code::bad_input,
        "has \"conversations\", which rows of the format \"llava\" have");
  read_rejected(row, folder, out);
  if (out.draws()) {
    read_drawing(row, folder, out);
    return out;
  }
  for (const Json& path : row.value("images", Json::array())) {
    out.images.push_back({folder / path.get<std::string>()});
  }
  out.messages = messages_of(row, std::ssize(out.images));
  if (row.contains("system")) out.system = row.at("system").get<std::string>();
  check(out.messages.size() >= 2, Code::bad_input,
        "no turn of the assistant's, so nothing to learn");
  return out;
}

// In our own words.
Json translated(const Json& row) {
  check(row.is_object(), Code::bad_input, "is no JSON object");
  Json out = {{"messages", Json::array()}, {"images", Json::array()}};
  if (row.contains("image") && row.at("image").is_array()) {
    out["images"] = row.at("image");
  } else if (row.contains("image") && !row.at("image").is_null()) {
    out["images"].push_back(row.at("image"));
  }
  for (const Json& turn : row.at("conversations")) {
    const std::string from = turn.at("from");
    if (from == "system" && out.at("messages").empty()) {
      out["system"] = turn.at("value");
      continue;
    }
    const bool human = from == "human" || from == "user";
    check(human || from == "gpt" || from == "assistant", Code::bad_input, "a turn is from \"", from,
          "\", which is none of human, gpt and a system at the beginning");
    out["messages"].push_back(
        {{"role", human ? "user" : "assistant"}, {"content", turn.at("value")}});
  }
  return out;
}

template <class Read>
FileRow parsed(const std::string& text, const Read& read) {
  try {
    return read(Json::parse(text));
  } catch (const Json::exception& error) {
    fail(Code::bad_input, error.what(), "; docs/training.md shows what a row looks like");
  }
}

}  // namespace

FileRow parse_row(const std::string& line, const fs::path& folder) {
  return parsed(line, [&](const Json& row) { return read_row(row, folder); });
}

FileRow parse_llava_row(const std::string& text, const fs::path& folder) {
  return parsed(text, [&](const Json& row) { return read_row(translated(row), folder); });
}

RowFile::RowFile(const fs::path& path, RowParser parse, const fs::path& pictures)
    : file_(path), parse_(parse), pictures_(pictures.empty() ? path.parent_path() : pictures) {
  const auto bytes = file_.bytes();
  const std::string_view text =
      without_byte_order_mark({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const size_t first = text.find_first_not_of(kSpace);
  if (first != std::string_view::npos && text[first] == '[') {
    read_list(text);
  } else {
    read_lines(text);
  }
  check(!rows_.empty(), Code::bad_input, path.string(),
        ": holds no row; JSON objects are expected, one a line or in a list");
}

void RowFile::read_lines(std::string_view text) {
  for (int64_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.find_first_not_of(kSpace) != std::string_view::npos) rows_.push_back({line, number});
  }
}

// By brackets, quotes and commas alone: what an item holds is judged when it is read.
void RowFile::read_list(std::string_view text) {
  int64_t number = 1, began = 1;
  int depth = 0;
  bool quoted = false;
  size_t begin = text.find('[') + 1;  // of the item
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++number;
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
      continue;
    }
    quoted = c == '"';
    const bool closing = c == ']' || c == '}';
    if (depth == 1 && (c == ',' || closing)) {
      const std::string_view item = text.substr(begin, i - begin);
      if (item.find_first_not_of(kSpace) != std::string_view::npos) rows_.push_back({item, began});
      if (closing) return;
      begin = i + 1;
    }
    if (depth == 1 && (c == '{' || c == '[')) began = number;
    if (c == '[' || c == '{') ++depth;
    if (closing) --depth;
  }
  fail(Code::bad_input, file_.path().string(), ": the list of rows does not end; ", rows_.size(),
       " of them are whole, so the file seems to be cut off");
}

FileRow RowFile::row(int64_t index) const {
  return parse_(std::string(rows_.at(static_cast<size_t>(index)).text), pictures_);
}

std::string RowFile::place(int64_t index) const {
  return file_.path().string() + ", line " +
         std::to_string(rows_.at(static_cast<size_t>(index)).line);
}

}  // namespace janus::train
