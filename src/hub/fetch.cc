// See fetch.h. SPDX-License-Identifier: MIT
#include "hub/fetch.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"

namespace janus {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kTick{100};
constexpr milliseconds kLongestPause{30'000};
constexpr std::chrono::seconds kLongestWait{120};  // that a server may ask for

std::string seconds_text(milliseconds pause) {
  const auto tenths = (pause.count() + 99) / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

}  // namespace

struct Fetcher::Multi {
  CURLM* handle = curl_multi_init();

  Multi() = default;
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;
  ~Multi() { curl_multi_cleanup(handle); }
};

struct Fetcher::Job {
  enum State { waiting, running, finished };

  Job(const HubOptions& options, const Get& get, CURLM* into)
      : transfer(options, get), multi(into) {}
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job() { stop(); }

  // libcurl must forget a request before its handle goes.
  void stop() {
    if (handle != nullptr) curl_multi_remove_handle(multi, handle);
    handle = nullptr;
  }

  Transfer transfer;
  CURLM* multi;
  CURL* handle = nullptr;  // of the request that runs
  State state = waiting;
  Clock::time_point not_before{};
  int failures = 0;  // in a row without anything new
  int64_t best = 0;  // most that was ever held
};

Fetcher::Fetcher(const HubOptions& options, std::function<void()> tick, Log log)
    : options_(options), tick_(std::move(tick)), log_(std::move(log)) {
  check_endpoint(options_.endpoint);
  check_token(options_.token);
  check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, Code::not_supported,
        "libcurl could not be started");
  multi_ = std::make_unique<Multi>();
  check(multi_->handle != nullptr, Code::out_of_memory, "libcurl could not be started");
}

Fetcher::~Fetcher() = default;

void Fetcher::start(Job& job) {
  CURL* handle = job.transfer.prepare();
  const CURLMcode result = curl_multi_add_handle(multi_->handle, handle);
  check(result == CURLM_OK, Code::device_failure, "libcurl: ", curl_multi_strerror(result));
  job.handle = handle;
  job.state = Job::running;
}

// Whether the file is there.
bool Fetcher::end_of(Job& job, CURLcode result) {
  job.stop();
  job.state = Job::waiting;
  job.not_before = {};
  const Transfer::Next next = job.transfer.ended(result, contact_);
  contact_ = contact_ || !next.unreached;
  if (next.kind == Transfer::Next::later) put_off(job, next);
  if (next.kind == Transfer::Next::done) job.state = Job::finished;
  return job.state == Job::finished;
}

void Fetcher::put_off(Job& job, const Transfer::Next& next) {
  const Get& get = job.transfer.get();
  const int64_t held = get.into->held();
  if (held > job.best) job.failures = 0;
  job.best = std::max(job.best, held);
  ++job.failures;
  const std::string subject = get.subject.text();
  check(job.failures < options_.attempts, Code::busy, subject, ": ", next.why, " (", job.failures,
        " times in a row); what was fetched is kept, the same command goes on from there");
  check(next.wait <= kLongestWait, Code::busy, subject, ": ", next.why,
        " and asks to come back in ", next.wait.count(), " s");
  milliseconds pause = options_.first_pause;
  for (int i = 1; i < job.failures && pause < kLongestPause; ++i) pause *= 2;
  pause = std::max<milliseconds>(std::min(pause, kLongestPause), next.wait);
  job.not_before = Clock::now() + pause;
  if (log_) log_(subject + ": " + next.why + "; trying again in " + seconds_text(pause));
}

// Until something comes, a pause ends, or it is time for a tick.
void Fetcher::wait(std::span<const std::unique_ptr<Job>> jobs) {
  const Clock::time_point now = Clock::now();
  const auto running = std::count_if(jobs.begin(), jobs.end(),
                                     [](const auto& job) { return job->state == Job::running; });
  milliseconds longest = kTick;
  for (const auto& job : jobs) {
    if (job->state != Job::waiting || running >= options_.at_once) continue;
    const auto left = std::chrono::ceil<milliseconds>(job->not_before - now);
    longest = std::clamp(left, milliseconds(0), longest);
  }
  const CURLMcode result =
      curl_multi_poll(multi_->handle, nullptr, 0, static_cast<int>(longest.count()), nullptr);
  check(result == CURLM_OK, Code::device_failure, "libcurl: ", curl_multi_strerror(result));
}

void Fetcher::get(std::span<const Get> gets, const std::function<void(size_t)>& done) {
  std::vector<std::unique_ptr<Job>> jobs;
  for (const Get& get : gets) {
    jobs.push_back(std::make_unique<Job>(options_, get, multi_->handle));
    jobs.back()->best = get.into->held();
  }
  const auto count = [&](Job::State state) {
    return std::count_if(jobs.begin(), jobs.end(),
                         [state](const auto& job) { return job->state == state; });
  };
  while (count(Job::finished) < static_cast<int64_t>(jobs.size())) {
    const Clock::time_point now = Clock::now();
    for (const auto& job : jobs) {
      if (count(Job::running) >= options_.at_once) break;
      if (job->state == Job::waiting && job->not_before <= now) start(*job);
    }
    int running = 0;
    const CURLMcode result = curl_multi_perform(multi_->handle, &running);
    check(result == CURLM_OK, Code::device_failure, "libcurl: ", curl_multi_strerror(result));
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_->handle, &left)) {
      const CURLcode code = message->data.result;  // the message goes with its handle
      const auto of = std::find_if(jobs.begin(), jobs.end(), [&](const auto& job) {
        return job->handle == message->easy_handle;
      });
      check(of != jobs.end(), Code::bug, "libcurl ended a request that nobody made");
      if (end_of(**of, code)) done(static_cast<size_t>(of - jobs.begin()));
    }
    tick_();
    if (count(Job::finished) < static_cast<int64_t>(jobs.size())) wait(jobs);
  }
}

}  // namespace janus
