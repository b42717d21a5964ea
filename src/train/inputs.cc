// See inputs.h.
// SPDX-License-Identifier: MIT
#include "train/inputs.h"

#include <algorithm>

namespace janus::train {
namespace {

// One sample by itself; positions are its own.
struct Sample {
  std::vector<int64_t> slots, at, labels;
};

// The sequence each sample goes to and where in it.
struct Place {
  size_t row = 0;
  int64_t start = 0;
};

std::vector<Place> places_of(const std::vector<Sample>& samples, int64_t pack,
                             std::vector<int64_t>& lengths) {
  std::vector<Place> places;
  for (const Sample& sample : samples) {
    const int64_t length = std::ssize(sample.slots);
    const auto room = std::find_if(lengths.begin(), lengths.end(),
                                   [&](int64_t taken) { return taken + length <= pack; });
    const auto row = static_cast<size_t>(room - lengths.begin());
    if (room == lengths.end()) lengths.push_back(0);
    places.push_back({row, lengths[row]});
    lengths[row] += length;
  }
  return places;
}

Inputs lay_out(const std::vector<Sample>& samples, int32_t pad, int64_t pack) {
  std::vector<int64_t> lengths;  // of the sequences
  const std::vector<Place> places = places_of(samples, pack, lengths);
  Inputs inputs;
  inputs.rows = std::ssize(lengths);
  for (const int64_t length : lengths) inputs.length = std::max(inputs.length, length);
  const auto total = static_cast<size_t>(inputs.rows * inputs.length);
  inputs.slots.assign(total, pad);
  if (pack > 0) {
    inputs.starts.resize(total);  // a pad sees itself alone
    for (size_t i = 0; i < total; ++i) inputs.starts[i] = static_cast<int64_t>(i) % inputs.length;
  }
  for (size_t i = 0; i < samples.size(); ++i) {
    const Sample& sample = samples[i];
    const int64_t first = static_cast<int64_t>(places[i].row) * inputs.length + places[i].start;
    std::copy(sample.slots.begin(), sample.slots.end(), inputs.slots.begin() + first);
    if (pack > 0) {
      std::fill_n(inputs.starts.begin() + first, sample.slots.size(), places[i].start);
    }
    for (const int64_t at : sample.at) inputs.at.push_back(first + at);
    inputs.labels.insert(inputs.labels.end(), sample.labels.begin(), sample.labels.end());
  }
  return inputs;
}

}  // namespace

Inputs draw_inputs(std::span<const DrawRow> rows, const Config& config, const SpecialIds& ids,
                   int64_t pack) {
  const int64_t codes = config.image_tokens();
  std::vector<Sample> samples;
  int64_t vector = config.llama.vocabulary;
  const auto changing = std::count_if(rows.begin(), rows.end(),
                                      [](const DrawRow& row) { return !row.source.empty(); });
  int64_t source = vector + std::ssize(rows) * codes;  // the next code of a picture that is changed
  int64_t patch = source + changing * codes;           // … patch
  for (const DrawRow& row : rows) {
    Sample sample;
    const bool changes = !row.source.empty();
    int64_t next_code = source, next_patch = patch;
    for (const int32_t id : row.prompt) {
      if (id == kSourceCode) {
        sample.slots.push_back(next_code++);
      } else {
        sample.slots.push_back(changes && id == ids.image ? next_patch++ : id);
      }
    }
    if (changes) source += codes, patch += config.vision.tokens();
    for (int64_t k = 0; k < codes; ++k) {
      sample.at.push_back(std::ssize(sample.slots) - 1);
      if (k + 1 < codes) sample.slots.push_back(vector + k);
    }
    vector += codes;
    samples.push_back(std::move(sample));
  }
  return lay_out(samples, ids.pad, pack);
}

Inputs ask_inputs(std::span<const AskRow> rows, const Config& config, const SpecialIds& ids,
                  int64_t pack) {
  std::vector<Sample> samples;
  int64_t patch = config.llama.vocabulary;
  for (const AskRow& row : rows) {
    const auto& [ids_of_row, taught] = row.dialogue;
    Sample sample;
    for (size_t t = 0; t + 1 < ids_of_row.size(); ++t) {
      sample.slots.push_back(ids_of_row[t] == ids.image ? patch++ : ids_of_row[t]);
      if (!taught[t + 1]) continue;
      sample.at.push_back(static_cast<int64_t>(t));
      sample.labels.push_back(ids_of_row[t + 1]);
    }
    samples.push_back(std::move(sample));
  }
  return lay_out(samples, ids.pad, pack);
}

}  // namespace janus::train
