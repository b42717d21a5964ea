// Pulls that go well: what is asked, what lies in the cache afterwards, and what is not asked
// again. SPDX-License-Identifier: MIT
#include "hub/pull.h"

#include <gtest/gtest.h>
#include <sys/file.h>

#include <atomic>
#include <thread>

#include "base/sha256.h"
#include "hub/cache.h"
#include "hub/partial.h"
#include "hub/support.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kNeeded = {"config.json", "model.safetensors",
                                          "preprocessor_config.json", "tokenizer.json"};

// The tree of huggingface_hub, name by name.
void expect_layout(const TempDir& dir, const MirrorFiles& files, const std::string& commit,
                   std::map<std::string, std::string> also) {
  for (const std::string& name : kNeeded) {
    const MirrorFile& file = files.at(name);
    also["blobs/" + file.sum()] = file.content;
    also["snapshots/" + commit + "/" + name] = "-> ../../blobs/" + file.sum();
  }
  EXPECT_EQ(tree_of(model_folder(dir)), also);
}

TEST(Pull, WritesTheLayoutOfHuggingfaceHub) {
  const TempDir dir;
  Mirror mirror;
  const MirrorFiles files = tiny_model();
  mirror.put(kRepo, "main", kCommit, files);
  const Pulled pulled = pull_tiny(quick(mirror, dir));
  EXPECT_EQ(pulled.commit, kCommit);
  EXPECT_EQ(pulled.path, dir / ("hub/models--org--tiny/snapshots/" + kCommit));
  EXPECT_EQ(pulled.files, 4);
  EXPECT_EQ(pulled.bytes, mirror.served());
  EXPECT_EQ(pulled.fetched, pulled.bytes);
  expect_layout(dir, files, kCommit, {{"refs/main", kCommit}});
  EXPECT_TRUE(read_text(dir / "hub/CACHEDIR.TAG")
                  .starts_with("Signature: 8a477f597d28d172789f06886806bc55"));
  EXPECT_EQ(mirror.count("README.md") + mirror.count("teaser.png") + mirror.count(".bin"), 0);
  EXPECT_EQ(read_text(find_pulled(Cache(dir / "hub"), {kRepo, ""}) / "config.json"),
            files.at("config.json").content);
}

TEST(Pull, AsksOnlyForTheListOnceAllIsHere) {
  const TempDir dir;
  Mirror mirror;
  mirror.put(kRepo, "main", kCommit, tiny_model());
  pull_tiny(quick(mirror, dir));
  const auto before = tree_of(dir.path());
  const size_t asked = mirror.requests().size();
  EXPECT_EQ(pull_tiny(quick(mirror, dir)).fetched, 0);
  EXPECT_EQ(mirror.requests().size(), asked + 1);
  EXPECT_EQ(tree_of(dir.path()), before);
}

TEST(Pull, ANewCommitFetchesOnlyWhatChanged) {
  const TempDir dir;
  Mirror mirror;
  const MirrorFiles old = tiny_model();
  mirror.put(kRepo, "main", kCommit, old);
  pull_tiny(quick(mirror, dir));
  MirrorFiles fresh = old;
  fresh["config.json"].content = R"({"model_type": "janus", "new": true})";
  mirror.put(kRepo, "main", kNewCommit, fresh);
  const int64_t before = mirror.served();
  const Pulled pulled = pull_tiny(quick(mirror, dir));
  EXPECT_EQ(pulled.commit, kNewCommit);
  EXPECT_EQ(mirror.served() - before, static_cast<int64_t>(fresh["config.json"].content.size()));
  std::map<std::string, std::string> also = {
      {"refs/main", kNewCommit},
      {"blobs/" + old.at("config.json").sum(), old.at("config.json").content}};
  for (const std::string& name : kNeeded) {
    also["snapshots/" + kCommit + "/" + name] = "-> ../../blobs/" + old.at(name).sum();
  }
  expect_layout(dir, fresh, kNewCommit, also);
}

TEST(Pull, RevisionsAreBranchesTagsAndCommits) {
  const TempDir dir;
  Mirror mirror;
  mirror.put(kRepo, "main", kCommit, tiny_model());
  mirror.put(kRepo, "refs%2Fpr%2F1", kNewCommit, tiny_model());
  EXPECT_EQ(pull_tiny(quick(mirror, dir), nullptr, kCommit).commit, kCommit);
  EXPECT_EQ(pull_tiny(quick(mirror, dir), nullptr, "refs/pr/1").commit, kNewCommit);
  const Cache cache(dir / "hub");
  EXPECT_EQ(cache.refs(kRepo), (std::map<std::string, std::string>{{"refs/pr/1", kNewCommit}}));
  EXPECT_EQ(cache.commit_of({kRepo, kCommit}), kCommit);
  EXPECT_EQ(cache.commit_of({kRepo, ""}), std::nullopt);
}

TEST(Pull, SeveralFilesComeAtOnce) {
  const TempDir dir;
  Mirror mirror;
  MirrorFiles files = tiny_model();
  files.erase("model.safetensors");
  files["model.safetensors.index.json"].content =
      R"({"weight_map": {"a": "model-00001-of-00003.safetensors",
          "b": "model-00002-of-00003.safetensors", "c": "model-00003-of-00003.safetensors"}})";
  for (int i = 1; i <= 3; ++i) {
    files["model-0000" + std::to_string(i) + "-of-00003.safetensors"] = {noise(1000, 40 + i), true};
  }
  mirror.put(kRepo, "main", kCommit, files);
  mirror.on_answer([](const MirrorRequest&, MirrorAnswer& answer) { answer.delay = 100; });
  HubOptions options = quick(mirror, dir);
  options.at_once = 3;
  EXPECT_EQ(pull_tiny(options).files, 7);
  EXPECT_EQ(mirror.most_at_once(), 3);
}

TEST(Pull, OneContentUnderTwoNamesComesOnce) {
  const TempDir dir;
  Mirror mirror;
  MirrorFiles files = tiny_model();
  files["processor_config.json"] = files["preprocessor_config.json"];
  mirror.put(kRepo, "main", kCommit, files);
  EXPECT_EQ(pull_tiny(quick(mirror, dir)).files, 5);
  EXPECT_EQ(mirror.count("processor_config.json"), 1);
  EXPECT_EQ(tree_of(model_folder(dir)).count("snapshots/" + kCommit + "/processor_config.json"),
            1u);
}

TEST(Pull, OfflineUsesWhatIsHereAndAsksNobody) {
  const TempDir dir;
  Mirror mirror;
  mirror.put(kRepo, "main", kCommit, tiny_model());
  HubOptions options = quick(mirror, dir);
  options.offline = true;
  const std::string text = error_of(Code::bad_input, [&] { pull_tiny(options); });
  expect_has(text, "`januspro pull org/tiny` fetches it");
  expect_has(text, "HF_HUB_OFFLINE");
  EXPECT_TRUE(mirror.requests().empty());
  options.offline = false;
  const Pulled online = pull_tiny(options);
  options.offline = true;
  const size_t asked = mirror.requests().size();
  const Pulled again = pull_tiny(options);
  EXPECT_EQ(again.path, online.path);
  EXPECT_EQ(again.bytes, online.bytes);
  EXPECT_EQ(again.files, online.files);
  EXPECT_EQ(mirror.requests().size(), asked);
}

// The mirror counts: nothing that has come is asked for again.
TEST(Pull, AnInterruptedPullGoesOnWhereItStopped) {
  const TempDir dir;
  Mirror mirror;
  const MirrorFiles files = tiny_model(2'000'000);
  mirror.put(kRepo, "main", kCommit, files);
  std::atomic<bool> cut = true;
  mirror.on_answer([&](const MirrorRequest& request, MirrorAnswer& answer) {
    if (!cut || !request.is_for(".safetensors")) return;
    answer.cut = 1'200'000;
    answer.stall = true;
  });
  PullEvents events;
  // Stops when nothing more can come, so that every byte that was sent has arrived.
  events.on_progress = [](const PullProgress& progress) {
    return progress.total == 0 || progress.done < progress.total - 800'000;
  };
  const std::string text = error_of(Code::cancelled, [&] {
    pull_model({kRepo, ""}, quick(mirror, dir), events);
  });
  expect_has(text, "goes on from there");
  const fs::path partial =
      PartialFile::path_of(model_folder(dir) / "blobs" / files.at("model.safetensors").sum());
  EXPECT_EQ(fs::file_size(partial), 1'200'000u);
  EXPECT_FALSE(fs::exists(model_folder(dir) / "refs/main"));

  cut = false;
  std::vector<PullProgress> seen;
  events.on_progress = [&](const PullProgress& progress) {
    seen.push_back(progress);
    return true;
  };
  const Pulled pulled = pull_model({kRepo, ""}, quick(mirror, dir), events);
  EXPECT_EQ(mirror.served(), pulled.bytes);
  EXPECT_LE(pulled.fetched, pulled.bytes - 1'200'000);
  EXPECT_GE(pulled.fetched, 800'000);
  EXPECT_EQ(mirror.count("config.json"), 2);  // and its namesake, once each
  expect_layout(dir, files, kCommit, {{"refs/main", kCommit}});
  const bool checked = std::any_of(seen.begin(), seen.end(), [](const PullProgress& one) {
    return one.stage == PullProgress::checking && one.done >= 1'200'000;
  });
  EXPECT_TRUE(checked);
  EXPECT_GE(seen.back().done, 2'000'000);
  EXPECT_EQ(seen.back().done, seen.back().total);
}

TEST(Pull, WhatAnEarlierPullLeftIsCheckedToo) {
  const TempDir dir;
  Mirror mirror;
  const MirrorFiles files = tiny_model();
  mirror.put(kRepo, "main", kCommit, files);
  const auto blob = [&](const char* name) {
    return (model_folder(dir) / "blobs" / files.at(name).sum()).string();
  };
  fs::create_directories(model_folder(dir) / "blobs");
  // All there; all there and wrong; too long; nothing; a blob that is too short.
  std::ofstream(blob("model.safetensors") + ".incomplete") << files.at("model.safetensors").content;
  std::ofstream(blob("config.json") + ".incomplete")
      << std::string(files.at("config.json").content.size(), 'x');
  std::ofstream(blob("tokenizer.json") + ".incomplete") << std::string(1000, 'x');
  std::ofstream(blob("preprocessor_config.json")) << "{";
  pull_tiny(quick(mirror, dir));
  EXPECT_EQ(mirror.count(".safetensors"), 0);
  EXPECT_EQ(mirror.count("/tokenizer.json"), 1);
  expect_layout(dir, files, kCommit, {{"refs/main", kCommit}});
}

TEST(Pull, WaitsForAnotherProgramThatFetchesTheSameFile) {
  const TempDir dir;
  Mirror mirror;
  const MirrorFiles files = tiny_model();
  mirror.put(kRepo, "main", kCommit, files);
  const Cache cache(dir / "hub");
  cache.prepare(kRepo, kCommit);
  const std::string sum = files.at("model.safetensors").sum();
  std::optional<Descriptor> other = cache.lock(kRepo, sum);
  ASSERT_TRUE(other.has_value());
  EXPECT_FALSE(cache.lock(kRepo, sum).has_value());
  PullEvents events;
  std::string said;
  events.log = [&](const std::string& line) { said += line; };
  events.on_progress = [&](const PullProgress&) {
    if (!said.empty() && other) {  // the other one has brought it
      std::ofstream(cache.blob(kRepo, sum)) << files.at("model.safetensors").content;
      other.reset();
    }
    return true;
  };
  pull_model({kRepo, ""}, quick(mirror, dir), events);
  expect_has(said, "model.safetensors is being fetched by another program");
  EXPECT_EQ(mirror.count(".safetensors"), 0);
  expect_layout(dir, files, kCommit, {{"refs/main", kCommit}});
}

TEST(Pull, ADiskWithTooLittleRoomIsSaidFirst) {
  const TempDir dir;
  Mirror mirror;
  mirror.put(kRepo, "main", kCommit, tiny_model());
  mirror.on_answer([](const MirrorRequest& request, MirrorAnswer& answer) {
    if (!request.path.starts_with("/api/")) return;
    const size_t size = answer.body.find("300000");  // more than any disk here has
    while (answer.body.find("300000") != std::string::npos) {
      answer.body.replace(answer.body.find("300000"), 6, "4398046511104");
    }
    EXPECT_NE(size, std::string::npos);
  });
  const std::string text = error_of(Code::device_failure, [&] { pull_tiny(quick(mirror, dir)); });
  expect_has(text, "takes 4398.05 GB, and only");
  EXPECT_EQ(mirror.requests().size(), 1u);
}

// Two at the same time, as two programs: one fetches each file, both end with all of them.
TEST(Pull, TwoPullsAtOnceDoNotHarmEachOther) {
  const TempDir dir;
  Mirror mirror;
  const MirrorFiles files = tiny_model(1'000'000);
  mirror.put(kRepo, "main", kCommit, files);
  mirror.on_answer([](const MirrorRequest&, MirrorAnswer& answer) { answer.delay = 20; });
  std::thread other([&] { pull_tiny(quick(mirror, dir)); });
  const Pulled pulled = pull_tiny(quick(mirror, dir));
  other.join();
  EXPECT_EQ(mirror.served(), pulled.bytes);
  expect_layout(dir, files, kCommit, {{"refs/main", kCommit}});
}

}  // namespace
}  // namespace janus
