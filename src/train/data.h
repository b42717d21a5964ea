// Rows of training data as plain numbers, made ahead of the step that needs them. The batch of a
// step is a pure function of the recipe and the step's number, so a loader's whole position is that
// number. No libtorch types here. Next: codec_task.h and language_task.h turn batches into losses.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "generate/prompt.h"
#include "io/image.h"
#include "train/code_cache.h"
#include "train/recipe.h"
#include "world/scene.h"

namespace janus::train {

// Pictures for the codec, with what part of each pixel an object covers.
struct PictureBatch {
  int64_t count = 0;            // B
  int64_t side = 0;             // S
  std::vector<float> pixels;    // [B, 3, S, S], -1..1
  std::vector<float> coverage;  // [B, S, S], 0..1
};

// Which of the rows of a pass a process makes: as many as any other.
struct Portion {
  int64_t number = 0, of = 1;
  int64_t begin(int64_t rows) const { return rows * number / of; }
  int64_t end(int64_t rows) const { return rows * (number + 1) / of; }
};

// The pictures of pass `pass` (passes count on over all steps). While step < crop_until * steps
// they are crops around an object.
PictureBatch codec_batch(const Recipe& recipe, int64_t step, int64_t pass, Portion portion = {});

// One picture to draw: what the model is told, and the picture whose codes it learns.
struct DrawRow {
  std::vector<int32_t>
      prompt;  // up to and including begin-of-image; pads where the prompt is dropped
  std::vector<float> pixels;      // [3, S, S]; empty where the codes are given
  std::vector<int64_t> codes;     // [N], or empty: those of the pixels
  std::optional<Digest> picture;  // under which those of the pixels are to be kept
  std::vector<int64_t> shapes;    // [N] of the object nearest to the code's cell
  std::vector<int64_t> colours;   // [N]
  std::vector<bool> covered;      // [N] whether an object touches the cell
  // Of a preference the picture that is to become less likely, like the one that is drawn.
  std::vector<float> rejected;             // [3, S, S]
  std::vector<int64_t> rejected_codes;     // [N], or empty: those of the pixels
  std::optional<Digest> rejected_picture;  // under which those are to be kept
  // Of an edit: the picture that the prompt shows, as the codec and as the vision tower take it.
  // Empty where nothing of it is left.
  std::vector<float> source;             // [3, S, S]
  std::vector<int64_t> source_codes;     // [N], or empty: those of the source
  std::optional<Digest> source_picture;  // under which those are to be kept
  std::vector<float> seen;               // [3, V, V]
};

// A row that changes a picture as it is told, without the picture that is to come out.
// Code::bad_input where no layout of edits is set.
DrawRow edit_row(const PromptBuilder& prompts, const std::string& instruction, const Image& source,
                 const Config& config);

// A conversation as ids, and which of them are replies (their end tokens included).
struct Dialogue {
  std::vector<int32_t> ids;  // image ids in place
  std::vector<bool> taught;  // [ids]
};
// `messages` end with the assistant's; `system` as for PromptBuilder::read(). Throws
// Code::bad_input where replies cannot be told from the rest: an empty one, or tokens of the
// template in a text; Code::not_supported for a model whose roles are plain words.
Dialogue teach(const PromptBuilder& prompts, std::span<const Message> messages,
               std::optional<std::string_view> system = std::nullopt);

// Questions about pictures, or about none, and their replies. What follows the pixels is known of
// pictures of the world alone.
struct AskRow {
  Dialogue dialogue;
  std::optional<Dialogue> rejected;  // of a preference: the same up to a last reply that is worse
  std::vector<float> pixels;         // [pictures, 3, S, S]
  std::vector<int64_t> shapes;       // [P] what covers each patch's centre: class, or kShapeCount
  std::vector<int64_t> colours;      // [P] ... colour, or kColourCount
  std::vector<bool> covered;         // [P] whether anything does
};

// A row that cannot be used. The next one of its source that can stands in for it.
struct BrokenRow {
  size_t source;  // of the recipe
  int64_t row;
  std::string place;
  std::string reason;
};

struct LanguageBatch {
  std::vector<DrawRow> draw;
  std::vector<AskRow> ask;
  std::vector<BrokenRow> broken;  // what was met on the way
};

// Which sample of which source fills place `place`, counted over all passes. Any run of places
// holds the sources by weight, to within two. Of a file: how many places before it were the file's.
struct Slot {
  const Source* source;
  uint64_t index;
};
Slot slot_of(const Recipe& recipe, uint64_t place);

// Where item `index` of an endless reading of `count` items lies: every run of `count` from a
// multiple of it on is each of them once, in an order of its own that `key` decides.
uint64_t shuffled(uint64_t index, uint64_t count, uint64_t key);

// What the sources of a recipe give, in its order: row_source.h.
class RowSource;
using RowSources = std::vector<std::unique_ptr<RowSource>>;

// The rows of pass `pass`, or a portion: recipe.batch.micro of them in all, fewer only where a
// source has more broken ones than it may. `sources`: those of the recipe. Throws for a sample of
// the world that does not fit, and where a source has nothing but broken rows.
LanguageBatch language_batch(const Recipe& recipe, const PromptBuilder& prompts,
                             const RowSources& sources, int64_t pass, Portion portion = {});

// u8 / 127.5 - 1 as [3, side, side]; the window starts at (x, y). The image must hold it.
void append_pixels(const Image& image, int x, int y, int side, std::vector<float>& out);

// Makes items first, first + 1, ... on threads of its own, a few ahead of what is asked for. What
// is made does not depend on the number of threads, `make` must not on their order.
template <class Item>
class Ahead {
 public:
  Ahead(std::function<Item(int64_t)> make, int64_t first, int64_t workers = 1)
      : make_(std::move(make)),
        depth_(std::max<int64_t>(4, 2 * workers)),
        begun_(first),
        given_(first) {
    for (int64_t i = 0; i < workers; ++i) threads_.emplace_back([this] { produce(); });
  }
  ~Ahead() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Ahead(const Ahead&) = delete;
  Ahead& operator=(const Ahead&) = delete;

  // The next item; an exception of the maker comes out in its place, then and from then on.
  Item next() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return made_.count(given_) > 0; });
    const auto found = made_.find(given_);
    if (found->second.index() == 1) std::rethrow_exception(std::get<1>(found->second));
    Item item = std::move(std::get<0>(found->second));
    made_.erase(found);
    ++given_;
    lock.unlock();
    wake_.notify_all();
    return item;
  }

 private:
  using Made = std::variant<Item, std::exception_ptr>;

  void produce() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stop_ || begun_ < given_ + depth_; });
      if (stop_) return;
      const int64_t index = begun_++;
      lock.unlock();
      Made made = attempt(index);
      lock.lock();
      made_.emplace(index, std::move(made));
      wake_.notify_all();
    }
  }
  Made attempt(int64_t index) {
    try {
      return make_(index);
    } catch (...) {
      return std::current_exception();
    }
  }

  std::function<Item(int64_t)> make_;
  int64_t depth_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<int64_t, Made> made_;
  int64_t begun_, given_;  // the next to make, the next to hand out
  bool stop_ = false;
  std::vector<std::thread> threads_;  // last: they use all of the above
};

}  // namespace janus::train
