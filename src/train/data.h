// Rows of training data as plain numbers, made ahead of the step that needs them. The batch of a
// step is a pure function of the recipe and the step's number, so a loader's whole position is that
// number. No libtorch types here. Next: codec_task.h and language_task.h turn batches into losses.
// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "generate/prompt.h"
#include "io/image.h"
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

// The pictures of pass `pass` (passes count on over all steps). While step < crop_until * steps
// they are crops around an object.
PictureBatch codec_batch(const Recipe& recipe, int64_t step, int64_t pass);

// One picture to draw: what the model is told, and the picture whose codes it learns.
struct DrawRow {
  std::vector<int32_t>
      prompt;  // up to and including begin-of-image; pads where the prompt is dropped
  std::vector<float> pixels;     // [3, S, S]; empty where the codes are given
  std::vector<int64_t> codes;    // [N], or empty: those of the pixels
  std::vector<int64_t> shapes;   // [N] of the object nearest to the code's cell
  std::vector<int64_t> colours;  // [N]
  std::vector<bool> covered;     // [N] whether an object touches the cell
  // Of an edit: the picture that the prompt shows, as the codec and as the vision tower take it.
  // Empty where nothing of it is left.
  std::vector<float> source;  // [3, S, S]
  std::vector<float> seen;    // [3, V, V]
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
  std::vector<float> pixels;     // [pictures, 3, S, S]
  std::vector<int64_t> shapes;   // [P] what covers each patch's centre: class, or kShapeCount
  std::vector<int64_t> colours;  // [P] ... colour, or kColourCount
  std::vector<bool> covered;     // [P] whether anything does
};

struct LanguageBatch {
  std::vector<DrawRow> draw;
  std::vector<AskRow> ask;
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

// The files among the sources, by their paths.
class RowFile;
using RowFiles = std::map<std::string, RowFile>;
RowFiles open_files(const Recipe& recipe);

// The rows of pass `pass`: recipe.batch.micro of them. `files`: those of the recipe.
LanguageBatch language_batch(const Recipe& recipe, const PromptBuilder& prompts,
                             const RowFiles& files, int64_t pass);

// u8 / 127.5 - 1 as [3, side, side]; the window starts at (x, y). The image must hold it.
void append_pixels(const Image& image, int x, int y, int side, std::vector<float>& out);

// Makes items first, first + 1, ... on a thread of its own, at most `depth` ahead.
template <class Item>
class Ahead {
 public:
  Ahead(std::function<Item(int64_t)> make, int64_t first, size_t depth = 4)
      : make_(std::move(make)), depth_(depth), thread_([this, first] { produce(first); }) {}
  ~Ahead() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  Ahead(const Ahead&) = delete;
  Ahead& operator=(const Ahead&) = delete;

  // The next item; an exception of the maker comes out here.
  Item next() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return !ready_.empty() || failure_; });
    if (ready_.empty()) std::rethrow_exception(failure_);
    Item item = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    wake_.notify_all();
    return item;
  }

 private:
  void produce(int64_t index) {
    try {
      for (;; ++index) {
        Item item = make_(index);
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stop_ || ready_.size() < depth_; });
        if (stop_) return;
        ready_.push_back(std::move(item));
        wake_.notify_all();
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
      wake_.notify_all();
    }
  }

  std::function<Item(int64_t)> make_;
  size_t depth_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> ready_;
  std::exception_ptr failure_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace janus::train
