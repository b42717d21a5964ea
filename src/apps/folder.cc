// See folder.h. SPDX-License-Identifier: MIT
#include "apps/folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

#include "apps/answer.h"
#include "apps/command.h"
#include "base/error.h"
#include "io/picture_name.h"
#include "io/utf8.h"

namespace janus {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBegin = "{\"image\":";  // of every line written here

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

bool is_picture(const fs::directory_entry& entry) {
  std::error_code none;
  return !entry.is_directory(none) && is_picture_name(entry.path());
}

template <class Iterator>
std::vector<fs::path> collect(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  fs::path last = folder;
  Iterator entry(folder, error);
  for (; !error && entry != Iterator(); entry.increment(error)) {
    last = entry->path();
    if (is_hidden(last)) {
      if constexpr (requires { entry.disable_recursion_pending(); }) {
        entry.disable_recursion_pending();
      }
    } else if (is_picture(*entry)) {
      found.push_back(last.lexically_normal());
    }
  }
  check(!error, Code::bad_input, last.string(), ": cannot be read: ", error.message());
  return found;
}

}  // namespace

std::vector<fs::path> pictures_in(const fs::path& folder, bool recursive) {
  const fs::path normal = folder.lexically_normal();
  std::error_code none;
  check(fs::is_directory(normal, none), Code::bad_input, folder.string(), ": is not a folder",
        fs::exists(normal, none) ? "; a single picture is given with -i" : ": there is none");
  std::vector<fs::path> found = recursive ? collect<fs::recursive_directory_iterator>(normal)
                                          : collect<fs::directory_iterator>(normal);
  check(!found.empty(), Code::bad_input, folder.string(),
        ": holds no picture (.png, .jpg, .webp, .gif, .bmp)",
        recursive ? "" : "; --recursive looks into its folders");
  std::sort(found.begin(), found.end());
  return found;
}

std::string shown(const fs::path& path) { return as_utf8(path.string()); }

AnswerFile::AnswerFile(const fs::path& path) : path_(path) {
  std::error_code none;
  const bool open_line = fs::is_regular_file(path_, none) && read();
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  check(fd_ >= 0, Code::device_failure, path_.string(),
        ": cannot be written to: ", std::strerror(errno));
  if (open_line) write_all(fd_, "\n", path_.c_str());
}

AnswerFile::~AnswerFile() { ::close(fd_); }

bool AnswerFile::read() {
  std::ifstream file(path_);
  check(file.is_open(), Code::bad_input, path_.string(),
        ": cannot be read: ", std::strerror(errno));
  size_t number = 0;
  uintmax_t whole = 0;  // bytes of the lines before this one
  for (std::string line; std::getline(file, line); whole += line.size() + 1) {
    ++number;
    const bool cut = file.eof();  // no newline at its end
    const auto json = nlohmann::json::parse(line, nullptr, false);
    const bool good = json.is_object() && json.contains("image") && json["image"].is_string();
    if (cut && !good && kBegin.starts_with(line.substr(0, kBegin.size()))) {
      std::error_code error;
      fs::resize_file(path_, whole, error);
      check(!error, Code::device_failure, path_.string(),
            ": cannot take its half-written last line away: ", error.message());
      return false;
    }
    check(good, Code::bad_input, path_.string(), ": line ", number,
          " is not an answer of `ask --images`; choose another file with -o");
    const auto question = json.find("question");
    const bool answered = json.contains("text") && question != json.end() && question->is_string();
    if (answered) answered_.emplace(json["image"], *question);
    if (cut) return true;
  }
  check(!file.bad(), Code::bad_input, path_.string(), ": cannot be read: ", std::strerror(errno));
  return false;
}

bool AnswerFile::answers(const std::string& image, const std::string& question) const {
  return answered_.contains({image, question});
}

void AnswerFile::append(const nlohmann::ordered_json& line) {
  write_all(fd_, json_line(line), path_.c_str());
}

}  // namespace janus
