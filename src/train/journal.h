// What a run tells while it trains, for people and for programs:
//
//   RUN/metrics.jsonl            an object a progress line or report: "step", then figures by name;
//                                those of a report begin with "val_"
//   RUN/samples.jsonl            an object a report: "step", and in "shown" what was drawn and said
//   RUN/events.out.tfevents.*    the same for TensorBoard, contact sheets included
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "train/event_file.h"
#include "train/shown.h"

namespace janus::train {

class Journal {
 public:
  // Of a run that goes on after `step`: lines of later steps, which it will write again, are
  // removed. Without `tensorboard` there are no event files.
  Journal(const std::filesystem::path& run, int64_t step, bool tensorboard);

  void progress(int64_t step, const Figures& figures);
  void report(int64_t step, const Evaluation& evaluation);

 private:
  void tell(const std::string& group, int64_t step, const Figures& figures);

  std::filesystem::path run_;
  std::optional<EventFile> events_;
};

}  // namespace janus::train
