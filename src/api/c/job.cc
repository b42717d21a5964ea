// SPDX-License-Identifier: MIT
#include "api/c/job.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "api/c/door.h"
#include "api/c/guard.h"
#include "api/c/image.h"
#include "api/c/requests.h"
#include "api/c/struct.h"

namespace janus::c {

namespace {

januspro_job& check_job(januspro_job* job) {
  check(job != nullptr, Code::bad_input, "the job is NULL; januspro_submit_draw() gives one");
  return *job;
}

// Throws what the job failed of, if it is over.
void check_failure(const januspro_job& job) {
  if (job.job.view().over()) CDoor::task(job.job).check_ended();
}

// What a job that is over failed of, found once so that its text stays.
const Failure& failure_of(januspro_job& job) {
  const std::lock_guard lock(job.mutex);
  if (!job.failure) {
    try {
      check_failure(job);
      job.failure.emplace();
    } catch (...) {
      job.failure = present_failure();
    }
  }
  return *job.failure;
}

// What a job that is over gave, taken once and kept in `place` so that pointers into it stay.
// Throws Code::busy before that.
template <class Result>
const Result& result_of(januspro_job& job, std::optional<Result>& place,
                        Result (Job::*take)() const) {
  check(job.job.view().over(), Code::busy, "the result is not finished yet; wait for the job");
  const std::lock_guard lock(job.mutex);
  if (!place) place = (job.job.*take)();
  return *place;
}
const Answer& answer_of(januspro_job& job) { return result_of(job, job.answer, &Job::answer); }
const Embedding& embedding_of(januspro_job& job) {
  return result_of(job, job.embedding, &Job::embedding);
}

// Copies what there is room for, and says how much there is.
template <class T>
void copy_out(const T* from, size_t there, T* to, size_t* count) {
  check(count != nullptr, Code::bad_input, "count is NULL; it says how much there is room for");
  check(to != nullptr || *count == 0, Code::bad_input, "there is room for ", *count,
        ", but where it is to go is NULL");
  const size_t copied = std::min(*count, there);
  if (copied > 0) std::memcpy(to, from, copied * sizeof(T));
  *count = there;
}

}  // namespace

}  // namespace janus::c

using namespace janus;
using namespace janus::c;

void januspro_view_init(januspro_view* view, size_t size) {
  januspro_view defaults{};
  defaults.error = "";
  init_struct(view, size, defaults);
}
void januspro_picture_init(januspro_picture* picture, size_t size) {
  init_struct(picture, size, {});
}
void januspro_answer_init(januspro_answer* answer, size_t size) { init_struct(answer, size, {}); }
void januspro_embedding_init(januspro_embedding* embedding, size_t size) {
  init_struct(embedding, size, {});
}
void januspro_scored_token_init(januspro_scored_token* token, size_t size) {
  init_struct(token, size, {});
}

januspro_code januspro_job_view(januspro_job* job, januspro_view* view) {
  return guarded([&] {
    januspro_job& own = check_job(job);
    const JobView now = own.job.view();
    januspro_view shown{};
    shown.state = static_cast<januspro_state>(now.state);
    shown.change = now.change;
    shown.phase = static_cast<januspro_phase>(now.phase);
    shown.codes = now.codes;
    shown.codes_total = now.codes_total;
    shown.pictures = now.pictures;
    shown.pictures_total = now.pictures_total;
    shown.text_bytes = now.text_bytes;
    shown.error = "";
    if (now.over()) {
      const Failure& failure = failure_of(own);
      shown.code = failure.code;
      shown.error = failure.text.c_str();
    }
    write_struct(view, "view", shown);
  });
}

int januspro_job_wait(januspro_job* job, int64_t milliseconds) {
  bool over = false;
  guarded([&] {
    const Job& own = check_job(job).job;
    if (milliseconds < 0) own.wait();
    over = own.wait(std::chrono::milliseconds(std::max<int64_t>(milliseconds, 0)));
  });
  return over;
}

int januspro_job_wait_change(januspro_job* job, uint64_t seen, int64_t milliseconds) {
  bool news = false;
  guarded([&] {
    const Job& own = check_job(job).job;
    const auto most = milliseconds < 0 ? std::chrono::milliseconds::max()
                                       : std::chrono::milliseconds(milliseconds);
    const JobView view = own.wait_change(seen, most);
    news = view.over() || view.change > seen;
  });
  return news;
}

void januspro_job_cancel(januspro_job* job) {
  if (job) job->job.cancel();
}

januspro_code januspro_job_codes(januspro_job* job, int64_t number, int32_t* codes, size_t* count) {
  return guarded([&] {
    const std::vector<int32_t> now = check_job(job).job.codes(number);
    copy_out(now.data(), now.size(), codes, count);
  });
}

januspro_code januspro_job_picture(januspro_job* job, int64_t number, januspro_picture* picture) {
  return guarded([&] {
    januspro_job& own = check_job(job);
    const std::shared_ptr<const Picture> found = own.job.picture(number);
    if (!found) check_failure(own);
    check(found != nullptr, Code::busy, "picture ", number,
          " is not finished yet; wait for the job or its next change");
    const std::lock_guard lock(own.mutex);
    const januspro_image& image =
        own.images.try_emplace(number, view_image(found->image)).first->second;
    write_struct(picture, "picture", view_picture(*found, image));
  });
}

januspro_code januspro_job_text(januspro_job* job, size_t from, char* text, size_t* count) {
  return guarded([&] {
    const std::string now = check_job(job).job.text();
    const size_t begin = std::min(from, now.size());
    copy_out(now.data() + begin, now.size() - begin, text, count);
  });
}

januspro_code januspro_job_answer(januspro_job* job, januspro_answer* answer) {
  return guarded([&] {
    const Answer& found = answer_of(check_job(job));
    const januspro_answer shown{sizeof shown,        found.text.c_str(),
                                found.text.size(),   static_cast<januspro_finish>(found.finish),
                                found.prompt_tokens, found.answer_tokens,
                                found.cached_tokens};
    write_struct(answer, "answer", shown);
  });
}

januspro_code januspro_job_embedding(januspro_job* job, januspro_embedding* embedding) {
  return guarded([&] {
    const Embedding& found = embedding_of(check_job(job));
    write_struct(embedding, "embedding",
                 {sizeof(januspro_embedding), found.values.data(), found.values.size(),
                  found.prompt_tokens});
  });
}

januspro_code januspro_job_token(januspro_job* job, int64_t number, int rank,
                                 januspro_scored_token* token) {
  return guarded([&] {
    const std::vector<AnswerToken>& tokens = answer_of(check_job(job)).tokens;
    const auto told = static_cast<int64_t>(tokens.size());
    check(number >= 0 && number < told, Code::bad_input, "there is no token ", number, ": ", told,
          " of the answer have probabilities (logprobs of the request)");
    const AnswerToken& at = tokens[static_cast<size_t>(number)];
    const auto likeliest = static_cast<int64_t>(at.likeliest.size());
    check(rank >= 0 && rank <= likeliest, Code::bad_input, "there is no rank ", rank,
          ": the chosen token has 0, the ", likeliest, " likeliest follow");
    const ScoredToken& found = rank == 0 ? at.chosen : at.likeliest[static_cast<size_t>(rank) - 1];
    write_struct(
        token, "scored_token",
        {sizeof(januspro_scored_token), found.bytes.data(), found.bytes.size(), found.logprob});
  });
}

void januspro_job_free(januspro_job* job) {
  if (!job) return;
  job->job.cancel();
  guarded([&] { job->job.wait(); });  // refused, with no harm, in a callback of the job itself
  delete job;
}
