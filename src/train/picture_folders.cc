// See picture_folders.h.
// SPDX-License-Identifier: MIT
#include "train/picture_folders.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <system_error>

#include "base/error.h"
#include "io/file.h"
#include "io/picture_name.h"
#include "io/utf8.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kCaptionBytes = 1'000'000;

bool hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

// In the order of their paths, so that the order is the same on every file system.
std::vector<fs::path> pictures_below(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, fs::directory_options::follow_directory_symlink,
                                      error);
  check(!error, Code::bad_input, folder.string(), ": ", error.message());
  while (at != fs::recursive_directory_iterator()) {
    if (hidden(at->path())) {
      at.disable_recursion_pending();
    } else if (is_picture_name(at->path()) &&
               !at->is_directory(error)) {  // be it a link to nothing
      found.push_back(at->path());
    }
    at.increment(error);
    check(!error, Code::bad_input, folder.string(), ": ", error.message());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// "n01440764 tench, Tinca tinca": of several names the first.
std::map<std::string, std::string> read_names(const fs::path& file) {
  std::map<std::string, std::string> names;
  if (!fs::exists(file)) return names;
  std::istringstream lines(read_text(file));
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    line = trimmed(line);
    if (line.empty()) continue;
    const size_t space = line.find_first_of(" \t");
    check(space != std::string::npos, Code::bad_input, file.string(), ", line ", number, ": \"",
          line, "\" is no folder and its name, with a space between");
    const std::string name = line.substr(space);
    names[line.substr(0, space)] = trimmed(name.substr(0, name.find(',')));
  }
  return names;
}

std::vector<fs::path> folders_in(const fs::path& root) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (fs::directory_iterator at(root, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    if (at->is_directory() && !hidden(at->path())) folders.push_back(at->path());
  }
  check(!error, Code::bad_input, root.string(), ": ", error.message());
  std::sort(folders.begin(), folders.end());
  return folders;
}

}  // namespace

std::string trimmed(const std::string& text) {
  constexpr const char* kSpace = " \t\r\n";
  const std::string_view words = without_byte_order_mark(text);
  const size_t begin = words.find_first_not_of(kSpace);
  if (begin == std::string::npos) return "";
  return std::string(words.substr(begin, words.find_last_not_of(kSpace) - begin + 1));
}

const std::string& template_of(const std::vector<std::string>& templates, int64_t index) {
  return templates[static_cast<size_t>(index) % templates.size()];
}

PictureFolder::PictureFolder(const Source& source)
    : task_(source.task), templates_(source.templates), pictures_(pictures_below(source.path)) {
  check(!pictures_.empty(), Code::bad_input, source.path,
        ": holds no picture (.png .jpg .jpeg .webp .gif .bmp); for each, x.png, its text is x.txt");
  const bool told = std::any_of(pictures_.begin(), pictures_.end(), [](fs::path picture) {
    return fs::exists(picture.replace_extension(".txt"));
  });
  check(told, Code::bad_input, source.path, ": none of its ", pictures_.size(),
        " pictures has a text beside it, as ",
        fs::path(pictures_.front()).replace_extension(".txt"),
        " would be; of folders named after classes the format is \"classes\"");
}

FileRow PictureFolder::row(int64_t index) const {
  const fs::path& picture = pictures_.at(static_cast<size_t>(index));
  const fs::path text = fs::path(picture).replace_extension(".txt");
  check(fs::exists(text), Code::bad_input, "has no text beside it, ", text.filename());
  return captioned_row(task_, {picture}, trimmed(read_text(text, kCaptionBytes)),
                       template_of(templates_, index));
}

std::string PictureFolder::place(int64_t index) const {
  return pictures_.at(static_cast<size_t>(index)).string();
}

ClassFolders::ClassFolders(const Source& source)
    : task_(source.task), templates_(source.templates) {
  const fs::path root = source.path;
  const std::map<std::string, std::string> told = read_names(root / "classes.txt");
  for (const fs::path& folder : folders_in(root)) {
    const std::string key = folder.filename().string();
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', ' ');
    if (const auto found = told.find(key); found != told.end()) name = found->second;
    for (fs::path& picture : pictures_below(folder)) {
      pictures_.push_back({std::move(picture), names_.size()});
    }
    names_.push_back(std::move(name));
  }
  check(!pictures_.empty(), Code::bad_input, source.path,
        ": holds no folder with pictures; of each class they lie in one of its name, ball/x.jpg");
}

FileRow ClassFolders::row(int64_t index) const {
  const Picture& picture = pictures_.at(static_cast<size_t>(index));
  return captioned_row(task_, {picture.path}, names_[picture.name], template_of(templates_, index));
}

std::string ClassFolders::place(int64_t index) const {
  return pictures_.at(static_cast<size_t>(index)).path.string();
}

}  // namespace janus::train
