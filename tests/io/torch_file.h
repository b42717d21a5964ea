// Builds torch weight files byte by byte, well-formed or not, so that tests can damage one thing at
// a time.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace janus {

template <class T>
std::string little(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

// Pickle fragments, protocol 2.
inline std::string pickle_text(const std::string& text) {
  return "X" + little(static_cast<uint32_t>(text.size())) + text;
}
inline std::string pickle_int(int32_t value) { return "J" + little(value); }
inline std::string pickle_sizes(const std::vector<int32_t>& sizes) {
  std::string text = "(";
  for (const int32_t size : sizes) text += pickle_int(size);
  return text + "t";
}
inline std::string pickle_global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}

struct PickleTensor {
  std::string name = "w";
  std::string storage_type = "FloatStorage";
  std::string key = "0";
  int32_t storage_count = 6;
  int32_t offset = 0;
  std::vector<int32_t> sizes = {2, 3};
  std::vector<int32_t> strides = {3, 1};
};

inline std::string pickle_tensor(const PickleTensor& t) {
  return pickle_global("torch._utils", "_rebuild_tensor_v2") + "((" + pickle_text("storage") +
         pickle_global("torch", t.storage_type) + pickle_text(t.key) + pickle_text("cpu") +
         pickle_int(t.storage_count) + "tQ" + pickle_int(t.offset) + pickle_sizes(t.sizes) +
         pickle_sizes(t.strides) + "\x89" + pickle_global("collections", "OrderedDict") + ")RtR";
}

inline std::string pickle_state(const std::vector<PickleTensor>& tensors) {
  std::string text = "\x80\x02" + pickle_global("collections", "OrderedDict") + ")R(";
  for (const PickleTensor& t : tensors) text += pickle_text(t.name) + pickle_tensor(t);
  return text + "u.";
}

struct ZipRecord {
  std::string name;
  std::string data;
};

struct ZipOptions {
  bool zip64 = false;
  uint16_t method = 0;
  uint16_t flags = 0;
};

// A ZIP of stored records; with zip64, sizes and offsets live in the 64-bit fields only.
inline std::string make_zip(const std::vector<ZipRecord>& records, const ZipOptions& options = {}) {
  constexpr uint32_t kIn64 = 0xffffffff;
  std::string zip;
  std::string directory;
  for (const auto& [name, data] : records) {
    const auto size = static_cast<uint32_t>(data.size());
    const auto name_size = static_cast<uint16_t>(name.size());
    const uint64_t header = zip.size();
    zip += little(uint32_t{0x04034b50}) + little(uint16_t{20}) + little(options.flags) +
           little(options.method) + std::string(8, '\0') + little(size) + little(size) +
           little(name_size) + little(uint16_t{0}) + name + data;
    const std::string extra = options.zip64 ? little(uint16_t{1}) + little(uint16_t{24}) +
                                                  little(uint64_t{size}) + little(uint64_t{size}) +
                                                  little(header)
                                            : "";
    const uint32_t stated = options.zip64 ? kIn64 : size;
    const uint32_t at = options.zip64 ? kIn64 : static_cast<uint32_t>(header);
    directory += little(uint32_t{0x02014b50}) + little(uint16_t{20}) + little(uint16_t{20}) +
                 little(options.flags) + little(options.method) + std::string(8, '\0') +
                 little(stated) + little(stated) + little(name_size) +
                 little(static_cast<uint16_t>(extra.size())) + std::string(10, '\0') + little(at) +
                 name + extra;
  }
  const uint64_t start = zip.size();
  const uint64_t size = directory.size();
  zip += directory;
  if (options.zip64) {
    const uint64_t end64 = zip.size();
    zip += little(uint32_t{0x06064b50}) + little(uint64_t{44}) + std::string(12, '\0') +
           little(uint64_t{records.size()}) + little(uint64_t{records.size()}) + little(size) +
           little(start) + little(uint32_t{0x07064b50}) + little(uint32_t{0}) + little(end64) +
           little(uint32_t{1});
  }
  const auto count = options.zip64 ? uint16_t{0xffff} : static_cast<uint16_t>(records.size());
  return zip + little(uint32_t{0x06054b50}) + std::string(4, '\0') + little(count) + little(count) +
         little(options.zip64 ? kIn64 : static_cast<uint32_t>(size)) +
         little(options.zip64 ? kIn64 : static_cast<uint32_t>(start)) + little(uint16_t{0});
}

// A whole file around one pickle, with one storage "0" of the floats 0, 1, 2, 3, 4, 5.
inline std::string torch_file(const std::string& pickle, const ZipOptions& options = {}) {
  std::string floats;
  for (int i = 0; i < 6; ++i) floats += little(static_cast<float>(i));
  return make_zip({{"archive/data.pkl", pickle}, {"archive/data/0", floats}}, options);
}

}  // namespace janus
