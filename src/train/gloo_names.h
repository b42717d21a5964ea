// Gloo's names as far as libtorch's header of its process group needs them: libtorch holds the
// library, whose headers it does not ship. The group only passes pointers to these on, so they are
// declared and nothing of what is in them is; a use of more than a name does not compile. CMake
// makes the headers that libtorch's includes forward to this one, and tries all of it
// (cmake/FindLibTorch.cmake).
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace gloo {

class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};

namespace transport {
class Device;
class UnboundBuffer;
}  // namespace transport

namespace rendezvous {

// Derived from in the header, but never made here: its table of functions is libtorch's own.
class Store {
 public:
  virtual ~Store();
  virtual void set(const std::string& key, const std::vector<char>& data) = 0;
  virtual std::vector<char> get(const std::string& key) = 0;
  virtual void wait(const std::vector<std::string>& keys) = 0;
  virtual void wait(const std::vector<std::string>& keys,
                    const std::chrono::milliseconds& timeout) = 0;
};

}  // namespace rendezvous
}  // namespace gloo
