// SPDX-License-Identifier: MIT
#include "serve/jobs/runner.h"

#include <algorithm>

#include "base/sha256.h"

namespace janus::serve {

namespace {

constexpr double kLease = 60;      // seconds
constexpr int kRenew = 10;         // seconds between renewals
constexpr int kSweep = 10;         // … between removals of old jobs
constexpr double kPatience = 1.0;  // seconds that a direct request waits before jobs make room

}  // namespace

int rows_for_jobs(int direct, int most) {
  if (direct == 0) return most;
  return std::clamp((direct + 2) / 3, 1, most);
}

// An item that runs here.
struct Runner::Item {
  explicit Item(const Lease& taken) : lease(taken) {}

  const Lease lease;
  JobWork work = {};
  int rows = 1;
  int64_t total = 1;  // codes, or tokens of an answer
  std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
  std::atomic<bool> begun{false};
  std::atomic<bool> dropped{false};  // its lease is not ours any more
  std::atomic<int64_t> done{0};
  std::mutex mutex = {};  // of what follows
  std::optional<janus::Job> job = {};

  void measure(const ModelInfo& info) {
    rows = work.draw ? rows_of(*work.draw) : 1;
    total = work.draw ? info.image_tokens : std::max(1, work.ask->request.max_tokens);
  }
  void drop() {
    dropped = true;
    const std::lock_guard lock(mutex);
    if (job) job->cancel();
  }
};

Runner::Runner(Desk& desk, StoreDoor& door, std::function<void(const std::string& job)> changed)
    : desk_(desk),
      door_(door),
      changed_(std::move(changed)),
      serial_(std::make_shared<Serial>(desk.work)) {}

Runner::~Runner() = default;

void Runner::wake() {
  serial_->push([self = shared_from_this()] { self->fill(); });
}

void Runner::tick() {
  serial_->push([self = shared_from_this()] {
    if (self->stopped_) return;
    self->save_again();
    ++self->ticks_;
    if (self->ticks_ % kRenew == 0) self->renew([](const Lease&) { return true; });
    if (self->ticks_ % kSweep == 0) {
      try {
        self->door_.use([&](Store& store) { store.remove_old(self->desk_.options.keep_jobs); });
      } catch (const Refusal&) {
        // The log has it, and the next time comes.
      }
    }
    self->make_room();
    self->fill();
  });
}

int Runner::rows() const {
  int rows = 0;
  for (const auto& item : items_) rows += item->rows;
  return rows;
}

bool Runner::is_idle() const {
  const std::lock_guard lock(mutex_);
  return items_.empty();
}

// --- from the store to the engine ----------------------------------------------------------------

// One more at a time: an item that waits for memory stands in the engine's line, where those behind
// it would wait too. One that was tried before is tried alone, as it may be what ends the server.
bool Runner::has_room() const {
  if (!unsaved_.empty()) return false;
  const int allowed = rows_for_jobs(desk_.rows(), desk_.served().info.parallel);
  const std::lock_guard lock(mutex_);
  for (const auto& item : items_) {
    if (!item->begun || item->lease.tries > 1) return false;
  }
  return rows() < allowed;
}

void Runner::fill() {
  while (!stopped_ && desk_.loaded() && has_room()) {
    if (!held_) {
      try {
        held_ = door_.use([](Store& store) { return store.lease(kLease); });
      } catch (const Refusal&) {
        return;
      }
      if (!held_) return;
    }
    if (held_->tries > 1 && !is_idle()) return;
    const Lease lease = std::move(*held_);
    held_.reset();
    begin(lease);
  }
}

void Runner::begin(const Lease& lease) {
  const auto item = std::make_shared<Item>(lease);
  try {
    item->work = work_of(lease, desk_.served());
    item->measure(desk_.served().info);
    {
      const std::lock_guard lock(mutex_);
      items_.push_back(item);
    }
    desk_.metrics.add("januspro_requests_running", Metrics::label("kind", "job"), 1);
    changed_(lease.job);
    submit(item);
  } catch (...) {
    take([&](const Item& each) { return &each == item.get(); });
    fail(lease, std::current_exception());
  }
}

void Runner::submit(const std::shared_ptr<Item>& item) {
  const auto self = shared_from_this();
  std::optional<janus::Job> job;
  if (item->work.ask) {
    const AskRequest& request = item->work.ask->request;
    job = desk_.engine().submit(
        request, [self, item](std::string_view) { return self->step(*item, item->done + 1, 1); });
  } else {
    const DrawCall& call = *item->work.draw;
    DrawEvents events;
    events.on_step = [self, item](const Progress& progress) {
      return self->step(*item, progress.done, item->rows);
    };
    job = call.edit ? desk_.engine().submit(*call.edit, events)
                    : desk_.engine().submit(call.request, events);
  }
  {
    const std::lock_guard lock(item->mutex);
    item->job = job;
  }
  job->on_end([self, item] { self->serial_->push([self, item] { self->ended(item); }); });
  if (item->dropped) job->cancel();
}

// On the engine's thread.
bool Runner::step(Item& item, int64_t done, int64_t rows) {
  const int64_t fresh = done - item.done;
  item.done = done;
  if (item.work.draw) {
    desk_.metrics.add("januspro_image_tokens_total", "", static_cast<double>(fresh));
    if (fresh > 0) desk_.metrics.observe("januspro_batch_rows", "", static_cast<double>(rows));
  }
  if (!item.begun.exchange(true)) wake();
  return !item.dropped;
}

// --- and back ------------------------------------------------------------------------------------

ResultFile Runner::file_of(const Item& item) const {
  ResultFile file;
  if (item.work.ask) {
    const Answer answer = item.job->answer();
    desk_.metrics.add("januspro_prompt_tokens_total", "",
                      static_cast<double>(answer.prompt_tokens - answer.cached_tokens));
    desk_.metrics.add("januspro_text_tokens_total", "", static_cast<double>(answer.answer_tokens));
    file.type = "application/json";
    file.bytes = answer_file(*item.work.ask, answer);
  } else {
    const DrawCall& call = *item.work.draw;
    const std::vector<Picture> pictures = item.job->pictures();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - item.since;
    desk_.metrics.add("januspro_images_total", "");
    desk_.metrics.observe("januspro_image_seconds", "", took.count());
    file.type = media_type(call.form.format);
    file.bytes = encode(pictures.front().image, call.form,
                        desk_.options.recipe(call.request, desk_.served().info, call.edited));
  }
  file.digest = sha256_hex(file.bytes);
  return file;
}

void Runner::ended(const std::shared_ptr<Item>& item) {
  take([&](const Item& each) { return &each == item.get(); });
  if (!item->dropped) {
    try {
      save({item->lease, file_of(*item), {}});
    } catch (const Error& error) {
      // Cancelled by an engine that ends, or without room at this moment: another time.
      if (error.code() == Code::cancelled || error.code() == Code::busy) {
        give_back(item->lease);
      } else {
        fail(item->lease, std::current_exception());
      }
    } catch (...) {
      fail(item->lease, std::current_exception());
    }
  }
  fill();
}

void Runner::fail(const Lease& lease, const std::exception_ptr& failure) {
  const Refusal refusal = desk_.refusal_for(failure, lease.job, "");
  save({lease, {}, dump(error_object(refusal)["error"])});
}

void Runner::save(Unsaved result) {
  unsaved_.push_back(std::move(result));
  save_again();
}

// A result that the store could not take is kept until it can; nothing more is begun before.
void Runner::save_again() {
  while (!unsaved_.empty()) {
    const Unsaved& first = unsaved_.front();
    try {
      door_.use([&](Store& store) {
        return first.file ? store.finish(first.lease, *first.file)
                          : store.fail(first.lease, first.error);
      });
    } catch (const Refusal&) {
      return;
    }
    changed_(first.lease.job);
    unsaved_.pop_front();
  }
}

void Runner::give_back(const Lease& lease) {
  try {
    door_.use([&](Store& store) { return store.give_back(lease); });
  } catch (const Refusal&) {
    return;  // its time passes
  }
  changed_(lease.job);
}

// What another server or client has taken from us is let go.
void Runner::renew(const std::function<bool(const Lease&)>& which) {
  const auto renewed = [&](const Lease& lease) {
    if (!which(lease)) return true;
    try {
      return door_.use([&](Store& store) { return store.renew(lease, kLease); });
    } catch (const Refusal&) {
      return true;  // not known
    }
  };
  std::vector<std::shared_ptr<Item>> items;
  {
    const std::lock_guard lock(mutex_);
    items = items_;
  }
  for (const auto& item : items) {
    if (renewed(item->lease)) continue;
    take([&](const Item& each) { return &each == item.get(); });
    item->drop();
  }
  for (const Unsaved& each : unsaved_) renewed(each.lease);
  if (held_ && !renewed(*held_)) held_.reset();
}

// Of items that run beside each other the youngest has the least to lose. The oldest stays: jobs
// get on, whatever is asked for directly.
void Runner::make_room() {
  if (desk_.longest_wait() < kPatience) return;
  const int allowed = rows_for_jobs(desk_.rows(), desk_.served().info.parallel);
  while (true) {
    std::shared_ptr<Item> youngest;
    {
      const std::lock_guard lock(mutex_);
      if (items_.size() < 2 || rows() <= allowed) return;
      youngest = items_.back();
    }
    take([&](const Item& each) { return &each == youngest.get(); });
    youngest->drop();
    give_back(youngest->lease);
  }
}

// --- from elsewhere ------------------------------------------------------------------------------

// Out of those that run, which is when they stop being counted.
std::vector<std::shared_ptr<Runner::Item>> Runner::take(
    const std::function<bool(const Item&)>& which) {
  std::vector<std::shared_ptr<Item>> taken;
  {
    const std::lock_guard lock(mutex_);
    for (auto item = items_.begin(); item != items_.end();) {
      if (!which(**item)) {
        ++item;
        continue;
      }
      taken.push_back(std::move(*item));
      item = items_.erase(item);
    }
  }
  desk_.metrics.add("januspro_requests_running", Metrics::label("kind", "job"),
                    -static_cast<double>(taken.size()));
  return taken;
}

// And once more behind a fill() that may be about to begin one of them.
void Runner::cancel(const std::string& job) {
  const auto drop = [this, job] {
    for (const auto& item : take([&](const Item& each) { return each.lease.job == job; })) {
      item->drop();
    }
  };
  drop();
  serial_->push([self = shared_from_this(), drop, job] {
    drop();
    if (self->held_ && self->held_->job == job) self->held_.reset();
    self->fill();
  });
}

void Runner::check(const std::string& job) {
  serial_->push([self = shared_from_this(), job] {
    self->renew([&](const Lease& lease) { return lease.job == job; });
    self->fill();
  });
}

void Runner::drain() {
  stopped_ = true;
  serial_->push([self = shared_from_this()] { self->let_go(); });
}

void Runner::close() {
  stopped_ = true;
  let_go();
  serial_->forget();
}

void Runner::let_go() {
  save_again();
  for (const auto& item : take([](const Item&) { return true; })) {
    item->drop();
    give_back(item->lease);
  }
  if (held_) give_back(*held_);
  held_.reset();
}

double Runner::under_way(const std::string& job) const {
  double sum = 0;
  const std::lock_guard lock(mutex_);
  for (const auto& item : items_) {
    if (item->lease.job != job) continue;
    sum += std::min(1.0, static_cast<double>(item->done) / static_cast<double>(item->total));
  }
  return sum;
}

}  // namespace janus::serve
