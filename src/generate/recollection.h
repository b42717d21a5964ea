// What an engine keeps between answers, so that a conversation is not read again from its
// beginning: vectors of pictures, and the keys and values of the last prompt with its answer. Since
// the bits of a row do not depend on where a prompt was cut (kernels/backend.h), an answer is the
// same with and without it. SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "generate/state.h"
#include "io/image.h"
#include "model/model.h"

namespace janus {

// SHA-256 of size and pixels.
using PictureKey = std::array<uint8_t, 32>;
PictureKey picture_key(const Image& image);

// Vectors of pictures that were read, [P, D] each; those used longest ago go first.
class PictureMemory {
 public:
  explicit PictureMemory(int64_t limit_bytes) : limit_(limit_bytes) {}

  // Both are views, valid until the next keep(). Empty when the picture is not here.
  Tensor find(const PictureKey& key);
  // The picture kept last stays even where it is larger than the limit.
  Tensor keep(const PictureKey& key, OwnedTensor vectors);
  int64_t bytes() const { return bytes_; }  // from any thread
  void forget();

 private:
  struct Entry {
    PictureKey key;
    OwnedTensor vectors;
  };
  int64_t limit_;
  std::atomic<int64_t> bytes_ = 0;
  std::list<Entry> entries_;  // used last, first
};

// What was run at one position: a token, or a row of a picture.
struct Fed {
  int32_t id = 0;
  int32_t row = -1;  // of the picture; -1: a token
  PictureKey picture = {};

  bool operator==(const Fed&) const = default;
};

// One sequence, and what was run at each of its positions. What is recorded did run, whatever
// exception ended the call; what did not is cut away by the next resume().
class PrefixMemory {
 public:
  PrefixMemory(const Model& model, Dtype cache) : model_(model), cache_(cache) {}

  // Keeps what `prompt` has in common with what was run, at most all but its last position, and
  // makes room for `positions` in all. Returns how many are kept.
  int64_t resume(std::span<const Fed> prompt, int64_t positions);
  // Runs x [T, D], which stands for `fed`, behind what is there: embeddings in, hidden states out.
  // `between` is called before each piece of it.
  void run(Tensor x, std::span<const Fed> fed, const std::function<void()>& between);
  // One more token.  x [1, D]
  void step(int32_t id, Tensor x);

  // Positions there is room for now.
  int64_t room() const { return state_ ? state_->cache().positions() : 0; }
  int64_t bytes() const { return bytes_; }  // from any thread
  void forget();

 private:
  void resize(int64_t positions, int64_t kept, int64_t prompt);
  int64_t count_bytes() const;

  const Model& model_;
  Dtype cache_;
  std::unique_ptr<State> state_;
  int32_t sequence_ = 0;
  std::vector<Fed> fed_;
  std::atomic<int64_t> bytes_ = 0;
};

struct Recollection {
  static constexpr int64_t kPictureBytes = int64_t{256} << 20;  // 54 pictures of the 1B model

  PictureMemory pictures{kPictureBytes};
  PrefixMemory prefix;

  // The model must outlive it.
  Recollection(const Model& model, Dtype cache) : prefix(model, cache) {}

  int64_t bytes() const { return pictures.bytes() + prefix.bytes(); }
  void forget();
};

}  // namespace janus
