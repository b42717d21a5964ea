// What the small model can know without a picture: tables of facts, and the words in which they are
// asked for; the last sixth of each list of words is held out of training.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <utility>

namespace janus {

using Words = std::span<const std::string_view>;
using Entry = std::pair<std::string_view, std::string_view>;  // {x} of the question, the answer

// A family whose questions are `phrasings` with {x} filled in.
struct FactFamily {
  std::string_view name;
  Words phrasings;
  std::span<const Entry> entries;
};
std::span<const FactFamily> fact_families();

// A thing that is said back to a greeting and the like, whatever the words.
struct ReplyFamily {
  std::string_view name;
  Words phrasings;
  std::string_view answer;
};
std::span<const ReplyFamily> reply_families();

// Questions that nobody in this world can answer: each frame with each subject.
struct OutsideFrames {
  Words frames, subjects;
};
std::span<const OutsideFrames> outside_frames();
inline constexpr std::string_view kRefusal = "I only know my small world of shapes and toys.";

// Things from small to large.
Words things_by_size();

}  // namespace janus
