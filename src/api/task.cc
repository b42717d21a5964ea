// SPDX-License-Identifier: MIT
#include "api/task.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace janus {

namespace {
// Clocks overflow beyond; nobody waits longer.
constexpr Task::Time kLongest = std::chrono::hours(24 * 365);
constexpr const char* kCancelled = "the request was cancelled before it began";
}  // namespace

Task::Task(Kind kind, Work work)
    : kind_(kind), work_(std::make_shared<const Work>(std::move(work))) {}

std::shared_ptr<Task> Task::drawing(const std::vector<DrawRequest>& requests, int64_t codes,
                                    Work work) {
  std::shared_ptr<Task> task(new Task(Kind::drawing, std::move(work)));
  for (const DrawRequest& request : requests) {
    task->first_.push_back(task->view_.pictures_total);
    task->view_.pictures_total += request.images;
  }
  task->view_.codes_total = task->view_.pictures_total * codes;
  return task;
}

std::shared_ptr<Task> Task::asking(Work work) {
  return std::shared_ptr<Task>(new Task(Kind::asking, std::move(work)));
}

std::shared_ptr<Task> Task::embedding(Work work) {
  return std::shared_ptr<Task>(new Task(Kind::embedding, std::move(work)));
}

void Task::check_kind(Kind wanted) const {
  constexpr const char* kHas[] = {"it has pictures", "it has an answer", "it has an embedding"};
  check(kind_ == wanted, Code::bad_input,
        "the job is of another kind: ", kHas[static_cast<size_t>(kind_)]);
}

void Task::runs_on(std::thread::id thread) {
  const std::lock_guard lock(mutex_);
  runner_ = thread;
}

MemoryPlan Task::plan(const Setup& now) const {
  std::shared_ptr<const Work> work;
  {
    const std::lock_guard lock(mutex_);
    work = work_;
  }
  check(work != nullptr, Code::cancelled, kCancelled);
  return work->plan(now);
}

std::unique_ptr<Member> Task::begin(const Shared& shared, const MemoryPlan& plan) {
  std::shared_ptr<const Work> work;
  {
    const std::lock_guard lock(mutex_);
    if (view_.over()) return nullptr;
    work = std::exchange(work_, nullptr);
    view_.state = JobState::running;
    ++view_.change;
    changed_.notify_all();
  }
  return work->begin(*this, shared, plan);
}

// Whose code it is decides: what an event throws is the caller's own.
void Task::end(std::exception_ptr failure) {
  JobState state = JobState::done;
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const Error& error) {
    state = error.code() == Code::cancelled ? JobState::cancelled : JobState::failed;
  } catch (...) {
    state = JobState::failed;
  }
  std::shared_ptr<const Work> unwanted;  // of a task that never began; dropped outside the lock
  std::vector<std::function<void()>> told;
  {
    const std::lock_guard lock(mutex_);
    if (view_.over()) return;
    unwanted = std::exchange(work_, nullptr);
    told = end(state, std::move(failure));
  }
  for (const auto& tell : told) tell();
}

std::vector<std::function<void()>> Task::end(JobState state, std::exception_ptr failure) {
  view_.state = state;
  ++view_.change;
  failure_ = std::move(failure);
  runner_ = {};
  changed_.notify_all();
  return std::exchange(told_, {});
}

void Task::on_end(std::function<void()> told) {
  {
    const std::lock_guard lock(mutex_);
    if (!view_.over()) {
      told_.push_back(std::move(told));
      return;
    }
  }
  told();
}

int64_t Task::number(int request, int index) const {
  return first_[static_cast<size_t>(request)] + index;
}

void Task::note(const Progress& progress) {
  const std::lock_guard lock(mutex_);
  view_.phase = progress.phase;
  view_.codes = progress.done;
  for (const Sketch& sketch : progress.sketches) {
    const int64_t at = number(sketch.request, sketch.index);
    if (at < view_.pictures) continue;
    std::vector<int32_t>& codes = codes_[at];
    codes.insert(codes.end(), sketch.codes.begin() + static_cast<int64_t>(codes.size()),
                 sketch.codes.end());
  }
  ++view_.change;
  changed_.notify_all();
}

const Picture& Task::note(Picture picture) {
  const std::lock_guard lock(mutex_);
  const int64_t at = number(picture.request, picture.index);
  check(at == view_.pictures, Code::bug, "picture ", at, " came where ", view_.pictures, " is due");
  pictures_.push_back(std::make_shared<Picture>(std::move(picture)));
  codes_.erase(at);
  ++view_.pictures;
  ++view_.change;
  changed_.notify_all();
  return *pictures_.back();
}

void Task::note(std::string_view piece) {
  if (piece.empty()) return;
  const std::lock_guard lock(mutex_);
  text_ += piece;
  view_.text_bytes = static_cast<int64_t>(text_.size());
  ++view_.change;
  changed_.notify_all();
}

void Task::note(AnswerToken token) {
  const std::lock_guard lock(mutex_);
  tokens_.push_back(std::move(token));
}

void Task::note(Answer answer) {
  const std::lock_guard lock(mutex_);
  answer_ = std::move(answer);
  answer_.tokens = tokens_;
}

void Task::note(Embedding embedding) {
  const std::lock_guard lock(mutex_);
  embedding_ = std::move(embedding);
}

JobView Task::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

bool Task::wait(std::optional<Time> at_most) const {
  std::unique_lock lock(mutex_);
  check(runner_ != std::this_thread::get_id(), Code::bad_input,
        "an event of a running request waits for the end of a job of the same engine, which would "
        "never come; wait elsewhere");
  const auto over = [this] { return view_.over(); };
  if (at_most) return changed_.wait_for(lock, std::min(*at_most, kLongest), over);
  changed_.wait(lock, over);
  return true;
}

JobView Task::wait_change(uint64_t seen, Time at_most) const {
  std::unique_lock lock(mutex_);
  check(
      runner_ != std::this_thread::get_id(), Code::bad_input,
      "an event of a running request waits for news of a job of the same engine, which would never "
      "come; wait elsewhere");
  changed_.wait_for(lock, std::min(at_most, kLongest),
                    [&] { return view_.over() || view_.change > seen; });
  return view_;
}

void Task::cancel() {
  cancel_.store(true, std::memory_order_relaxed);
  std::shared_ptr<const Work> unwanted;  // dropped outside the lock: it may hold the last handle of
                                         // another job
  std::vector<std::function<void()>> told;
  {
    const std::lock_guard lock(mutex_);
    if (view_.state != JobState::waiting) return;
    unwanted = std::exchange(work_, nullptr);
    told = end(JobState::cancelled, std::make_exception_ptr(Error(Code::cancelled, kCancelled)));
  }
  for (const auto& tell : told) tell();
}

void Task::check_number(int64_t number) const {
  check(number >= 0 && number < view_.pictures_total, Code::bad_input, "the job has no picture ",
        number, "; it has ", view_.pictures_total, ", numbered from 0");
}

std::vector<int32_t> Task::codes(int64_t number) const {
  const std::lock_guard lock(mutex_);
  check_number(number);
  if (number < view_.pictures) return pictures_[static_cast<size_t>(number)]->codes;
  const auto found = codes_.find(number);
  return found == codes_.end() ? std::vector<int32_t>() : found->second;
}

std::shared_ptr<const Picture> Task::picture(int64_t number) const {
  const std::lock_guard lock(mutex_);
  check_number(number);
  if (number >= view_.pictures) return nullptr;
  return pictures_[static_cast<size_t>(number)];
}

std::string Task::text() const {
  const std::lock_guard lock(mutex_);
  return text_;
}

std::vector<AnswerToken> Task::tokens(int64_t from) const {
  check(from >= 0, Code::bad_input, "tokens from ", from, "; they are numbered from 0");
  const std::lock_guard lock(mutex_);
  const auto skipped = std::min(from, static_cast<int64_t>(tokens_.size()));
  return {tokens_.begin() + skipped, tokens_.end()};
}

void Task::check_ended() const {
  wait(std::nullopt);
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

std::vector<Picture> Task::pictures() const {
  check_kind(Kind::drawing);
  check_ended();
  std::vector<Picture> result;
  result.reserve(pictures_.size());
  for (const auto& picture : pictures_) result.push_back(*picture);
  return result;
}

std::vector<Picture> Task::take_pictures() {
  check_ended();
  std::vector<Picture> result;
  result.reserve(pictures_.size());
  for (const auto& picture : pictures_) result.push_back(std::move(*picture));
  return result;
}

Answer Task::answer() const {
  check_kind(Kind::asking);
  check_ended();
  return answer_;
}

Embedding Task::embedding() const {
  check_kind(Kind::embedding);
  check_ended();
  return embedding_;
}

// --- the handle ----------------------------------------------------------------------------------

Job::Job(std::shared_ptr<Task> task) : task_(std::move(task)) {}

JobView Job::view() const { return task_->view(); }
void Job::wait() const { task_->wait(std::nullopt); }
bool Job::wait(std::chrono::milliseconds at_most) const { return task_->wait(at_most); }
JobView Job::wait_change(uint64_t seen, std::chrono::milliseconds at_most) const {
  return task_->wait_change(seen, at_most);
}
void Job::on_end(std::function<void()> told) const { task_->on_end(std::move(told)); }
void Job::cancel() const { task_->cancel(); }
std::vector<int32_t> Job::codes(int64_t picture) const { return task_->codes(picture); }
std::shared_ptr<const Picture> Job::picture(int64_t picture) const {
  return task_->picture(picture);
}
std::string Job::text() const { return task_->text(); }
std::vector<AnswerToken> Job::tokens(int64_t from) const { return task_->tokens(from); }
std::vector<Picture> Job::pictures() const { return task_->pictures(); }
Answer Job::answer() const { return task_->answer(); }
Embedding Job::embedding() const { return task_->embedding(); }
void Job::check() const { task_->check_ended(); }

}  // namespace janus
