// SPDX-License-Identifier: MIT
#include "io/mishap.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/error.h"
#include "io/utf8.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kCure = "download it again";

// What browsers, curl-like tools and download managers call a file until it is whole.
constexpr std::array<std::string_view, 6> kUnfinished = {".incomplete", ".part",     ".partial",
                                                         ".crdownload", ".download", ".aria2"};

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view without_leading_blanks(std::string_view head) {
  head = without_byte_order_mark(head);
  while (!head.empty() && is_blank(head.front())) head.remove_prefix(1);
  return head;
}

// No byte that texts lack; weights have a zero among their first.
bool is_text(std::string_view head) {
  return std::all_of(head.begin(), head.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return is_blank(c) || (byte >= 0x20 && byte != 0x7f);
  });
}

// The first line of a text, as a message can show it.
std::string first_line(std::string_view head) {
  constexpr size_t kShown = 80;
  head = head.substr(0, head.find_first_of("\r\n"));
  const bool longer = head.size() > kShown;
  return as_utf8(head.substr(0, kShown)) + (longer ? "…" : "");
}

}  // namespace

void refuse_mishap(const fs::path& path, std::string_view head) {
  check(!head.empty(), Code::bad_checkpoint, path, " is empty; ", kCure);
  check(!head.starts_with("version https://git-lfs.github.com/spec/"), Code::bad_checkpoint, path,
        " is only a Git LFS pointer, not the file itself: run `git lfs pull` in its folder, or ",
        kCure);
  check(!without_leading_blanks(head).starts_with('<'), Code::bad_checkpoint, path,
        " is a web page, not the file itself: the server answered with it, perhaps because a login "
        "or the acceptance of a licence is needed; log in and ",
        kCure);
  check(head.find_first_not_of('\0') != head.npos, Code::bad_checkpoint, path,
        " begins with zeros alone: room was made for it and not filled; ", kCure);
}

void refuse_weight_mishap(const fs::path& path, std::string_view head) {
  refuse_mishap(path, head);
  check(!is_text(head), Code::bad_checkpoint, path, " is a text, not weights: it begins \"",
        first_line(without_leading_blanks(head)),
        "\"; that is perhaps what the server answered: ", kCure);
}

std::string unfinished_downloads(const fs::path& folder) {
  std::set<std::string> found;
  std::error_code ignored;
  for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    for (const std::string_view ending : kUnfinished) {
      if (name.ends_with(ending)) found.insert(name);
    }
  }
  if (found.empty()) return "";
  std::string names;
  for (const std::string& name : found) names += (names.empty() ? "" : ", ") + name;
  return "; unfinished in the same folder: " + names;
}

}  // namespace janus
