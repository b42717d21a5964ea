// SPDX-License-Identifier: MIT
#include "model/field_reader.h"

#include <algorithm>

#include "base/quant.h"
#include "model/value_check.h"

namespace janus {
namespace {

// Numbers on their way at a time, few beside what is kept; and those that a thread takes at once,
// whole blocks of every type, near enough (16 kB) for all that is done with them.
constexpr int64_t kOnTheWay = 1 << 19, kPiece = 1 << 12;

// Whole groups of rows that are placed together.
int64_t rows_at_once(int64_t inputs) {
  constexpr int64_t kTogether = Backend::kPlacedTogether;
  return std::max<int64_t>(1, kOnTheWay / inputs / kTogether) * kTogether;
}

}  // namespace

// Goes on by `count` numbers: pieces of whole units, each of one tensor.
std::vector<FieldReader::Piece> FieldReader::cut(int64_t count, int64_t unit) {
  std::vector<Piece> pieces;
  const int64_t most = std::max<int64_t>(1, kPiece / unit) * unit;
  for (int64_t at = 0; at < count;) {
    const TensorSpec& tensor = tensors_[at_];
    const int64_t some = std::min({most, count - at, tensor.count() - offset_});
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

// Calls use() with every piece, from several threads; `target` must hold its numbers.
void FieldReader::read(std::span<float> out, int64_t unit, Dtype target, const Use& use) {
  const std::vector<Piece> pieces = cut(std::ssize(out), unit);
  std::vector<char> bad(pieces.size(), 0);
  reading_.backend.share_out(std::ssize(pieces), [&](int64_t i) {
    const Piece& piece = pieces[static_cast<size_t>(i)];
    const auto values =
        out.subspan(static_cast<size_t>(piece.at), static_cast<size_t>(piece.count));
    reading_.source.read(piece.tensor->name, piece.begin, values);
    if (!all_below(values, limit_of(target))) {
      bad[static_cast<size_t>(i)] = 1;
    } else if (use) {
      use(piece, values);
    }
  });
  for (size_t i = 0; i < pieces.size(); ++i) {
    const TensorSpec& tensor = *pieces[i].tensor;
    if (bad[i]) refuse_values(reading_.source, tensor.name, tensor.count(), target);
    const bool last = i + 1 == pieces.size() || pieces[i + 1].tensor != &tensor;
    if (last) reading_.source.done(tensor.name, pieces[i].begin + pieces[i].count);
  }
  for (Fingerprint* fingerprint : fingerprints_) {
    reading_.backend.share_out(Fingerprint::kShares,
                               [&](int64_t share) { fingerprint->add_share(out, share); });
    fingerprint->move_on(std::ssize(out));
  }
}

void FieldReader::next(std::span<float> out) { read(out, 1, Dtype::f32, nullptr); }

void FieldReader::next_as(Dtype type, std::span<std::byte> out) {
  const DtypeTraits kept = traits(type);
  const int64_t count = std::ssize(out) / kept.bytes * kept.block;
  for (int64_t begin = 0; begin < count; begin += kOnTheWay) {
    const std::span<float> values = room(std::min(kOnTheWay, count - begin));
    std::byte* const to = out.data() + bytes_of(type, begin);
    read(values, kept.block, type, [&](const Piece& piece, std::span<const float> some) {
      store(piece, some, type, to + bytes_of(type, piece.at));
    });
  }
}

void FieldReader::store(const Piece& piece, std::span<const float> values, Dtype type,
                        std::byte* out) const {
  const std::span<std::byte> to(out, static_cast<size_t>(bytes_of(type, piece.count)));
  const std::string& name = piece.tensor->name;
  if (traits(type).block > 1 && reading_.source.stored(name) == type) {
    reading_.source.read_blocks(name, piece.begin, to);
  } else {
    encode(type, values, to);
  }
}

Weight FieldReader::rows(const PackedForm& form, int64_t rows, std::span<const float> bias) {
  Weight weight = reading_.backend.unfilled(form.type, rows, form.inputs, bias);
  const int64_t size = bytes_of(form.type, form.inputs), each = rows_at_once(form.inputs);
  for (int64_t first = 0; first < rows; first += each) {
    const int64_t some = std::min(each, rows - first);
    const auto bytes = static_cast<size_t>(some * size);
    if (reading_.bytes.size() < bytes) reading_.bytes.resize(bytes);
    const std::span<std::byte> plain(reading_.bytes.data(), bytes);
    read(room(some * form.inputs), form.inputs, form.type,
         [&](const Piece& piece, std::span<const float> values) {
           std::byte* to = plain.data() + piece.at / form.inputs * size;
           if (form.area == 1) return store(piece, values, form.type, to);
           std::vector<float> turned(static_cast<size_t>(form.inputs));
           for (; !values.empty(); values = values.subspan(turned.size()), to += size) {
             channels_last(values.first(turned.size()), form.area, turned);
             encode(form.type, turned, {to, static_cast<size_t>(size)});
           }
         });
    reading_.backend.place(weight, first, plain);
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
