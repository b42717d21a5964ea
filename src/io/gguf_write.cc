// Writing. See gguf.h. SPDX-License-Identifier: MIT
#include <cstring>
#include <set>

#include "base/error.h"
#include "io/gguf.h"

namespace janus {
namespace {

constexpr uint32_t kVersion = 3;
constexpr size_t kMaxName = 63;  // GGML_MAX_NAME without its closing zero

uint64_t padding_after(uint64_t size, uint64_t alignment) {
  return (alignment - size % alignment) % alignment;
}

// The entry as the header has it.
void put_entry(std::string& header, const TensorEntry& entry, uint64_t offset) {
  const auto put = [&](auto value) {
    header.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  put(uint64_t{entry.name.size()});
  header += entry.name;
  put(static_cast<uint32_t>(entry.shape.size()));
  for (size_t d = entry.shape.size(); d-- > 0;) put(static_cast<uint64_t>(entry.shape[d]));
  put(static_cast<uint32_t>(traits(entry.dtype).ggml));
  put(offset);
}

void check_entry(const TensorEntry& entry, std::set<std::string_view>& names) {
  check(entry.name.size() <= kMaxName, Code::bug, "the tensor name ", entry.name, " has ",
        entry.name.size(), " bytes; ", kMaxName, " are read");
  check(names.insert(entry.name).second, Code::bug, "two tensors are named ", entry.name);
  const DtypeTraits type = traits(entry.dtype);
  check(type.ggml >= 0, Code::bug, "tensor ", entry.name, " is of type ", type.name,
        ", which a .gguf lacks");
  check(type.block == 1 || (!entry.shape.empty() && entry.shape.back() % type.block == 0),
        Code::bug, "rows of tensor ", entry.name, " ", shape_text(entry.shape),
        " are no whole blocks of ", type.name);
}

}  // namespace

template <class T>
void GgufMetadata::put(T value) {
  bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void GgufMetadata::put_text(std::string_view value) {
  put(uint64_t{value.size()});
  bytes_ += value;
}

void GgufMetadata::begin(std::string_view key, GgufKind kind) {
  ++count_;
  put_text(key);
  put(kind);
}

void GgufMetadata::begin_list(std::string_view key, GgufKind kind, size_t count) {
  begin(key, GgufKind::list);
  put(kind);
  put(uint64_t{count});
}

void GgufMetadata::text(std::string_view key, std::string_view value) {
  begin(key, GgufKind::text);
  put_text(value);
}

void GgufMetadata::whole(std::string_view key, int64_t value) {
  const bool fits = value >= 0 && value <= UINT32_MAX;
  begin(key, fits ? GgufKind::u32 : GgufKind::i64);
  fits ? put(static_cast<uint32_t>(value)) : put(value);
}

void GgufMetadata::number(std::string_view key, double value) {
  const auto narrow = static_cast<float>(value);
  const bool exact = static_cast<double>(narrow) == value;
  begin(key, exact ? GgufKind::f32 : GgufKind::f64);
  exact ? put(narrow) : put(value);
}

void GgufMetadata::flag(std::string_view key, bool value) {
  begin(key, GgufKind::boolean);
  put(static_cast<uint8_t>(value));
}

void GgufMetadata::texts(std::string_view key, std::span<const std::string> values) {
  begin_list(key, GgufKind::text, values.size());
  for (const std::string& value : values) put_text(value);
}

void GgufMetadata::wholes(std::string_view key, std::span<const int> values) {
  begin_list(key, GgufKind::i32, values.size());
  for (const int value : values) put(int32_t{value});
}

void GgufMetadata::numbers(std::string_view key, std::span<const float> values) {
  begin_list(key, GgufKind::f32, values.size());
  for (const float value : values) put(value);
}

void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                const std::vector<TensorEntry>& entries, uint32_t alignment) {
  GgufMetadata own;
  own.whole("general.alignment", alignment);
  std::string header = "GGUF";
  const auto put = [&](auto value) {
    header.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  put(kVersion);
  put(uint64_t{entries.size()});
  put(metadata.count() + own.count());
  header += metadata.bytes() + own.bytes();
  std::set<std::string_view> names;
  uint64_t offset = 0;
  for (const TensorEntry& entry : entries) {
    check_entry(entry, names);
    put_entry(header, entry, offset);
    const auto size = static_cast<uint64_t>(entry.bytes());
    offset += size + padding_after(size, alignment);
  }
  header.append(padding_after(header.size(), alignment), '\0');

  AtomicFile file(path);
  file.write(header);
  for (const TensorEntry& entry : entries) {
    int64_t left = entry.bytes();
    entry.produce([&](std::span<const std::byte> piece) {
      left -= static_cast<int64_t>(piece.size());
      file.write(piece);
    });
    check(left == 0, Code::bug, "tensor ", entry.name, " is written with ", -left,
          " bytes too many");
    file.write(std::string(padding_after(static_cast<uint64_t>(entry.bytes()), alignment), '\0'));
  }
  file.commit();
}

}  // namespace janus
