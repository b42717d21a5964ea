// SPDX-License-Identifier: MIT
#include "model/field_reader.h"

#include <algorithm>
#include <utility>

#include "base/quant.h"
#include "model/value_check.h"

namespace janus {
namespace {

// Numbers on their way at a time, few beside what is kept; and those of no matrix that a thread
// takes at once, whole blocks of every type, near enough (16 kB) for all that is done with them.
constexpr int64_t kOnTheWay = 1 << 18, kPiece = 1 << 12;

// Whole groups of rows that are placed together.
int64_t rows_at_once(int64_t inputs) {
  constexpr int64_t kTogether = Backend::kPlacedTogether;
  return std::max<int64_t>(1, kOnTheWay / inputs / kTogether) * kTogether;
}

}  // namespace

void Reading::settle() {
  for (Fingerprint* fingerprint : std::exchange(waiting, {})) fingerprint->add(before);
}

// Goes on by `count` numbers: pieces, each of one tensor and of one run of `together`.
std::vector<FieldReader::Piece> FieldReader::cut(int64_t count, int64_t together) {
  std::vector<Piece> pieces;
  for (int64_t at = 0; at < count;) {
    const TensorSpec& tensor = tensors_[at_];
    const int64_t some = std::min({together - at % together, count - at, tensor.count() - offset_});
    pieces.push_back({&tensor, offset_, at, some});
    at += some;
    offset_ += some;
    if (offset_ == tensor.count()) {
      ++at_;
      offset_ = 0;
    }
  }
  return pieces;
}

// One piece as that form has it; false where a number is none or too large for it. Blocks that stay
// as they are need not become numbers for that.
bool FieldReader::take(const Piece& piece, const PackedForm& form, std::span<float> values,
                       std::span<std::byte> out) const {
  const std::string& name = piece.tensor->name;
  const bool blocks = form.area == 1 && traits(form.type).block > 1;
  if (blocks && reading_.source.stored(name) == form.type) {
    reading_.source.read_blocks(name, piece.begin, out);
    if (!scales_finite(form.type, out)) return false;
    if (!fingerprints_.empty()) decode(form.type, out, 0, values);
    return true;
  }
  reading_.source.read(name, piece.begin, values);
  if (!all_below(values, limit_of(form.type))) return false;
  if (form.area == 1) {
    encode(form.type, values, out);
    return true;
  }
  std::vector<float> turned(static_cast<size_t>(form.inputs));
  const auto size = static_cast<size_t>(bytes_of(form.type, form.inputs));
  for (std::span<const float> left = values; !left.empty(); left = left.subspan(turned.size())) {
    channels_last(left.first(turned.size()), form.area, turned);
    encode(form.type, turned, out.first(size));
    out = out.subspan(size);
  }
  return true;
}

// The next numbers into `out`, a run of `together` by one thread, which then calls use() with its
// first number and its bytes. Meanwhile one thread adds those before to their fingerprints: each is
// a chain of products that two threads would not end sooner.
void FieldReader::read(const PackedForm& form, int64_t together, std::span<std::byte> out,
                       const Use& use) {
  const DtypeTraits kept = traits(form.type);
  const int64_t count = std::ssize(out) / kept.bytes * kept.block;
  const std::vector<Piece> pieces = cut(count, together);
  const std::span<float> values = room(count);
  std::vector<size_t> runs;  // their first pieces
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].at % together == 0) runs.push_back(i);
  }
  std::vector<char> bad(pieces.size(), 0);
  const std::vector<Fingerprint*> waiting = std::exchange(reading_.waiting, {});
  const auto part = [&](int64_t begin, int64_t end) {
    return out.subspan(static_cast<size_t>(bytes_of(form.type, begin)),
                       static_cast<size_t>(bytes_of(form.type, end - begin)));
  };
  reading_.backend.share_out(std::ssize(waiting) + std::ssize(runs), [&](int64_t i) {
    if (i < std::ssize(waiting)) {
      return waiting[static_cast<size_t>(i)]->add(reading_.before);
    }
    const auto run = static_cast<size_t>(i - std::ssize(waiting));
    const size_t end = run + 1 < runs.size() ? runs[run + 1] : pieces.size();
    bool good = true;
    for (size_t k = runs[run]; k < end; ++k) {
      const Piece& piece = pieces[k];
      const auto numbers =
          values.subspan(static_cast<size_t>(piece.at), static_cast<size_t>(piece.count));
      bad[k] = !take(piece, form, numbers, part(piece.at, piece.at + piece.count));
      good = good && !bad[k];
    }
    const int64_t first = pieces[runs[run]].at;
    if (good && use) use(first, part(first, std::min(count, first + together)));
  });
  for (size_t i = 0; i < pieces.size(); ++i) {
    const TensorSpec& tensor = *pieces[i].tensor;
    if (bad[i]) refuse_values(reading_.source, tensor.name, tensor.count(), form.type);
    const bool last = i + 1 == pieces.size() || pieces[i + 1].tensor != &tensor;
    if (last) reading_.source.done(tensor.name, pieces[i].begin + pieces[i].count);
  }
  if (fingerprints_.empty()) return;
  reading_.values.swap(reading_.spare);
  reading_.before = values;
  reading_.waiting = fingerprints_;
}

void FieldReader::next(std::span<float> out) { next_as(Dtype::f32, std::as_writable_bytes(out)); }

void FieldReader::next_as(Dtype type, std::span<std::byte> out) {
  const auto most = static_cast<size_t>(bytes_of(type, kOnTheWay));
  while (!out.empty()) {
    const auto some = out.first(std::min(most, out.size()));
    read({.type = type}, kPiece, some, nullptr);
    out = out.subspan(some.size());
  }
}

Weight FieldReader::rows(const PackedForm& form, int64_t rows, std::span<const float> bias) {
  Weight weight = reading_.backend.unfilled(form.type, rows, form.inputs, bias);
  const int64_t size = bytes_of(form.type, form.inputs), each = rows_at_once(form.inputs);
  for (int64_t first = 0; first < rows; first += each) {
    const auto bytes = static_cast<size_t>(std::min(each, rows - first) * size);
    if (reading_.bytes.size() < bytes) reading_.bytes.resize(bytes);
    read(form, Backend::kPlacedTogether * form.inputs, std::span(reading_.bytes).first(bytes),
         [&](int64_t at, std::span<const std::byte> some) {
           reading_.backend.place_some(weight, first + at / form.inputs, some);
         });
  }
  return weight;
}

std::span<float> FieldReader::room(int64_t count) {
  const auto size = static_cast<size_t>(count);
  if (reading_.values.size() < size) reading_.values.resize(size);
  return {reading_.values.data(), size};
}

std::vector<float> read_field(Reading& reading, const std::vector<TensorSpec>& tensors,
                              const std::vector<Fingerprint*>& fingerprints) {
  int64_t count = 0;
  for (const TensorSpec& part : tensors) count += part.count();
  std::vector<float> values(static_cast<size_t>(count));
  FieldReader(reading, tensors, fingerprints).next(values);
  return values;
}

void channels_last(std::span<const float> stored, int64_t area, std::span<float> out) {
  const int64_t channels = std::ssize(stored) / area;
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t k = 0; k < area; ++k) {
      out[static_cast<size_t>(k * channels + c)] = stored[static_cast<size_t>(c * area + k)];
    }
  }
}

void channels_first(std::span<const float> packed, int64_t area, std::span<float> out) {
  const int64_t channels = std::ssize(packed) / area;
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t k = 0; k < area; ++k) {
      out[static_cast<size_t>(c * area + k)] = packed[static_cast<size_t>(k * channels + c)];
    }
  }
}

}  // namespace janus
