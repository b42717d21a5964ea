// Workspace: scratch memory of one running batch, handed out from the front and given back in
// reverse order. It grows to its largest use and then allocates nothing more: a decoding step runs
// in memory that is already there.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <vector>

#include "base/buffer.h"
#include "base/tensor.h"

namespace janus {

class Workspace {
 public:
  Workspace() = default;
  // Has `bytes` from the beginning, so that what was planned is taken once; `between` is called
  // while that goes on, which is slow.
  explicit Workspace(int64_t bytes, const std::function<void()>& between = {});

  // Everything taken while a Frame lives is given back when it ends.
  class Frame {
   public:
    explicit Frame(Workspace& space);
    ~Frame();
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;
    // A dense f32 tensor with undefined values, valid until the frame ends.
    Tensor take(std::initializer_list<int64_t> shape);

   private:
    Workspace& space_;
    size_t chunk_;
    int64_t used_;
  };

  // Stands for a frame where memory is planned: the same calls, no memory.
  class Count {
   public:
    Tensor take(std::initializer_list<int64_t> shape);
    int64_t bytes() const { return bytes_; }

   private:
    int64_t bytes_ = 0;
  };

  int64_t bytes() const;  // held in all

 private:
  std::vector<Buffer> chunks_;
  size_t chunk_ = 0;  // the one being filled
  int64_t used_ = 0;  // bytes used in it
};

}  // namespace janus
