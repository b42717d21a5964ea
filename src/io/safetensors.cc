// The safetensors header is read as a stream of JSON events, never as a tree: what is not part of
// the format is refused where it appears, so that a hostile header costs no more memory than its
// own size.
// SPDX-License-Identifier: MIT
#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"

namespace janus {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kMaxHeader = 100'000'000;  // the reference implementation's own limit
constexpr size_t kMaxRank = 8;
constexpr size_t kMaxName = 4096;
constexpr size_t kPrefix = 8;  // bytes of the header's size

// One entry as the header states it; offsets count from the end of the header.
struct Entry {
  std::string name;
  std::optional<Dtype> dtype;
  std::vector<uint64_t> shape;
  std::vector<uint64_t> offsets;
  bool has_shape = false;
};

std::optional<Dtype> dtype_named(const std::string& name) {
  for (const Dtype type : kDtypes) {
    if (!name.empty() && traits(type).safetensors_name == name) return type;
  }
  return std::nullopt;
}

// The states of a header: which part of `{name: {field: value}}` is being read.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const std::filesystem::path& path) : path_(path) {}

  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;

  bool start_object(size_t) override {
    if (at_ == At::start) {
      at_ = At::names;
    } else if (at_ == At::names && in_metadata_) {
      at_ = At::metadata;
    } else if (at_ == At::names && !name_.empty()) {
      entries.push_back({.name = name_, .dtype = {}, .shape = {}, .offsets = {}});
      at_ = At::fields;
    } else {
      unexpected("an object");
    }
    return true;
  }
  bool key(std::string& text) override {
    if (at_ == At::names) {
      in_metadata_ = text == "__metadata__";
      refuse_if(text.empty() || text.size() > kMaxName, "a tensor has no name or an endless one");
    } else if (at_ == At::fields) {
      refuse_if(text != "dtype" && text != "shape" && text != "data_offsets",
                "'" + name_ + "' has the unknown field '" + text + "'");
    }
    (at_ == At::names ? name_ : field_) = text;
    return true;
  }
  bool end_object() override {
    if (at_ == At::fields) {
      const Entry& entry = entries.back();
      refuse_if(!entry.dtype || !entry.has_shape || entry.offsets.size() != 2,
                "'" + entry.name + "' lacks dtype, shape or two data_offsets");
    }
    at_ = at_ == At::names ? At::end : At::names;
    return true;
  }
  bool start_array(size_t) override {
    if (at_ != At::fields || field_ == "dtype") unexpected("a list");
    Entry& entry = entries.back();
    refuse_if(field_ == "shape" ? entry.has_shape : !entry.offsets.empty(),
              "'" + entry.name + "' states '" + field_ + "' twice");
    entry.has_shape = entry.has_shape || field_ == "shape";
    at_ = At::numbers;
    return true;
  }
  bool end_array() override {
    at_ = At::fields;
    return true;
  }
  bool number_unsigned(uint64_t value) override {
    if (at_ != At::numbers) unexpected("a number");
    const bool shape = field_ == "shape";
    auto& list = shape ? entries.back().shape : entries.back().offsets;
    refuse_if(list.size() == (shape ? kMaxRank : 2),
              "'" + name_ + "' has too many numbers in '" + field_ + "'");
    list.push_back(value);
    return true;
  }
  bool string(std::string& text) override {
    if (at_ == At::metadata) {
      metadata[field_] = text;
    } else if (at_ == At::fields && field_ == "dtype") {
      Entry& entry = entries.back();
      refuse_if(entry.dtype.has_value(), "'" + name_ + "' states 'dtype' twice");
      entry.dtype = dtype_named(text);
      if (!entry.dtype) {
        fail(Code::not_supported, path_, ": tensor '", name_, "' is of type ", text,
             "; this program reads F32, F16, BF16, I64, I32 and U8");
      }
    } else {
      unexpected("a text");
    }
    return true;
  }
  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(int64_t) override { return unexpected("a negative number"); }
  bool number_float(double, const std::string&) override { return unexpected("a fraction"); }
  bool binary(Json::binary_t&) override { return unexpected("binary data"); }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    refuse_if(true, "its header is not valid JSON at byte " + std::to_string(position));
    return false;
  }

 private:
  enum class At { start, names, metadata, fields, numbers, end };

  void refuse_if(bool wrong, const std::string& what) const {
    check(!wrong, Code::bad_checkpoint, path_, " is not a usable safetensors file: ", what,
          "; it is damaged or was not written as safetensors");
  }
  bool unexpected(const char* what) const {
    refuse_if(true, std::string("its header has ") + what + " near '" + name_ +
                        "' where the format has none");
    return false;
  }

  const std::filesystem::path& path_;
  At at_ = At::start;
  bool in_metadata_ = false;
  std::string name_;
  std::string field_;
};

// Bytes of a tensor as its shape and type say; refuses what overflows.
uint64_t stated_bytes(const std::filesystem::path& path, const Entry& entry) {
  auto bytes = static_cast<uint64_t>(traits(*entry.dtype).bytes);
  bool overflow = false;
  bool empty = false;
  for (const uint64_t size : entry.shape) {
    empty = empty || size == 0;
    overflow = overflow || size > static_cast<uint64_t>(INT64_MAX) ||
               __builtin_mul_overflow(bytes, std::max<uint64_t>(size, 1), &bytes);
  }
  check(!overflow && bytes <= static_cast<uint64_t>(INT64_MAX), Code::bad_checkpoint, path,
        ": tensor '", entry.name, "' claims more elements than a file can hold");
  return empty ? 0 : bytes;
}

// A download that stopped early: the header promises more than there is.
void check_whole(const std::filesystem::path& path, const std::vector<Entry>& entries,
                 uint64_t size) {
  uint64_t promised = 0;
  size_t lost = 0;
  for (const Entry& entry : entries) {
    promised = std::max(promised, entry.offsets[1]);
    lost += entry.offsets[1] > size ? 1 : 0;
  }
  check(lost == 0, Code::bad_checkpoint, path, " was cut short: its tensors take ", promised,
        " bytes and ", size, " are there, so that ", lost, " of ", entries.size(),
        " are not whole; download or copy it again");
}

// Offsets must lie end to end in file order, from the header to the end of the file.
void check_layout(const std::filesystem::path& path, std::vector<Entry>& entries, uint64_t size) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.offsets[0], a.offsets[1]) < std::tie(b.offsets[0], b.offsets[1]);
  });
  check_whole(path, entries, size);
  uint64_t expected = 0;
  for (const Entry& entry : entries) {
    const uint64_t begin = entry.offsets[0];
    const uint64_t end = entry.offsets[1];
    const auto refuse_if = [&](bool wrong, const char* what) {
      check(!wrong, Code::bad_checkpoint, path, ": tensor '", entry.name, "' at bytes ", begin,
            " to ", end, " ", what);
    };
    refuse_if(begin > end, "ends before it begins");
    refuse_if(begin < expected, "overlaps the tensor before it");
    refuse_if(begin > expected, "leaves a gap before it");
    refuse_if(end - begin != stated_bytes(path, entry),
              "has another size than its shape and type say");
    expected = end;
  }
  check(expected == size, Code::bad_checkpoint, path, " has ", size - expected,
        " bytes that belong to no tensor: it is damaged");
}

std::span<const std::byte> header_bytes(const MappedFile& file) {
  const auto bytes = file.bytes();
  check(bytes.size() >= kPrefix, Code::bad_checkpoint, file.path(),
        " is too short to be a safetensors file (", bytes.size(), " bytes)");
  uint64_t size = 0;
  std::memcpy(&size, bytes.data(), kPrefix);
  check(size <= kMaxHeader, Code::bad_checkpoint, file.path(),
        " is not a usable safetensors file: it claims a header of ", size,
        " bytes; it is damaged or of another kind");
  check(size <= bytes.size() - kPrefix, Code::bad_checkpoint, file.path(),
        " was cut short: its header alone takes ", size, " bytes and the file has ", bytes.size(),
        "; download or copy it again");
  return bytes.subspan(kPrefix, size);
}

StoredTensor stored(const Entry& entry, std::span<const std::byte> data,
                    const std::shared_ptr<const MappedFile>& file) {
  StoredTensor tensor{.dtype = *entry.dtype, .shape = {}, .strides = {}, .data = {}, .file = file};
  tensor.shape.assign(entry.shape.begin(), entry.shape.end());
  tensor.strides = dense_strides(tensor.shape);
  tensor.data = data.subspan(entry.offsets[0], entry.offsets[1] - entry.offsets[0]);
  return tensor;
}

// The header, padded with spaces so that the data begins at a multiple of eight.
std::string header_text(const std::vector<const TensorEntry*>& entries,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t at = 0;
  for (const TensorEntry* entry : entries) {
    check(!header.contains(entry->name), Code::bug, "two tensors are named ", entry->name);
    check(!traits(entry->dtype).safetensors_name.empty(), Code::bug, "tensor ", entry->name,
          " is of type ", traits(entry->dtype).name, ", which safetensors lacks");
    const int64_t end = at + entry->bytes();
    header[entry->name] = {{"dtype", traits(entry->dtype).safetensors_name},
                           {"shape", entry->shape},
                           {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

StoredTensors read_safetensors(const std::filesystem::path& path,
                               std::map<std::string, std::string>* metadata) {
  const auto file = std::make_shared<const MappedFile>(path);
  const auto header = header_bytes(*file);
  const auto* text = reinterpret_cast<const char*>(header.data());
  HeaderReader reader(path);
  Json::sax_parse(text, text + header.size(), &reader);
  const auto data = file->bytes().subspan(kPrefix + header.size());
  check_layout(path, reader.entries, data.size());
  StoredTensors tensors;
  for (const Entry& entry : reader.entries) {
    const bool fresh = tensors.emplace(entry.name, stored(entry, data, file)).second;
    check(fresh, Code::bad_checkpoint, path, ": tensor '", entry.name, "' is listed twice");
  }
  if (metadata != nullptr) *metadata = std::move(reader.metadata);
  return tensors;
}

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorEntry>& entries,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const TensorEntry*> order;
  for (const TensorEntry& entry : entries) order.push_back(&entry);
  // Wide elements first: then every tensor begins at a multiple of its element size.
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return traits(a->dtype).bytes > traits(b->dtype).bytes;
  });
  AtomicFile file(path);
  const std::string header = header_text(order, metadata);
  const uint64_t size = header.size();
  file.write(std::as_bytes(std::span(&size, 1)));
  file.write(header);
  for (const TensorEntry* entry : order) {
    int64_t left = entry->bytes();
    entry->produce([&](std::span<const std::byte> piece) {
      left -= static_cast<int64_t>(piece.size());
      file.write(piece);
    });
    check(left == 0, Code::bug, "tensor ", entry->name, " is written with ", -left,
          " bytes too many");
  }
  file.commit();
}

}  // namespace janus
