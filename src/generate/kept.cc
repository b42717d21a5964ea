// See kept.h. SPDX-License-Identifier: MIT
#include "generate/kept.h"

#include <algorithm>
#include <string>

#include "base/sha256.h"

namespace janus {

PictureKey picture_key(const Image& image) {
  const std::array<uint8_t, 32> pixels =
      sha256({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()});
  std::string message = std::to_string(image.width) + "x" + std::to_string(image.height) + ":";
  message.append(pixels.begin(), pixels.end());
  return sha256(message);
}

KeptPictures::Vectors KeptPictures::find(const PictureKey& key) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.key == key; });
  if (found == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found);
  return entries_.front().vectors;
}

KeptPictures::Vectors KeptPictures::keep(const PictureKey& key, OwnedTensor vectors) {
  if (const Vectors known = find(key)) return known;
  entries_.push_front({key, std::make_shared<const OwnedTensor>(std::move(vectors))});
  bytes_ += entries_.front().vectors->buffer.bytes();
  while (bytes_ > limit_ && entries_.size() > 1) {
    bytes_ -= entries_.back().vectors->buffer.bytes();
    entries_.pop_back();
  }
  return entries_.front().vectors;
}

void KeptPictures::forget() {
  entries_.clear();
  bytes_ = 0;
}

int64_t KeptPrompts::size(const Entry& entry) const {
  return KvCache::blocks_for(static_cast<int64_t>(entry.fed.size())) * block_bytes_;
}

void KeptPrompts::remove(std::list<Entry>::iterator entry) {
  bytes_ -= size(*entry);
  cache_.remove(entry->sequence);
  entries_.erase(entry);
}

std::pair<int32_t, int64_t> KeptPrompts::begin(std::span<const Fed> prompt) {
  auto best = entries_.end();
  int64_t most = 0;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    const auto end =
        std::mismatch(entry->fed.begin(), entry->fed.end(), prompt.begin(), prompt.end()).first;
    const auto common = std::min<int64_t>(end - entry->fed.begin(), std::ssize(prompt) - 1);
    if (common <= most) continue;
    best = entry;
    most = common;
  }
  const bool known = best != entries_.end();
  if (known) entries_.splice(entries_.begin(), entries_, best);  // dropped last
  while (cache_.free_sequences() == 0 && drop()) {
  }
  if (!known || entries_.empty()) return {cache_.add(), 0};
  return {cache_.fork(entries_.front().sequence, most), most};
}

void KeptPrompts::keep(int32_t sequence, std::vector<Fed> fed) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto old = entry++;
    const bool goes_on =
        old->fed.size() <= fed.size() && std::equal(old->fed.begin(), old->fed.end(), fed.begin());
    if (goes_on) remove(old);
  }
  entries_.push_front({sequence, std::move(fed)});
  bytes_ += size(entries_.front());
  while (entries_.size() > 1 && (bytes_ > limit_ || std::ssize(entries_) > kMost)) drop();
}

bool KeptPrompts::drop() {
  if (entries_.empty()) return false;
  remove(std::prev(entries_.end()));
  return true;
}

void KeptPrompts::forget() {
  while (drop()) {
  }
}

}  // namespace janus
