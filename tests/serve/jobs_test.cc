// What a job's request becomes, what is refused, how a job is shown, and who gets which rows.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "base/sha256.h"
#include "io/base64.h"
#include "made_up.h"
#include "serve/jobs/calls.h"
#include "serve/jobs/door.h"
#include "serve/jobs/runner.h"

namespace janus::serve {
namespace {

std::string picture_url() {
  const auto bytes =
      encode_picture({.width = 2, .height = 2, .rgb = std::vector<uint8_t>(12, 200)});
  return "data:image/png;base64," + to_base64(bytes);
}

Served editor() {
  Served served = made_up();
  served.info.edits = true;
  return served;
}

JobCall parsed(const Json& body, const std::string& key = {}) {
  return parse_job(body, key, editor(), [](const JobWork&) {});
}

// The code and the field that a body is refused with.
std::string refused(const Json& body, const std::string& key = {}) {
  try {
    parsed(body, key);
  } catch (const Refusal& refusal) {
    return refusal.code + " " + refusal.param;
  }
  return {};
}

Json drawing(Json requests) { return {{"type", "draw"}, {"requests", std::move(requests)}}; }

TEST(JobCalls, EveryPictureIsAnItemWithItsSeed) {
  const JobCall call = parsed(drawing(
      {{{"prompt", "a"}, {"n", 2}, {"seed", 7}}, {{"prompt", "b"}, {"response_format", "url"}}}));
  ASSERT_EQ(call.job.items.size(), 3u);
  EXPECT_EQ(call.job.items[0].seed, 7u);
  EXPECT_EQ(call.job.items[1].seed, 8u);
  EXPECT_EQ(call.job.items[1].request, 0);
  EXPECT_EQ(call.job.items[2].request, 1);
  EXPECT_EQ(call.job.items[2].seed, 0x63u) << "chosen now";
  EXPECT_EQ(call.job.metadata, "{}");
  EXPECT_EQ(call.ignored, std::vector<std::string>{"requests[1].response_format"});
  const JobWork work =
      work_of({.type = "draw", .request = call.job.requests[1], .seed = 0x63}, editor());
  EXPECT_EQ(work.draw->request.prompt, "b");
  EXPECT_EQ(work.draw->request.images, 1);
  EXPECT_EQ(work.draw->request.seed, 0x63u);
}

TEST(JobCalls, AnEditIsBegunWithItsPicture) {
  const Json request = {{"prompt", "a"}, {"image", picture_url()}, {"keep", .25}, {"n", 3}};
  const JobCall call = parsed({{"type", "edit"}, {"requests", {request}}});
  EXPECT_EQ(call.job.items.size(), 3u);
  EXPECT_TRUE(call.ignored.empty());
  const JobWork work =
      work_of({.type = "edit", .request = call.job.requests[0], .seed = 9}, editor());
  EXPECT_EQ(work.draw->edit->image.width, 2);
  EXPECT_EQ(work.draw->edit->keep, .25f);
  EXPECT_EQ(work.draw->edit->drawing.seed, 9u);
  EXPECT_EQ(work.draw->edit->drawing.images, 1);
  EXPECT_EQ(refused({{"type", "edit"}, {"requests", {{{"prompt", "a"}}}}}),
            "missing_required_parameter requests[0].image");
  EXPECT_EQ(refused({{"type", "edit"}, {"requests", {{{"prompt", "a"}, {"image", "x"}}}}}),
            "invalid_value requests[0].image");
}

TEST(JobCalls, AQuestionIsATurnWithPictures) {
  const Json request = {{"question", "What is it?"},
                        {"images", {picture_url(), picture_url()}},
                        {"max_tokens", 5},
                        {"n", 2},
                        {"seed", 4},
                        {"logprobs", true}};
  const JobCall call = parsed({{"type", "ask"}, {"requests", {request}}});
  EXPECT_EQ(call.job.items.size(), 2u);
  EXPECT_EQ(call.ignored, std::vector<std::string>{"requests[0].logprobs"});
  const JobWork work =
      work_of({.type = "ask", .request = call.job.requests[0], .seed = 5}, editor());
  const AskRequest& ask = work.ask->request;
  ASSERT_EQ(ask.messages.size(), 1u);
  EXPECT_EQ(ask.messages[0].text, "<image_placeholder>\n<image_placeholder>\nWhat is it?");
  EXPECT_EQ(ask.messages[0].images.size(), 2u);
  EXPECT_EQ(ask.max_tokens, 5);
  EXPECT_EQ(ask.seed, 5u);
  const auto refused_question = [](const Json& asked) {
    return refused({{"type", "ask"}, {"requests", {asked}}});
  };
  EXPECT_EQ(refused_question({{"images", Json::array()}}),
            "missing_required_parameter requests[0].question");
  EXPECT_EQ(refused_question({{"question", "a"}, {"images", {picture_url(), "data:,"}}}),
            "invalid_base64 requests[0].images[1]");
  EXPECT_EQ(refused_question({{"question", "<image_placeholder>"}}),
            "invalid_value requests[0].question");
  EXPECT_EQ(refused_question({{"question", "a"}, {"temperature", 3}}),
            "invalid_value requests[0].temperature");
}

TEST(JobCalls, WhatIsRefusedIsNamedByItsPath) {
  EXPECT_EQ(refused(Json::object()), "missing_required_parameter type");
  EXPECT_EQ(refused({{"type", "paint"}}), "invalid_value type");
  EXPECT_EQ(refused({{"type", "draw"}}), "missing_required_parameter requests");
  EXPECT_EQ(refused(drawing(Json::object())), "invalid_type requests");
  EXPECT_EQ(refused(drawing(Json::array())), "invalid_value requests");
  EXPECT_EQ(refused(drawing(Json(257, {{"prompt", "a"}}))), "invalid_value requests");
  EXPECT_EQ(refused(drawing(Json(256, {{"prompt", "a"}}))), "");
  EXPECT_EQ(refused(drawing({1})), "invalid_type requests[0]");
  EXPECT_EQ(refused(drawing({{{"prompt", "a"}}, {{"prompt", " "}}})),
            "invalid_value requests[1].prompt");
  EXPECT_EQ(refused(drawing({{{"prompt", "a"}, {"stream", true}}})),
            "unsupported_parameter requests[0].stream");
  Json body = drawing({{{"prompt", "a"}}});
  body["metadata"] = "text";
  EXPECT_EQ(refused(body), "invalid_type metadata");
  body["metadata"] = {{"long", std::string(20'000, 'x')}};
  EXPECT_EQ(refused(body), "invalid_value metadata");
  try {
    parse_job(drawing({{{"prompt", "a"}}}), "", editor(),
              [](const JobWork&) { throw TooLong("too long", 5000, 4096); });
    FAIL() << "the model's refusal is a refusal";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.code + " " + refusal.param, "context_length_exceeded requests[0].prompt");
    EXPECT_EQ(refusal.counts.size(), 2u);
  }
}

TEST(JobCalls, KeysComeByHeaderOrField) {
  Json body = drawing({{{"prompt", "a"}, {"seed", 1}}});
  const std::string digest = parsed(body).job.digest;
  EXPECT_EQ(parsed(body, "k").job.key, "k");
  body["idempotency_key"] = "k";
  EXPECT_EQ(parsed(body).job.key, "k");
  EXPECT_EQ(parsed(body, "k").job.digest, digest) << "the key is no part of the body";
  EXPECT_EQ(refused(body, "other"), "invalid_value idempotency_key");
  EXPECT_EQ(refused(drawing({{{"prompt", "a"}}}), std::string(256, 'k')),
            "invalid_value idempotency_key");
  body.erase("idempotency_key");
  for (const std::string& key :
       {std::string("a\0b", 3), std::string("\n"), std::string("\xff"), std::string("\x7f")}) {
    EXPECT_EQ(refused(body, key), "invalid_value idempotency_key");
  }
  EXPECT_EQ(refused(body, "k\xc3\xa9y"), "");
  body["requests"][0]["seed"] = 2;
  EXPECT_NE(parsed(body).job.digest, digest);
}

TEST(JobCalls, AJobAsItIsShown) {
  KeptJob job;
  job.id = "job_1";
  job.type = "draw";
  job.status = "running";
  job.metadata = R"({"a":1})";
  job.created = 1000.7;
  job.started = 1001;
  job.items = {{0, 0, 7, "done", 1, ""},
               {1, 0, 8, "leased", 2, ""},
               {2, 1, 9, "failed", 1, R"({"message":"m","code":"c"})"},
               {3, 1, 10, "waiting", 0, ""}};
  const OrderedJson json = job_json(job, .5);
  EXPECT_EQ(json["created_at"], 1000);
  EXPECT_EQ(json["finished_at"], nullptr);
  EXPECT_EQ(json["position"], nullptr);
  EXPECT_EQ(json["total"], 4);
  EXPECT_EQ(json["done"], 1);
  EXPECT_EQ(json["failed"], 1);
  EXPECT_EQ(json["progress"], .625);
  EXPECT_EQ(json["attempts"], 2);
  EXPECT_EQ(json["error"], nullptr) << "it still runs";
  EXPECT_EQ(json["metadata"]["a"], 1);
  EXPECT_EQ(json["results"][0]["url"], "/v1/jobs/job_1/results/0");
  EXPECT_EQ(json["results"][1]["status"], "waiting");
  EXPECT_EQ(json["results"][1]["url"], nullptr);
  EXPECT_EQ(json["results"][2]["error"]["code"], "c");
  job.status = "failed";
  EXPECT_EQ(job_json(job, 0)["error"]["code"], "c");
  job.status = "queued";
  job.position = 3;
  EXPECT_EQ(job_json(job, 0)["position"], 3);
}

TEST(JobCalls, AnAnswersFileForgetsWhatTheEngineRemembered) {
  Answer answer;
  answer.text = "A ball.";
  answer.prompt_tokens = 20;
  answer.answer_tokens = 3;
  ChatCall call;
  const std::string file = answer_file(call, answer);
  answer.cached_tokens = 10;
  EXPECT_EQ(answer_file(call, answer), file);
  EXPECT_EQ(Json::parse(file)["usage"]["total_tokens"], 23);
}

TEST(JobRows, AQuarterIsTheJobs) {
  EXPECT_EQ(rows_for_jobs(0, 16), 16);
  EXPECT_EQ(rows_for_jobs(1, 16), 1);
  EXPECT_EQ(rows_for_jobs(500, 16), 16);
  for (int direct = 1; direct < 40; ++direct) {
    const int jobs = rows_for_jobs(direct, 16);
    EXPECT_GE(4 * jobs, direct + jobs) << direct;
    EXPECT_LT(4 * (jobs - 1), direct + jobs - 1) << direct << ": no more than that";
  }
}

// A store that fails as it is told.
class Failing : public Store {
 public:
  explicit Failing(bool lasting) : lasting_(lasting) {}
  JobCounts counts() override {
    if (failing) throw StoreFailure("/secret/path: words", "the disk is full", lasting_);
    return {};
  }
  Accepted accept(const NewJob&) override { return {}; }
  std::optional<KeptJob> find(const std::string&, const std::string&) override { return {}; }
  std::vector<KeptJob> list(const std::string&, const std::string&, const std::string&,
                            int) override {
    return {};
  }
  std::optional<ResultFile> result(const std::string&, const std::string&, int) override {
    return {};
  }
  bool cancel(const std::string&, const std::string&) override { return false; }
  bool remove(const std::string&, const std::string&) override { return false; }
  int remove_old(double) override { return 0; }
  std::optional<Lease> lease(double) override { return {}; }
  bool renew(const Lease&, double) override { return false; }
  bool finish(const Lease&, const ResultFile&) override { return false; }
  bool fail(const Lease&, const std::string&) override { return false; }
  bool give_back(const Lease&) override { return false; }
  std::vector<std::string> changed_elsewhere() override { return {}; }

  bool failing = true;

 private:
  bool lasting_;
};

std::string used(StoreDoor& door) {
  try {
    door.use([](Store& store) { return store.counts(); });
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.status, 503);
    EXPECT_EQ(std::string(refusal.what()).find("secret"), std::string::npos);
    return refusal.code;
  }
  return "served";
}

TEST(JobDoor, WhatPassesKeepsTheDatabaseOpen) {
  Failing* store = nullptr;
  int opened = 0;
  std::vector<std::string> log;
  StoreDoor door(
      [&](bool) {
        ++opened;
        auto fresh = std::make_unique<Failing>(false);
        store = fresh.get();
        return fresh;
      },
      [&](const std::string& text) { log.push_back(text); });
  EXPECT_EQ(used(door), "jobs_unavailable") << "not open yet";
  door.open();
  EXPECT_EQ(used(door), "jobs_unavailable");
  EXPECT_EQ(used(door), "jobs_unavailable");
  ASSERT_EQ(log.size(), 1u) << "said once";
  EXPECT_NE(log[0].find("/secret/path"), std::string::npos);
  store->failing = false;
  EXPECT_EQ(used(door), "served");
  EXPECT_EQ(opened, 1);
}

TEST(JobDoor, WhatLastsIsOpenedAgain) {
  std::vector<bool> opened;
  bool broken = true;
  StoreDoor door(
      [&](bool again) -> std::unique_ptr<Store> {
        opened.push_back(again);
        if (broken && opened.size() > 1) throw StoreFailure("still damaged", "damaged", true);
        auto fresh = std::make_unique<Failing>(true);
        fresh->failing = broken;
        return fresh;
      },
      [](const std::string&) {});
  door.open();
  EXPECT_EQ(used(door), "jobs_unavailable");
  for (int i = 0; i < 4; ++i) door.tick();
  EXPECT_EQ(opened, (std::vector<bool>{false, true, true})) << "at ever longer intervals";
  broken = false;
  for (int i = 0; i < 4; ++i) door.tick();
  EXPECT_EQ(used(door), "served");
}

TEST(JobDoor, AnotherServersDatabaseIsSaidAtTheStart) {
  StoreDoor door([](bool) -> std::unique_ptr<Store> { throw Error(Code::busy, "another's"); },
                 [](const std::string&) {});
  EXPECT_THROW(door.open(), Error);
  door.tick();
  EXPECT_EQ(used(door), "jobs_unavailable");
}

}  // namespace
}  // namespace janus::serve
