// The ZIP container (PKWARE APPNOTE 6.3, 4.3), as far as torch.save uses it: records stored as they
// are, sizes above 4 GB in zip64 fields.
// SPDX-License-Identifier: MIT
#include "io/torch_zip.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>

#include "base/error.h"
#include "io/pickle.h"

namespace janus {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocator64Signature = 0x07064b50;
constexpr size_t kLocalSize = 30;
constexpr size_t kCentralSize = 46;
constexpr size_t kEndSize = 22;
constexpr size_t kEnd64Size = 56;
constexpr size_t kLocator64Size = 20;
constexpr uint32_t kIn64 = 0xffffffff;  // the value is in the zip64 field instead

using Records = std::map<std::string, std::span<const std::byte>>;

// The directory entry of one record.
struct Listing {
  std::string name;
  uint64_t size = 0;
  uint64_t header = 0;  // offset of the local header
};

class ZipReader {
 public:
  explicit ZipReader(const MappedFile& file) : path_(file.path()), bytes_(file.bytes()) {}

  // Name -> bytes of every record.
  Records records() const;

 private:
  struct Directory {
    uint64_t offset = 0;
    uint64_t size = 0;
  };

  void require(bool ok, const char* what) const {
    check(ok, Code::bad_checkpoint, path_, " is not a usable torch file: ", what,
          "; it was cut short or damaged: download or copy it again");
  }
  // Little-endian number at `offset`, which the caller has checked.
  template <class T>
  T number(uint64_t offset) const {
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    return value;
  }
  bool inside(uint64_t offset, uint64_t length) const {
    return offset <= bytes_.size() && length <= bytes_.size() - offset;
  }
  std::string text(uint64_t offset, size_t length) const {
    return {reinterpret_cast<const char*>(bytes_.data()) + offset, length};
  }

  Directory find_directory() const;
  Directory find_directory64(uint64_t end) const;
  Listing read_listing(uint64_t& at, uint64_t end) const;
  void read_zip64(Listing& listing, uint64_t at, uint64_t end, bool size, bool header) const;
  std::span<const std::byte> data_of(const Listing& listing) const;

  const std::filesystem::path& path_;
  std::span<const std::byte> bytes_;
};

// The end record is the last thing in the file, followed by a comment of at most 64 kB.
ZipReader::Directory ZipReader::find_directory() const {
  require(bytes_.size() >= kEndSize, "it is too short");
  const uint64_t last = bytes_.size() - kEndSize;
  const uint64_t first = last > 0xffff ? last - 0xffff : 0;
  for (uint64_t at = last + 1; at-- > first;) {
    if (number<uint32_t>(at) != kEndSignature) continue;
    if (number<uint16_t>(at + 20) != bytes_.size() - kEndSize - at) continue;
    const Directory directory{number<uint32_t>(at + 16), number<uint32_t>(at + 12)};
    if (directory.offset == kIn64 || directory.size == kIn64 ||
        number<uint16_t>(at + 10) == 0xffff) {
      return find_directory64(at);
    }
    return directory;
  }
  require(false, "the ZIP directory at its end is missing");
  return {};
}

ZipReader::Directory ZipReader::find_directory64(uint64_t end) const {
  require(end >= kLocator64Size && number<uint32_t>(end - kLocator64Size) == kLocator64Signature,
          "the zip64 locator is missing");
  const auto at = number<uint64_t>(end - kLocator64Size + 8);
  require(inside(at, kEnd64Size) && number<uint32_t>(at) == kEnd64Signature,
          "the zip64 directory record is missing");
  return {number<uint64_t>(at + 48), number<uint64_t>(at + 40)};
}

// Reads the directory entry at `at` and moves `at` behind it.
Listing ZipReader::read_listing(uint64_t& at, uint64_t end) const {
  require(end - at >= kCentralSize && number<uint32_t>(at) == kCentralSignature,
          "its directory is broken");
  const auto flags = number<uint16_t>(at + 8);
  const auto method = number<uint16_t>(at + 10);
  const auto packed = number<uint32_t>(at + 20);
  const size_t name = number<uint16_t>(at + 28);
  const size_t extra = number<uint16_t>(at + 30);
  const size_t comment = number<uint16_t>(at + 32);
  require(end - at - kCentralSize >= name + extra + comment, "its directory is broken");
  Listing listing{.name = text(at + kCentralSize, name),
                  .size = number<uint32_t>(at + 24),
                  .header = number<uint32_t>(at + 42)};
  check(method == 0 && (flags & 1) == 0, Code::bad_checkpoint, path_, ": record '", listing.name,
        "' is compressed or encrypted, which torch.save never does; save the weights again");
  const uint64_t extra_at = at + kCentralSize + name;
  const bool size64 = listing.size == kIn64;
  // The packed size has its own 8 bytes in the field, between size and header.
  require(size64 == (packed == kIn64), "a record has two sizes");
  require(size64 || packed == listing.size, "a record has two sizes");
  if (size64 || listing.header == kIn64) {
    read_zip64(listing, extra_at, extra_at + extra, size64, listing.header == kIn64);
  }
  at += kCentralSize + name + extra + comment;
  return listing;
}

// The zip64 field (tag 1) among the extra fields in [at, end).
void ZipReader::read_zip64(Listing& listing, uint64_t at, uint64_t end, bool size,
                           bool header) const {
  while (end - at >= 4) {
    const auto tag = number<uint16_t>(at);
    const uint64_t length = number<uint16_t>(at + 2);
    at += 4;
    require(length <= end - at, "its directory is broken");
    if (tag == 1) {
      require(length >= (size ? 16u : 0u) + (header ? 8u : 0u), "a zip64 field is too short");
      if (size) {
        listing.size = number<uint64_t>(at);
        require(number<uint64_t>(at + 8) == listing.size, "a record has two sizes");
        at += 16;
      }
      if (header) listing.header = number<uint64_t>(at);
      return;
    }
    at += length;
  }
  require(false, "a zip64 field is missing");
}

std::span<const std::byte> ZipReader::data_of(const Listing& listing) const {
  require(inside(listing.header, kLocalSize) && number<uint32_t>(listing.header) == kLocalSignature,
          "a record's header is missing");
  const uint64_t data = listing.header + kLocalSize + number<uint16_t>(listing.header + 26) +
                        number<uint16_t>(listing.header + 28);
  require(inside(data, listing.size), "a record lies past its end");
  return bytes_.subspan(data, listing.size);
}

Records ZipReader::records() const {
  const Directory directory = find_directory();
  require(inside(directory.offset, directory.size), "its directory lies past its end");
  const uint64_t end = directory.offset + directory.size;
  Records records;
  std::vector<std::span<const std::byte>> taken;
  for (uint64_t at = directory.offset; at < end;) {
    const Listing listing = read_listing(at, end);
    const auto data = data_of(listing);
    require(records.emplace(listing.name, data).second, "two records have one name");
    if (!data.empty()) taken.push_back(data);
  }
  std::sort(taken.begin(), taken.end(),
            [](const auto& a, const auto& b) { return a.data() < b.data(); });
  for (size_t i = 1; i < taken.size(); ++i) {
    require(taken[i - 1].data() + taken[i - 1].size() <= taken[i].data(), "records overlap");
  }
  return records;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The folder inside the ZIP that holds everything: what stands before "data.pkl".
std::string root_of(const Records& records, const std::filesystem::path& path) {
  constexpr std::string_view kPickle = "data.pkl";
  std::string root;
  int found = 0;
  for (const auto& [name, bytes] : records) {
    const auto slash = name.find('/');
    const size_t begin = slash == std::string::npos ? 0 : slash + 1;
    if (name.compare(begin, std::string::npos, kPickle) != 0) continue;
    root = name.substr(0, begin);
    ++found;
  }
  check(found == 1, Code::bad_checkpoint, path, " is a ZIP with ", found,
        " data.pkl, so torch.save did not write it; pass a file of weights");
  check(!records.contains(root + "constants.pkl"), Code::bad_checkpoint, path,
        " is a TorchScript program, not a file of weights; save its state_dict()");
  const auto order = records.find(root + "byteorder");
  check(order == records.end() || as_text(order->second) == "little", Code::not_supported, path,
        " was written on a big-endian machine; load and save it again on a little-endian one");
  return root;
}

// Elements from the first to the last one that the strides reach, both included; 0 when empty.
// Refuses tensors that leave their storage or that repeat elements to look larger than it is.
int64_t checked_span(const PickledTensor& tensor, const std::filesystem::path& path) {
  int64_t count = 1;
  int64_t last = 0;
  bool overflow = false;
  bool empty = false;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    int64_t step = 0;
    empty = empty || tensor.shape[i] == 0;
    const int64_t size = std::max<int64_t>(tensor.shape[i], 1);
    overflow = overflow || __builtin_mul_overflow(count, size, &count) ||
               __builtin_mul_overflow(size - 1, tensor.strides[i], &step) ||
               __builtin_add_overflow(last, step, &last);
  }
  const bool fits = !overflow && count <= tensor.storage_count &&
                    tensor.offset <= tensor.storage_count &&
                    last < tensor.storage_count - tensor.offset;
  check(fits || (empty && !overflow && tensor.offset <= tensor.storage_count), Code::bad_checkpoint,
        path, ": tensor '", tensor.name, "' ", shape_text(tensor.shape), " with strides ",
        shape_text(tensor.strides), " does not fit into its storage of ", tensor.storage_count,
        " elements; the file is damaged");
  return empty ? 0 : last + 1;
}

}  // namespace

StoredTensors read_torch_zip(const std::filesystem::path& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  const Records records = ZipReader(*file).records();
  const std::string root = root_of(records, path);
  StoredTensors tensors;
  for (PickledTensor& tensor : read_pickled_tensors(records.at(root + "data.pkl"), path.string())) {
    const auto record = records.find(root + "data/" + tensor.storage);
    check(record != records.end(), Code::bad_checkpoint, path, ": the data of tensor '",
          tensor.name, "' (record ", tensor.storage, ") is missing");
    const auto width = static_cast<size_t>(traits(tensor.dtype).bytes);
    check(static_cast<uint64_t>(tensor.storage_count) == record->second.size() / width &&
              record->second.size() % width == 0,
          Code::bad_checkpoint, path, ": the storage of tensor '", tensor.name, "' has ",
          record->second.size(), " bytes, its pickle says ", tensor.storage_count, " elements of ",
          traits(tensor.dtype).name);
    const auto reach = static_cast<size_t>(checked_span(tensor, path));
    const auto data =
        record->second.subspan(static_cast<size_t>(tensor.offset) * width, reach * width);
    tensors.emplace(tensor.name, StoredTensor{.dtype = tensor.dtype,
                                              .shape = std::move(tensor.shape),
                                              .strides = std::move(tensor.strides),
                                              .data = data,
                                              .file = file});
  }
  return tensors;
}

}  // namespace janus
