// .gguf, version 3: metadata and tensors in one mapped file. A bounds-checked reader and a
// streaming writer; what keys and tensors mean is model/config_gguf and model/checkpoint.
// Format: ggml-org/ggml, docs/gguf.md. Counts are little-endian; a tensor's sizes stand innermost
// first in the file and outermost first here.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/stored.h"

namespace janus {

// Kinds of metadata values, by their numbers in the file.
enum class GgufKind : uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  text,
  list,
  u64,
  i64,
  f64
};

class GgufFile {
 public:
  // Reads everything in front of the tensors' bytes. Throws Code::bad_checkpoint for what is not a
  // well-formed header: counts and lengths past the end of the file, a key or a tensor twice, lists
  // in lists deeper than 4, an alignment that is no power of two; Code::not_supported for version
  // 1, big-endian files and files split into several; Code::bad_input for a path that cannot be
  // read.
  explicit GgufFile(const std::filesystem::path& path);

  std::string name() const;  // for messages: the path
  const std::filesystem::path& path() const { return file_->path(); }

  // The value of a key; nothing where there is none. Throws Code::bad_checkpoint naming file and
  // key for a value of another kind.
  std::optional<std::string_view> text(const std::string& key) const;
  std::optional<int64_t> whole(const std::string& key) const;
  // Empty where there is no such key.
  std::vector<std::string_view> texts(const std::string& key) const;
  std::vector<int64_t> wholes(const std::string& key) const;

  // What is stated under `prefix` as one JSON object: "prefix.a.b" is ["a"]["b"]. Lists of texts,
  // lists of more than 64 numbers and names of more than 8 parts are left out.
  nlohmann::json section(const std::string& prefix) const;

  // A tensor as the header states it; whether its bytes are there is found out by tensors().
  struct Entry {
    std::string name;
    std::vector<int64_t> shape;
    uint32_t type = 0;  // ggml's number
    uint64_t offset = 0;
  };
  const std::vector<Entry>& entries() const { return entries_; }

  // The tensors with their bytes. Throws Code::not_supported for a type that Dtype lacks, named
  // with the cure; Code::bad_checkpoint for tensors that overlap, lie past the end of the file, are
  // not aligned, or whose rows are no whole blocks.
  StoredTensors tensors() const;

 private:
  class Reader;
  struct Value {
    GgufKind kind = GgufKind::u8;      // of a list: that of its elements
    std::optional<uint64_t> elements;  // of a list
    std::span<const std::byte> bytes;  // checked; what is behind a list's count
  };
  const Value* find(const std::string& key) const;
  [[noreturn]] void refuse_kind(const std::string& key, const Value& value,
                                const char* wanted) const;

  std::shared_ptr<const MappedFile> file_;
  std::map<std::string, Value, std::less<>> values_;
  std::vector<Entry> entries_;
  uint64_t alignment_ = 32;
  uint64_t data_begin_ = 0;
};

// Whether these first bytes of a file are those of a .gguf.
bool is_gguf(std::string_view head);

// "q4_K"; "type 99" for a number that is not known.
std::string ggml_type_name(uint32_t type);

// --- writing -----------------------------------------------------------------------------------

// Metadata in the order of adding. `general.alignment` is the writer's own.
class GgufMetadata {
 public:
  void text(std::string_view key, std::string_view value);
  void whole(std::string_view key, int64_t value);  // u32; i64 where it does not fit
  void number(std::string_view key, double value);  // f32 where that is exact, else f64
  void flag(std::string_view key, bool value);
  void texts(std::string_view key, std::span<const std::string> values);
  void wholes(std::string_view key, std::span<const int> values);     // i32
  void numbers(std::string_view key, std::span<const float> values);  // f32

  uint64_t count() const { return count_; }
  const std::string& bytes() const { return bytes_; }

 private:
  void begin(std::string_view key, GgufKind kind);
  void begin_list(std::string_view key, GgufKind kind, size_t count);
  template <class T>
  void put(T value);
  void put_text(std::string_view value);

  uint64_t count_ = 0;
  std::string bytes_;
};

// One file, tensor by tensor in the order given, beside `path` and renamed. Throws Code::bug for a
// name of more than 63 bytes (ggml reads no longer one), for one given twice, for a type that ggml
// lacks, and for rows that are no whole blocks. Each begins at a multiple of `alignment` bytes.
inline constexpr uint32_t kGgufAlignment = 32;
void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                const std::vector<TensorEntry>& entries, uint32_t alignment = kGgufAlignment);

}  // namespace janus
