// See recollection.h. SPDX-License-Identifier: MIT
#include "generate/recollection.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/sha256.h"
#include "model/footprint.h"

namespace janus {

PictureKey picture_key(const Image& image) {
  const std::array<uint8_t, 32> pixels =
      sha256({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()});
  std::string message = std::to_string(image.width) + "x" + std::to_string(image.height) + ":";
  message.append(pixels.begin(), pixels.end());
  return sha256(message);
}

Tensor PictureMemory::find(const PictureKey& key) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.key == key; });
  if (found == entries_.end()) return {};
  entries_.splice(entries_.begin(), entries_, found);
  return entries_.front().vectors.view;
}

Tensor PictureMemory::keep(const PictureKey& key, OwnedTensor vectors) {
  if (const Tensor known = find(key)) return known;
  entries_.push_front({key, std::move(vectors)});
  bytes_ += entries_.front().vectors.buffer.bytes();
  while (bytes_ > limit_ && entries_.size() > 1) {
    bytes_ -= entries_.back().vectors.buffer.bytes();
    entries_.pop_back();
  }
  return entries_.front().vectors.view;
}

void PictureMemory::forget() {
  entries_.clear();
  bytes_ = 0;
}

int64_t PrefixMemory::count_bytes() const {
  const int64_t blocks = KvCache::blocks_for(room());
  return KvCache::bytes(model_.backend(), model_.config().llama, cache_, blocks) +
         state_->space().bytes();
}

void PrefixMemory::forget() {
  state_.reset();
  fed_.clear();
  bytes_ = 0;
}

void Recollection::forget() {
  pictures.forget();
  prefix.forget();
}

int64_t PrefixMemory::resume(std::span<const Fed> prompt, int64_t positions) {
  const auto common = std::mismatch(fed_.begin(), fed_.end(), prompt.begin(), prompt.end()).first;
  // The last position is run again for its hidden state, from which the answer begins.
  const auto kept =
      std::min<int64_t>(common - fed_.begin(), static_cast<int64_t>(prompt.size()) - 1);
  fed_.resize(static_cast<size_t>(kept));
  if (state_) state_->cache().truncate(sequence_, kept);
  resize(positions, kept, static_cast<int64_t>(prompt.size()));
  return kept;
}

// Grows by half at least, so that a long conversation is copied a few times only; gives back what
// one long request has left behind.
void PrefixMemory::resize(int64_t positions, int64_t kept, int64_t prompt) {
  const int64_t now = room();
  if (positions <= now && now <= 4 * positions) return;
  if (!state_) {
    const int64_t rows = std::min(prompt, State::kPrefillRows);
    state_ = std::make_unique<State>(model_, cache_, 1, positions, KvCache::blocks_for(positions),
                                     forward_scratch(model_.config(), rows));
    sequence_ = state_->cache().add();
    bytes_ = count_bytes();
    return;
  }
  if (positions > now) {
    const int64_t context = model_.config().llama.context;
    positions = std::min(context, std::max(positions, now + now / 2));
  }
  sequence_ = state_->keep_one(sequence_, kept, positions);
  bytes_ = count_bytes();
}

void PrefixMemory::run(Tensor x, std::span<const Fed> fed, const std::function<void()>& between) {
  const size_t before = fed_.size();
  const auto record = [&] {
    const auto ran = static_cast<size_t>(state_->cache().length(sequence_)) - before;
    const auto known = static_cast<ptrdiff_t>(fed_.size() - before);
    fed_.insert(fed_.end(), fed.begin() + known, fed.begin() + static_cast<ptrdiff_t>(ran));
  };
  // Called between pieces the cache holds whole pieces; inside one it may hold what failed.
  state_->prefill(sequence_, x, [&] {
    record();
    if (between) between();
  });
  record();
}

void PrefixMemory::step(int32_t id, Tensor x) {
  state_->step(std::span(&sequence_, 1), x);
  fed_.push_back({id, -1, {}});
}

}  // namespace janus
