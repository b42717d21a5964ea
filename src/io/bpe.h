// Byte-pair merging by ids: which pairs merge, in which order, and doing it in time n log n, so
// that a long piece costs what many short ones do. Also the byte <-> letter alphabet in which
// byte-level tables are spelled (GPT-2's encoder.py, bytes_to_unicode).
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace janus {

// The character that stands for `byte` in a byte-level table.
char32_t byte_letter(uint8_t byte);
std::string spell_bytes(std::string_view bytes);
// The bytes that `spelling` stands for; nothing when a character is not of the alphabet.
std::optional<std::string> unspell_bytes(std::string_view spelling);

struct Merge {
  int32_t rank = 0;  // lower goes first
  int32_t id = 0;    // what the pair becomes
};

// The pairs that merge, looked up by their two ids.
class MergeTable {
 public:
  explicit MergeTable(size_t expected = 0);
  // A pair that is there already is overwritten.
  void add(int32_t left, int32_t right, Merge merge);
  // Null when the pair does not merge. Ids must not be negative.
  const Merge* find(int32_t left, int32_t right) const;

 private:
  struct Slot {
    int32_t left = -1, right = -1;  // left -1: free
    Merge merge;
  };
  size_t slot_of(int32_t left, int32_t right) const;
  void grow();

  std::vector<Slot> slots_;  // a power of two, at most half full; open addressing
  size_t used_ = 0;
};

// Merges pieces one after another; keeps its scratch between them.
class PieceMerger {
 public:
  explicit PieceMerger(const MergeTable& table) : table_(table) {}
  // `ids` of single bytes in, of what they merge to out: always the pair of lowest rank, of equal
  // ones the leftmost (tokenizers, models/bpe/word.rs, merge_all).
  void merge(std::vector<int32_t>& ids);

 private:
  struct Symbol {
    int32_t id;          // -1: merged into the one before
    int32_t prev, next;  // -1: none
  };
  void queue_pair(int32_t left);
  bool merge_at(int32_t left, int32_t rank);

  const MergeTable& table_;
  std::vector<Symbol> symbols_;
  std::vector<uint64_t> queue_;  // heap of rank << 32 | position of the left symbol
};

}  // namespace janus
