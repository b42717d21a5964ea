// Reading. The header is walked once and nothing of it is copied but names: a value is a view of
// the map, so that memory stays within a small multiple of the header whatever it claims.
// SPDX-License-Identifier: MIT
#include "io/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"

namespace janus {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kMagic = "GGUF";
constexpr uint32_t kOldestVersion = 2, kVersion = 3;
constexpr uint64_t kMaxKey = 65535;  // bytes, as the format says
constexpr uint64_t kMaxName = 64;    // of a tensor
constexpr uint32_t kMaxRank = 4;     // GGML_MAX_DIMS
constexpr int kMaxNesting = 4;       // lists in lists
constexpr int64_t kMaxAlignment = 1 << 20;
constexpr size_t kMaxListed = 64;  // numbers of a list in section()
constexpr int kMaxParts = 8;       // of a name there

// Bytes of one value; 0 for texts and lists.
uint64_t size_of(GgufKind kind) {
  switch (kind) {
    case GgufKind::u8:
    case GgufKind::i8:
    case GgufKind::boolean:
      return 1;
    case GgufKind::u16:
    case GgufKind::i16:
      return 2;
    case GgufKind::u32:
    case GgufKind::i32:
    case GgufKind::f32:
      return 4;
    case GgufKind::u64:
    case GgufKind::i64:
    case GgufKind::f64:
      return 8;
    case GgufKind::text:
    case GgufKind::list:
      break;
  }
  return 0;
}

const char* name_of(GgufKind kind) {
  constexpr std::array<const char*, 13> names = {"u8",  "i8",  "u16",  "i16",    "u32",
                                                 "i32", "f32", "bool", "a text", "a list",
                                                 "u64", "i64", "f64"};
  return names[static_cast<size_t>(kind)];
}

template <class T>
T at(std::span<const std::byte> bytes, size_t index = 0) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof value, sizeof value);
  return value;
}

// Element `index` of whole numbers, however they are kept; nothing for other kinds and for what an
// int64_t does not hold.
std::optional<int64_t> whole_at(GgufKind kind, std::span<const std::byte> bytes, size_t index = 0) {
  switch (kind) {
    case GgufKind::u8:
      return at<uint8_t>(bytes, index);
    case GgufKind::i8:
      return at<int8_t>(bytes, index);
    case GgufKind::u16:
      return at<uint16_t>(bytes, index);
    case GgufKind::i16:
      return at<int16_t>(bytes, index);
    case GgufKind::u32:
      return at<uint32_t>(bytes, index);
    case GgufKind::i32:
      return at<int32_t>(bytes, index);
    case GgufKind::i64:
      return at<int64_t>(bytes, index);
    case GgufKind::u64:
      if (at<uint64_t>(bytes, index) > INT64_MAX) return std::nullopt;
      return static_cast<int64_t>(at<uint64_t>(bytes, index));
    default:
      return std::nullopt;
  }
}

Json number_at(GgufKind kind, std::span<const std::byte> bytes, size_t index = 0) {
  if (kind == GgufKind::f32) return static_cast<double>(at<float>(bytes, index));
  if (kind == GgufKind::f64) return at<double>(bytes, index);
  if (kind == GgufKind::boolean) return at<uint8_t>(bytes, index) != 0;
  if (kind == GgufKind::u64) return at<uint64_t>(bytes, index);
  return *whole_at(kind, bytes, index);
}

// The texts of a checked list.
std::vector<std::string_view> texts_of(std::span<const std::byte> bytes, uint64_t count) {
  std::vector<std::string_view> texts;
  texts.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const auto length = at<uint64_t>(bytes);
    texts.emplace_back(reinterpret_cast<const char*>(bytes.data() + sizeof length), length);
    bytes = bytes.subspan(sizeof length + length);
  }
  return texts;
}

}  // namespace

// Walks the header from front to back.
class GgufFile::Reader {
 public:
  explicit Reader(const MappedFile& file) : file_(file), bytes_(file.bytes()) {}

  size_t place() const { return place_; }

  // What is read next is `what` of the key or tensor `whose`, for messages.
  template <class T>
  T number(const char* what, std::string_view whose = {}) {
    T value;
    std::memcpy(&value, take(sizeof value, what, whose).data(), sizeof value);
    return value;
  }

  std::string_view text(const char* what, std::string_view whose = {}, uint64_t most = UINT64_MAX) {
    const auto length = number<uint64_t>(what, whose);
    if (length > most) refuse(what, whose, " has ", length, " bytes, above ", most);
    const auto bytes = take(length, what, whose);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  // A count of things of at least `least` bytes each.
  uint64_t count(const char* what, std::string_view whose, uint64_t least) {
    const auto stated = number<uint64_t>(what, whose);
    const uint64_t room = (bytes_.size() - place_) / least;
    if (stated > room) refuse(what, whose, " is ", stated, ", and there is room for ", room);
    return stated;
  }

  Value value(std::string_view key) {
    Value value{.kind = kind(key), .elements = {}, .bytes = {}};
    size_t begin = place_;
    if (value.kind == GgufKind::list) {
      value.kind = kind(key);
      value.elements = count("the length of ", key, least_of(value.kind));
      begin = place_;
      skip(value.kind, *value.elements, key, 1);
    } else {
      skip(value.kind, 1, key, 0);
    }
    value.bytes = bytes_.subspan(begin, place_ - begin);
    return value;
  }

  Entry entry() {
    Entry entry{.name = std::string(text("the name of a tensor", {}, kMaxName)), .shape = {}};
    if (entry.name.empty()) refuse("a tensor has no name");
    const auto rank = number<uint32_t>("the rank of ", entry.name);
    if (rank > kMaxRank) refuse(entry.name, " has ", rank, " dimensions, above ", kMaxRank);
    for (uint32_t d = 0; d < rank; ++d) {
      const auto size = number<uint64_t>("the shape of ", entry.name);
      if (size == 0 || size > INT64_MAX) refuse(entry.name, " has a dimension of size ", size);
      entry.shape.insert(entry.shape.begin(), static_cast<int64_t>(size));
    }
    entry.type = number<uint32_t>("the type of ", entry.name);
    entry.offset = number<uint64_t>("the place of ", entry.name);
    return entry;
  }

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... what) const {
    fail(Code::bad_checkpoint, file_.path(), " is not a usable .gguf: ", what...,
         "; it is damaged or was cut short: download, copy or make it again");
  }

 private:
  static uint64_t least_of(GgufKind kind) {
    return kind == GgufKind::text ? 8 : kind == GgufKind::list ? 12 : size_of(kind);
  }

  std::span<const std::byte> take(uint64_t length, const char* what, std::string_view whose) {
    if (length > bytes_.size() - place_) {
      refuse(what, whose, " reaches past its end at byte ", bytes_.size());
    }
    place_ += length;
    return bytes_.subspan(place_ - length, length);
  }

  GgufKind kind(std::string_view key) {
    const auto stated = number<uint32_t>("the kind of ", key);
    if (stated > static_cast<uint32_t>(GgufKind::f64)) {
      refuse(key, " is of kind ", stated, ", which the format has not");
    }
    return static_cast<GgufKind>(stated);
  }

  // Steps over `count` values, for which there is room if they are of fixed size.
  void skip(GgufKind what, uint64_t count_of_them, std::string_view key, int nesting) {
    if (what == GgufKind::text) {
      for (uint64_t i = 0; i < count_of_them; ++i) text("a text of ", key);
    } else if (what == GgufKind::list) {
      if (nesting >= kMaxNesting) refuse(key, " has lists in lists deeper than ", kMaxNesting);
      for (uint64_t i = 0; i < count_of_them; ++i) {
        const GgufKind inner = kind(key);
        skip(inner, count("the length of ", key, least_of(inner)), key, nesting + 1);
      }
    } else {
      take(count_of_them * size_of(what), "the value of ", key);
    }
  }

  const MappedFile& file_;
  std::span<const std::byte> bytes_;
  size_t place_ = 0;
};

namespace {

void check_version(const std::filesystem::path& path, uint32_t version) {
  check(version != 1, Code::not_supported, path,
        " is a .gguf of version 1, from before October 2023; make it again with a current program");
  const bool swapped = (version & 0xffff) == 0 && version != 0;
  check(!swapped, Code::not_supported, path,
        " is a big-endian .gguf; take the little-endian file, or convert the checkpoint again");
  check(version >= kOldestVersion && version <= kVersion, Code::not_supported, path,
        " is a .gguf of version ", version, "; this program reads versions 2 and 3");
}

void check_whole(const GgufFile& file) {
  const int64_t parts = file.whole("split.count").value_or(1);
  check(parts <= 1, Code::not_supported, file.path(), " is one of ", parts,
        " parts of a split .gguf; join them first (llama-gguf-split --merge)");
}

}  // namespace

GgufFile::GgufFile(const std::filesystem::path& path)
    : file_(std::make_shared<const MappedFile>(path)) {
  const auto bytes = file_->bytes();
  Reader reader(*file_);
  if (!is_gguf({reinterpret_cast<const char*>(bytes.data()), bytes.size()})) {
    reader.refuse("it does not begin with ", kMagic);
  }
  reader.number<uint32_t>("the first word");
  check_version(path, reader.number<uint32_t>("the version"));
  const uint64_t tensors = reader.count("the number of tensors", {}, 24);
  const uint64_t values = reader.count("the number of keys", {}, 13);
  for (uint64_t i = 0; i < values; ++i) {
    const std::string key(reader.text("a key", {}, kMaxKey));
    if (key.empty()) reader.refuse("a key has no name");
    const bool fresh = values_.emplace(key, reader.value(key)).second;
    if (!fresh) reader.refuse("it has the key ", key.substr(0, 80), " twice");
  }
  check_whole(*this);
  std::set<std::string> names;
  for (uint64_t i = 0; i < tensors; ++i) {
    entries_.push_back(reader.entry());
    const std::string& name = entries_.back().name;
    if (!names.insert(name).second) reader.refuse("it has the tensor ", name, " twice");
  }
  const int64_t alignment = whole("general.alignment").value_or(32);
  if (alignment < 1 || alignment > kMaxAlignment ||
      !std::has_single_bit(static_cast<uint64_t>(alignment))) {
    reader.refuse("general.alignment is ", alignment, ", not a power of two up to ", kMaxAlignment);
  }
  alignment_ = static_cast<uint64_t>(alignment);
  data_begin_ = (reader.place() + alignment_ - 1) / alignment_ * alignment_;
}

std::string GgufFile::name() const { return path().string(); }

const GgufFile::Value* GgufFile::find(const std::string& key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

void GgufFile::refuse_kind(const std::string& key, const Value& value, const char* wanted) const {
  fail(Code::bad_checkpoint, path(), ": ", key, " is ", value.elements ? "a list of " : "",
       name_of(value.kind), ", expected ", wanted);
}

std::optional<std::string_view> GgufFile::text(const std::string& key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->elements || value->kind != GgufKind::text) refuse_kind(key, *value, "a text");
  return texts_of(value->bytes, 1).front();
}

std::optional<int64_t> GgufFile::whole(const std::string& key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto result = value->elements ? std::nullopt : whole_at(value->kind, value->bytes);
  if (!result) refuse_kind(key, *value, "a whole number");
  return result;
}

std::vector<std::string_view> GgufFile::texts(const std::string& key) const {
  const Value* value = find(key);
  if (value == nullptr) return {};
  if (!value->elements || value->kind != GgufKind::text)
    refuse_kind(key, *value, "a list of texts");
  return texts_of(value->bytes, *value->elements);
}

std::vector<int64_t> GgufFile::wholes(const std::string& key) const {
  const Value* value = find(key);
  if (value == nullptr) return {};
  std::vector<int64_t> result;
  for (uint64_t i = 0; i < value->elements.value_or(1); ++i) {
    const auto number =
        value->elements ? whole_at(value->kind, value->bytes, i) : std::optional<int64_t>();
    if (!number) refuse_kind(key, *value, "a list of whole numbers");
    result.push_back(*number);
  }
  return result;
}

Json GgufFile::section(const std::string& prefix) const {
  Json root = Json::object();
  const std::string start = prefix + ".";
  for (auto entry = values_.lower_bound(start);
       entry != values_.end() && entry->first.starts_with(start); ++entry) {
    const auto& [key, value] = *entry;
    const bool too_deep =
        std::count(key.begin() + static_cast<ptrdiff_t>(start.size()), key.end(), '.') >= kMaxParts;
    const bool plain = value.elements ? size_of(value.kind) > 0 && *value.elements <= kMaxListed
                                      : value.kind != GgufKind::list;
    if (too_deep || !plain) continue;
    Json* place = &root;
    size_t begin = start.size();
    for (size_t dot; (dot = key.find('.', begin)) != std::string::npos; begin = dot + 1) {
      place = &(*place)[key.substr(begin, dot - begin)];
      check(place->is_null() || place->is_object(), Code::bad_checkpoint, path(), ": ", key,
            " and ", key.substr(0, dot), " contradict each other; is the file damaged?");
    }
    Json& slot = (*place)[key.substr(begin)];
    check(slot.is_null(), Code::bad_checkpoint, path(), ": ", key,
          " contradicts another key; is the file damaged?");
    if (value.elements) {
      slot = Json::array();
      for (uint64_t i = 0; i < *value.elements; ++i) {
        slot.push_back(number_at(value.kind, value.bytes, i));
      }
    } else if (value.kind == GgufKind::text) {
      slot = std::string(texts_of(value.bytes, 1).front());
    } else {
      slot = number_at(value.kind, value.bytes);
    }
  }
  return root;
}

bool is_gguf(std::string_view head) { return head.starts_with(kMagic); }

}  // namespace janus
