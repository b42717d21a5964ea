// See link.h. SPDX-License-Identifier: MIT
#include "train/link.h"

#include <unistd.h>

#include "base/error.h"

#ifndef JANUSPRO_C10D

namespace janus::train {

Joined join(const Place& place, const Log&) {
  fail(Code::not_supported, place.launcher, " has started ", place.size,
       " processes, and this program was built for one alone: its libtorch has no c10d with Gloo "
       "that could be used, as CMake said");
}

}  // namespace janus::train

#else

#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

namespace janus::train {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMeeting = std::chrono::minutes(5);      // until all have come
constexpr milliseconds kLook = milliseconds(300);               // between looks at the roll call
constexpr milliseconds kForever = std::chrono::hours(24 * 30);  // the roll call is who notices

class StoreBoard final : public Board {
 public:
  explicit StoreBoard(c10::intrusive_ptr<c10d::Store> store) : store_(std::move(store)) {}
  void write(const std::string& key, const std::string& text) override {
    store_->set(key, std::vector<uint8_t>(text.begin(), text.end()));
  }
  std::optional<std::string> read(const std::string& key) override {
    if (!store_->check({key})) return std::nullopt;
    const std::vector<uint8_t> found = store_->get(key);
    return std::string(found.begin(), found.end());
  }
  int64_t add(const std::string& key, int64_t number) override { return store_->add(key, number); }

 private:
  c10::intrusive_ptr<c10d::Store> store_;
};

class GlooLink final : public Link {
 public:
  GlooLink(c10::intrusive_ptr<c10d::ProcessGroupGloo> group, RollCall& roll_call)
      : group_(std::move(group)), roll_call_(roll_call) {}
  // Where somebody is missing, its threads may wait for what never comes: they are left to it.
  ~GlooLink() override {
    if (deserted_) group_.release();
  }

  void exchange(torch::Tensor& out, torch::Tensor& in) override {
    std::vector<int64_t> even;
    attempt([&] { return group_->all_to_all_single(out, in, even, even); });
  }
  void gather(torch::Tensor& out, torch::Tensor& part) override {
    attempt([&] { return group_->all_gather_single(out, part); });
  }
  void sum(torch::Tensor& values) override {
    std::vector<torch::Tensor> all = {values};
    attempt([&] { return group_->allreduce(all); });
  }
  void from_first(torch::Tensor& values) override {
    std::vector<torch::Tensor> all = {values};
    attempt([&] { return group_->broadcast(all); });
  }

 private:
  template <class Begin>
  void attempt(const Begin& begin) {
    try {
      wait(*begin());
    } catch (const std::exception& error) {
      deserted_ = true;
      roll_call_.hurry();
      throw Deserted(error.what());
    }
  }
  // Those of a process that does not answer would last for ever.
  void wait(c10d::Work& work) {
    while (!work.isCompleted()) {
      try {
        work.wait(kLook);
      } catch (const std::exception&) {
        if (work.isCompleted()) throw;
        if (const auto missing = roll_call_.missing()) throw Deserted(*missing);
      }
    }
    work.wait();  // throws what went wrong
  }

  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
  RollCall& roll_call_;
  bool deserted_ = false;
};

c10::intrusive_ptr<c10d::Store> open_store(const Place& place) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(place.port);
  options.isServer = place.rank == 0 && !place.meeting_is_kept;
  options.waitWorkers = false;
  options.timeout = kMeeting;
  try {
    return c10::make_intrusive<c10d::PrefixStore>(
        "januspro/" + place.attempt, c10::make_intrusive<c10d::TCPStore>(place.address, options));
  } catch (const std::exception& error) {
    fail(Code::device_failure, "process ", place.rank, " of ", place.size, " cannot ",
         options.isServer ? "listen at " : "reach process 0 at ", place.address, ", port ",
         place.port, "; MASTER_ADDR and MASTER_PORT say where: ", error.what());
  }
}

// A launcher that started fewer than it says would leave the others waiting in silence.
void await_all(const Place& place, Board& board, const Log& log) {
  int64_t there = board.add("arrived", 1);
  const auto begin = std::chrono::steady_clock::now();
  bool told = false;
  while (there < place.size) {
    const auto waited = std::chrono::steady_clock::now() - begin;
    check(waited < kMeeting, Code::device_failure, "of ", place.size, " processes that ",
          place.launcher, " should have started ", there, " came within five minutes");
    if (!told && waited > std::chrono::seconds(5)) {
      log("waiting for " + std::to_string(place.size - there) + " of " +
          std::to_string(place.size) + " processes");
      told = true;
    }
    ::usleep(20'000);
    there = board.add("arrived", 0);
  }
}

bool on_this_machine(const std::string& address) {
  return address == "localhost" || address.starts_with("127.");
}

std::string own_name() {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  return std::string(host) + ", process id " + std::to_string(::getpid());
}

}  // namespace

Joined join(const Place& place, const Log& log) {
  // What it warns of, with pages of addresses, is told by the roll call in words.
  FLAGS_caffe2_log_level = 2;
  const auto store = open_store(place);
  auto board = std::make_unique<StoreBoard>(store->clone());  // with a line of its own
  await_all(place, *board, log);
  Joined joined;
  joined.roll_call =
      std::make_unique<RollCall>(std::move(board), place.rank, place.size, own_name());
  try {
    const bool here = on_this_machine(place.address);
    auto options = here ? c10d::ProcessGroupGloo::Options::create(kForever)
                        : c10d::ProcessGroupGloo::Options::create_default(kForever);
    if (here) {
      options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
    }
    options->threads = 1;
    joined.link = std::make_unique<GlooLink>(
        c10::make_intrusive<c10d::ProcessGroupGloo>(store, place.rank, place.size, options),
        *joined.roll_call);
  } catch (const std::exception& error) {
    fail(Code::device_failure, "process ", place.rank, " of ", place.size,
         " cannot connect to the others: ", error.what());
  }
  return joined;
}

}  // namespace janus::train

#endif
