// The cache as others left it: found, listed, and taken away. SPDX-License-Identifier: MIT
#include "hub/models.h"

#include <gtest/gtest.h>

#include "base/sha256.h"
#include "hub/support.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

// Written by hand in the form of huggingface_hub.
class Models : public testing::Test {
 protected:
  Models() : cache_(dir_ / "hub") {}

  void blob(const std::string& name, const std::string& content) {
    write("blobs/" + name, content);
  }
  void write(const std::string& path, const std::string& content) {
    const fs::path place = model_folder(dir_) / path;
    fs::create_directories(place.parent_path());
    std::ofstream(place, std::ios::binary) << content;
  }
  void entry(const std::string& commit, const std::string& file, const std::string& blob) {
    const fs::path place = cache_.snapshot(kRepo, commit) / file;
    fs::create_directories(place.parent_path());
    fs::create_symlink("../../blobs/" + blob, place);
  }
  // Two revisions that share all but the configuration.
  void two_revisions() {
    for (const char* name : {"a1", "a2", "b", "c"}) blob(name, std::string(1000, name[0]));
    for (const auto& [commit, config] : {std::pair(kCommit, "a1"), std::pair(kNewCommit, "a2")}) {
      entry(commit, "config.json", config);
      entry(commit, "tokenizer.json", "b");
      entry(commit, "model.safetensors", "c");
    }
    write("refs/main", kNewCommit);
    write("refs/v1", kCommit);
  }

  TempDir dir_;
  Cache cache_;
};

TEST_F(Models, AreFoundByRefCommitAndItsBeginning) {
  two_revisions();
  const auto found = [&](const std::string& revision) {
    return find_pulled(cache_, {kRepo, revision}).filename().string();
  };
  EXPECT_EQ(found(""), kNewCommit);
  EXPECT_EQ(found("v1"), kCommit);
  EXPECT_EQ(found(kCommit), kCommit);
  EXPECT_EQ(found(kCommit.substr(0, 7)), kCommit);
  EXPECT_EQ(cache_.commit_of({kRepo, kCommit.substr(0, 6)}), std::nullopt);
  EXPECT_EQ(cache_.commit_of({kRepo, "v2"}), std::nullopt);
  write("refs/gone", std::string(40, 'a'));  // a snapshot that is not here
  write("refs/bad", "no commit");
  EXPECT_EQ(cache_.commit_of({kRepo, "gone"}), std::nullopt);
  EXPECT_EQ(cache_.commit_of({kRepo, "bad"}), std::nullopt);
  EXPECT_EQ(cache_.commit_of({"org/other", ""}), std::nullopt);
  fs::create_directory(cache_.snapshot(kRepo, kCommit.substr(0, 8) + std::string(32, 'f')));
  EXPECT_EQ(cache_.commit_of({kRepo, kCommit.substr(0, 8)}), std::nullopt);  // two begin so
  EXPECT_EQ(found(kCommit.substr(0, 9)), kCommit);
  EXPECT_EQ(name_of_snapshot(cache_.snapshot(kRepo, kCommit)), kRepo + "@" + kCommit);
  EXPECT_EQ(name_of_snapshot(dir_.path()), std::nullopt);
}

TEST_F(Models, WhatIsNotHereComesWithTheCommandThatFetchesIt) {
  const auto fails = [&](const std::string& revision) {
    return error_of(Code::bad_input, [&] { find_pulled(cache_, {kRepo, revision}); });
  };
  expect_has(fails("v1"), "`januspro pull org/tiny@v1` fetches it");
  two_revisions();
  expect_has(fails("v2"), "org/tiny: revision 'v2' has not been pulled; here are " + kCommit);
  fs::remove(cache_.blob(kRepo, "c"));
  expect_has(fails(""),
             "in part only, without model.safetensors; `januspro pull org/tiny` fetches");
}

TEST_F(Models, AreListedWithWhatTheyLack) {
  two_revisions();
  fs::remove(cache_.snapshot(kRepo, kCommit) / "tokenizer.json");
  blob("d.incomplete", "12345");
  fs::create_directories(cache_.root() / "datasets--org--set/snapshots");
  fs::create_directories(cache_.root() / "models--gpt2/snapshots");
  const std::vector<CachedModel> models = list_models(cache_);
  ASSERT_EQ(models.size(), 1u);
  EXPECT_EQ(models[0].repo, kRepo);
  EXPECT_EQ(models[0].partial_bytes, 5);
  ASSERT_EQ(models[0].revisions.size(), 2u);
  const CachedRevision& old = models[0].revisions[0];
  EXPECT_EQ(old.commit, kCommit);
  EXPECT_EQ(old.refs, std::vector<std::string>{"v1"});
  EXPECT_EQ(old.bytes, 2000);
  EXPECT_EQ(old.missing, std::vector<std::string>{"tokenizer.json"});
  EXPECT_EQ(models[0].revisions[1].bytes, 3000);
  EXPECT_TRUE(models[0].revisions[1].missing.empty());
  EXPECT_TRUE(list_models(Cache(dir_ / "none")).empty());
}

TEST_F(Models, OneRevisionGoesWithWhatNoOtherNeeds) {
  two_revisions();
  write("trees/" + kCommit + ".json", "{}");
  write(".no_exist/" + kCommit + "/README.md", "");
  blob("stale.incomplete", "12345");
  const Removed removed = remove_model(cache_, {kRepo, "v1"});
  EXPECT_EQ(removed.commits, std::vector<std::string>{kCommit});
  EXPECT_EQ(removed.freed, 1000 + 40 + 2 + 5);
  EXPECT_EQ(tree_of(model_folder(dir_)),
            (std::map<std::string, std::string>{
                {"blobs/a2", std::string(1000, 'a')},
                {"blobs/b", std::string(1000, 'b')},
                {"blobs/c", std::string(1000, 'c')},
                {"refs/main", kNewCommit},
                {"snapshots/" + kNewCommit + "/config.json", "-> ../../blobs/a2"},
                {"snapshots/" + kNewCommit + "/tokenizer.json", "-> ../../blobs/b"},
                {"snapshots/" + kNewCommit + "/model.safetensors", "-> ../../blobs/c"}}));
  EXPECT_FALSE(fs::exists(cache_.snapshot(kRepo, kCommit)));
  // The last one takes the model with it.
  EXPECT_EQ(remove_model(cache_, {kRepo, kNewCommit.substr(0, 8)}).freed, 3040);
  EXPECT_FALSE(fs::exists(model_folder(dir_)));
}

TEST_F(Models, AWholeModelGoes) {
  two_revisions();
  cache_.prepare(kRepo, kCommit);
  ASSERT_TRUE(cache_.lock(kRepo, "a1").has_value());
  const Removed removed = remove_model(cache_, {kRepo, ""});
  EXPECT_EQ(removed.commits.size(), 2u);
  EXPECT_EQ(removed.freed, 4080);
  EXPECT_EQ(tree_of(cache_.root()).size(), 1u);  // CACHEDIR.TAG
  expect_has(error_of(Code::bad_input,
                      [&] {
                        remove_model(cache_, {kRepo, ""});
                      }),
             "januspro list");
}

TEST_F(Models, NothingGoesForANameThatIsNotHere) {
  two_revisions();
  const auto before = tree_of(dir_.path());
  expect_has(error_of(Code::bad_input,
                      [&] {
                        remove_model(cache_, {kRepo, "v2"});
                      }),
             "no such revision");
  EXPECT_EQ(tree_of(dir_.path()), before);
}

TEST_F(Models, NothingGoesWhileAnotherProgramFetches) {
  two_revisions();
  blob("e.incomplete", "123");
  blob("e.1a2b3c4d.incomplete", "12");
  cache_.prepare(kRepo, kCommit);
  const auto before = tree_of(model_folder(dir_));
  {
    const auto other = cache_.lock(kRepo, "e");
    ASSERT_TRUE(other.has_value());
    expect_has(error_of(Code::busy, [&] { remove_model(cache_, {kRepo, ""}); }), "another program");
    EXPECT_EQ(tree_of(model_folder(dir_)), before);
  }
  remove_model(cache_, {kRepo, ""});
  EXPECT_FALSE(fs::exists(model_folder(dir_)));
}

// huggingface_hub's common store: a blob is a link to `blobs/XX/HASH` of the cache.
TEST_F(Models, TheCommonStoreIsSweptWithTheLastLink) {
  two_revisions();
  const std::string hash = sha256_hex("content");
  const fs::path content = cache_.root() / "blobs" / hash.substr(0, 2) / hash;
  fs::create_directories(content.parent_path());
  std::ofstream(cache_.root() / "blobs/.huggingface-shared-blobs") << "1\n";
  std::ofstream(content) << std::string(5000, 'x');
  const std::string link = "../../blobs/" + hash.substr(0, 2) + "/" + hash;
  fs::remove(cache_.blob(kRepo, "c"));
  fs::create_symlink(link, cache_.blob(kRepo, "c"));
  const fs::path other = cache_.root() / "models--org--other/blobs/z";
  fs::create_directories(other.parent_path());
  fs::create_symlink(link, other);
  std::ofstream(content.string() + ".refs")
      << "models--org--tiny/blobs/c\nmodels--org--other/blobs/z\n";
  EXPECT_EQ(list_models(cache_)[1].revisions[1].bytes, 7000);
  EXPECT_EQ(remove_model(cache_, {kRepo, ""}).freed, 3080);
  EXPECT_TRUE(fs::exists(content));
  EXPECT_EQ(remove_model(cache_, {"org/other", ""}).freed, 5000);
  EXPECT_FALSE(fs::exists(content) || fs::exists(content.string() + ".refs"));
}

TEST_F(Models, TheCommonStoreStaysWhereInDoubt) {
  const std::string hash = sha256_hex("content");
  const fs::path content = cache_.root() / "blobs" / hash.substr(0, 2) / hash;
  for (const bool marked : {false, true}) {  // no marker; marker, but no list of links
    fs::create_directories(content.parent_path());
    std::ofstream(content) << "content";
    if (!marked) std::ofstream(content.string() + ".refs") << "models--org--tiny/blobs/c\n";
    if (marked) fs::remove(content.string() + ".refs");
    if (marked) std::ofstream(cache_.root() / "blobs/.huggingface-shared-blobs") << "1\n";
    blob("a", "a");
    fs::create_symlink("../../blobs/" + hash.substr(0, 2) + "/" + hash, cache_.blob(kRepo, "c"));
    EXPECT_EQ(remove_model(cache_, {kRepo, ""}).freed, 1);
    EXPECT_TRUE(fs::exists(content));
  }
}

// A cache named with detours is the same cache: nothing needed may go for the way a path is
// written.
TEST_F(Models, WaysOfWritingAPathDoNotMatter) {
  two_revisions();
  fs::create_directory(dir_ / "way");
  fs::create_directory_symlink(dir_ / "hub", dir_ / "link");
  const Cache detour(dir_ / "way/../link/./");
  EXPECT_EQ(detour.root(), dir_ / "link");
  remove_model(detour, {kRepo, "v1"});
  EXPECT_TRUE(fs::exists(cache_.blob(kRepo, "c")) && fs::exists(cache_.blob(kRepo, "b")));
  EXPECT_FALSE(fs::exists(cache_.blob(kRepo, "a1")));
  EXPECT_TRUE(find_pulled(cache_, {kRepo, ""}).string().ends_with(kNewCommit));
}

}  // namespace
}  // namespace janus
