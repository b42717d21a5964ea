// See tar_rows.h.
// SPDX-License-Identifier: MIT
#include "train/tar_rows.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "io/picture_name.h"
#include "io/tar.h"
#include "train/picture_folders.h"
#include "train/row_file.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int64_t kShards = 1'000'000;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string caption_of(const std::string& text, const std::string& json) {
  if (!text.empty() || json.empty()) return text;
  const Json row = Json::parse(json);
  for (const char* key : {"caption", "prompt", "text"}) {
    if (row.contains(key)) return row.at(key).get<std::string>();
  }
  return "";
}

std::vector<int64_t> codes_in(std::span<const std::byte> bytes) {
  check(bytes.size() % 2 == 0, Code::bad_input, "its codes are ", bytes.size(),
        " bytes, two each are expected");
  std::vector<int64_t> codes;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    codes.push_back(std::to_integer<int64_t>(bytes[i]) | std::to_integer<int64_t>(bytes[i + 1])
                                                             << 8);
  }
  return codes;
}

}  // namespace

std::vector<fs::path> shards_of(const std::string& path) {
  std::vector<fs::path> shards;
  const size_t open = path.find('{');
  const size_t dots = path.find("..", open);
  const size_t close = path.find('}', dots);
  if (open != std::string::npos && close != std::string::npos) {
    const std::string from = path.substr(open + 1, dots - open - 1);
    const std::string to = path.substr(dots + 2, close - dots - 2);
    const auto whole = [](const std::string& text) {
      return !text.empty() && text.size() < 10 &&
             text.find_first_not_of("0123456789") == std::string::npos;
    };
    check(whole(from) && whole(to) && std::stoll(from) <= std::stoll(to) &&
              std::stoll(to) - std::stoll(from) < kShards,
          Code::bad_input, path, ": {", from, "..", to, "} is no range of numbers");
    for (int64_t i = std::stoll(from); i <= std::stoll(to); ++i) {
      std::string digits = std::to_string(i);
      digits.insert(0, from.size() - std::min(from.size(), digits.size()), '0');
      shards.emplace_back(path.substr(0, open) + digits + path.substr(close + 1));
    }
    return shards;
  }
  if (!fs::is_directory(path)) return {path};
  std::error_code error;
  for (fs::directory_iterator at(path, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    if (at->path().extension() == ".tar") shards.push_back(at->path());
  }
  check(!error, Code::bad_input, path, ": ", error.message());
  check(!shards.empty(), Code::bad_input, path, ": holds no .tar");
  std::sort(shards.begin(), shards.end());
  return shards;
}

TarRows::TarRows(const Source& source) : task_(source.task), templates_(source.templates) {
  for (const fs::path& path : shards_of(source.path)) {
    shards_.emplace_back(path);
    add_shard(shards_.size() - 1);
  }
  check(!samples_.empty(), Code::bad_input, source.path, ": holds no sample");
}

void TarRows::add_shard(size_t shard) {
  const MappedFile& file = shards_[shard];
  const size_t first = samples_.size();
  TarListing listing = list_tar(file.bytes(), file.path().string());
  for (const TarFile& member : listing.files) {
    const size_t base = member.name.rfind('/') + 1;
    const size_t dot = member.name.find('.', base);
    if (dot == std::string::npos || dot == base) continue;  // hidden ones begin with it
    const std::string key = member.name.substr(0, dot);
    std::string kind = member.name.substr(dot + 1);
    std::transform(kind.begin(), kind.end(), kind.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (samples_.size() == first || samples_.back().key != key) {
      samples_.push_back({shard, key, {}, {}});
    }
    samples_.back().parts.push_back({kind, member.bytes});
  }
  if (!listing.fault.empty()) samples_.push_back({shard, "its end", {}, listing.fault});
}

FileRow TarRows::conversation(const Sample& sample, const std::string& json) const {
  Json row = Json::parse(json);
  const bool llava = row.contains("conversations");
  Json& names = row[llava ? "image" : "images"] = Json::array();
  for (const Part& part : sample.parts) {
    if (is_picture_name("x." + part.kind)) names.push_back(part.kind);
  }
  FileRow out = (llava ? parse_llava_row : parse_row)(row.dump(), {});
  for (StoredPicture& picture : out.images) {
    const auto part = std::find_if(sample.parts.begin(), sample.parts.end(), [&](const Part& one) {
      return picture.path.string() == one.kind;
    });
    picture = {sample.key + "." + part->kind, part->bytes};
  }
  check(!out.draws(), Code::bad_input,
        "its .json tells both of what is drawn and of a conversation");
  return out;
}

FileRow TarRows::row(int64_t index) const {
  const Sample& sample = samples_.at(static_cast<size_t>(index));
  check(sample.fault.empty(), Code::bad_input, "the shard is damaged: ", sample.fault);
  std::string text, json;
  StoredPicture picture;
  std::span<const std::byte> codes;
  for (const Part& part : sample.parts) {
    if (part.kind == "txt") text = trimmed(text_of(part.bytes));
    if (part.kind == "json") json = text_of(part.bytes);
    if (part.kind == "codes.u16") codes = part.bytes;
    if (picture.path.empty() && is_picture_name("x." + part.kind)) {
      picture = {sample.key + "." + part.kind, part.bytes};
    }
  }
  try {
    const Json told = json.empty() ? Json::object() : Json::parse(json);
    if (told.contains("messages") || told.contains("conversations")) {
      return conversation(sample, json);
    }
    const bool coded = task_ == Teaches::generate && !codes.empty();
    check(coded || !picture.bytes.empty(), Code::bad_input, "has no picture");
    FileRow row =
        captioned_row(task_, picture, caption_of(text, json), template_of(templates_, index));
    if (!coded) return row;
    row.target = {};
    row.codes = codes_in(codes);
    return row;
  } catch (const Json::exception& error) {
    fail(Code::bad_input, "its .json: ", error.what());
  }
}

std::string TarRows::place(int64_t index) const {
  const Sample& sample = samples_.at(static_cast<size_t>(index));
  return shards_[sample.shard].path().string() + ", " + sample.key;
}

}  // namespace janus::train
