// See bpe.h.
// SPDX-License-Identifier: MIT
#include "io/bpe.h"

#include <algorithm>
#include <functional>

#include "io/utf8.h"

namespace janus {

namespace {

constexpr bool stands_for_itself(uint32_t byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
}

// Bytes without a visible character of their own take U+0100 and on, in order.
constexpr char32_t kFirstSubstitute = 0x100;

constexpr std::array<char32_t, 256> make_letters() {
  std::array<char32_t, 256> letters{};
  char32_t next = kFirstSubstitute;
  for (uint32_t b = 0; b < 256; ++b) letters[b] = stands_for_itself(b) ? b : next++;
  return letters;
}

constexpr std::array<char32_t, 256> kLetters = make_letters();

// The byte of each letter of the alphabet, -1 for other characters.
constexpr auto kBytes = [] {
  std::array<int16_t, kFirstSubstitute + 256> bytes{};
  for (int16_t& byte : bytes) byte = -1;
  for (size_t b = 0; b < 256; ++b) bytes[kLetters[b]] = static_cast<int16_t>(b);
  return bytes;
}();

}  // namespace

char32_t byte_letter(uint8_t byte) { return kLetters[byte]; }

std::string spell_bytes(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) append_utf8(out, byte_letter(static_cast<uint8_t>(c)));
  return out;
}

std::optional<std::string> unspell_bytes(std::string_view spelling) {
  std::string out;
  for (size_t at = 0; at < spelling.size();) {
    const Utf8Step step = utf8_at(spelling, at);
    const bool letter = step.kind == Utf8::whole && step.value < kBytes.size();
    if (!letter || kBytes[step.value] < 0) return std::nullopt;
    out.push_back(static_cast<char>(kBytes[step.value]));
    at += step.length;
  }
  return out;
}

MergeTable::MergeTable(size_t expected) {
  size_t size = 16;
  while (size < 2 * expected) size *= 2;
  slots_.resize(size);
}

size_t MergeTable::slot_of(int32_t left, int32_t right) const {
  uint64_t mixed = static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 |
                   static_cast<uint64_t>(static_cast<uint32_t>(right));
  mixed *= 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio: neighbours land far apart
  size_t at = static_cast<size_t>(mixed ^ mixed >> 29) & (slots_.size() - 1);
  while (slots_[at].left != -1 && (slots_[at].left != left || slots_[at].right != right)) {
    at = (at + 1) & (slots_.size() - 1);
  }
  return at;
}

void MergeTable::grow() {
  std::vector<Slot> old(2 * slots_.size());
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.left != -1) slots_[slot_of(slot.left, slot.right)] = slot;
  }
}

void MergeTable::add(int32_t left, int32_t right, Merge merge) {
  if (2 * (used_ + 1) > slots_.size()) grow();
  Slot& slot = slots_[slot_of(left, right)];
  used_ += slot.left == -1 ? 1 : 0;
  slot = {left, right, merge};
}

const Merge* MergeTable::find(int32_t left, int32_t right) const {
  const Slot& slot = slots_[slot_of(left, right)];
  return slot.left == -1 ? nullptr : &slot.merge;
}

void PieceMerger::queue_pair(int32_t left) {
  const Symbol& symbol = symbols_[static_cast<size_t>(left)];
  if (symbol.next < 0) return;
  const Merge* merge = table_.find(symbol.id, symbols_[static_cast<size_t>(symbol.next)].id);
  if (merge == nullptr) return;
  queue_.push_back(static_cast<uint64_t>(merge->rank) << 32 | static_cast<uint32_t>(left));
  std::push_heap(queue_.begin(), queue_.end(), std::greater<>());
}

// False when the pair that was queued is no longer there: one of its two has merged since, and a
// pair that now stands at the same place is longer, hence of another rank.
bool PieceMerger::merge_at(int32_t left, int32_t rank) {
  Symbol& symbol = symbols_[static_cast<size_t>(left)];
  if (symbol.id < 0 || symbol.next < 0) return false;
  Symbol& right = symbols_[static_cast<size_t>(symbol.next)];
  const Merge* merge = table_.find(symbol.id, right.id);
  if (merge == nullptr || merge->rank != rank) return false;
  symbol.id = merge->id;
  symbol.next = right.next;
  right.id = -1;
  if (symbol.next >= 0) symbols_[static_cast<size_t>(symbol.next)].prev = left;
  return true;
}

void PieceMerger::merge(std::vector<int32_t>& ids) {
  const int32_t count = static_cast<int32_t>(ids.size());
  if (count < 2) return;
  symbols_.clear();
  queue_.clear();
  for (int32_t i = 0; i < count; ++i) {
    symbols_.push_back({ids[static_cast<size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1});
  }
  for (int32_t i = 0; i + 1 < count; ++i) queue_pair(i);
  while (!queue_.empty()) {
    std::pop_heap(queue_.begin(), queue_.end(), std::greater<>());
    const int32_t left = static_cast<int32_t>(queue_.back() & 0xFFFFFFFFu);
    const int32_t rank = static_cast<int32_t>(queue_.back() >> 32);
    queue_.pop_back();
    if (!merge_at(left, rank)) continue;
    const int32_t before = symbols_[static_cast<size_t>(left)].prev;
    if (before >= 0) queue_pair(before);
    queue_pair(left);
  }
  ids.clear();
  for (int32_t i = 0; i >= 0; i = symbols_[static_cast<size_t>(i)].next) {
    ids.push_back(symbols_[static_cast<size_t>(i)].id);
  }
}

}  // namespace janus
