// What TensorBoard reads (`tensorboard --logdir RUNS`): a file of records, each an Event of
// TensorFlow's protocol buffers with figures or PNGs under a tag.
// Source: tensorflow/core/lib/io/record_writer.h (framing), tensorflow/core/util/event.proto and
// tensorflow/core/framework/summary.proto (fields and their numbers).
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace janus::train {

// CRC-32C (RFC 3720, B.4) of the bytes.
uint32_t crc32c(std::string_view bytes);

class EventFile {
 public:
  // A new file in `dir`, which TensorBoard reads after the older ones there. What they say of steps
  // after `step` is then forgotten: a run that goes on from a checkpoint says it again.
  // `time`: seconds since 1970, of these first records and of the file's name
  EventFile(const std::filesystem::path& dir, int64_t step, double time);

  // Each throws Code::device_failure when the file cannot be written.
  void scalar(const std::string& tag, double value, int64_t step, double time);
  void picture(const std::string& tag, std::string_view png, int width, int height, int64_t step,
               double time);

  const std::filesystem::path& path() const { return path_; }

 private:
  void write(const std::string& event);

  std::filesystem::path path_;
  std::ofstream out_;
};

}  // namespace janus::train
