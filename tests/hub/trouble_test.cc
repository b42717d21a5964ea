// Pulls through a bad network and from bad servers. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "hub/partial.h"
#include "hub/support.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

// What a test says about the answers to one file.
using Change = std::function<void(const MirrorRequest&, MirrorAnswer&)>;

class Trouble : public testing::Test {
 protected:
  Trouble() : files_(tiny_model(1'000'000)) { mirror_.put(kRepo, "main", kCommit, files_); }

  // `change` sees only answers to requests for the weights.
  void on_weights(const Change& change) {
    mirror_.on_answer([change](const MirrorRequest& request, MirrorAnswer& answer) {
      if (request.is_for(".safetensors")) change(request, answer);
    });
  }
  HubOptions options() const { return quick(mirror_, dir_); }
  std::string fails(Code code, const HubOptions& options) {
    return error_of(code, [&] { pull_tiny(options); });
  }
  std::string fails(Code code) { return fails(code, options()); }
  std::string blob() const {
    return model_folder(dir_) / "blobs" / files_.at("model.safetensors").sum();
  }
  std::string partial() const { return blob() + ".incomplete"; }
  // Every byte is right, and nothing is left over.
  void expect_whole() const {
    EXPECT_EQ(read_text(blob()), files_.at("model.safetensors").content);
    EXPECT_FALSE(fs::exists(partial()));
  }

  TempDir dir_;
  Mirror mirror_;
  MirrorFiles files_;
};

TEST_F(Trouble, ACutConnectionIsTakenUpAgainAtTheSameByte) {
  std::vector<std::string> ranges;
  on_weights([&](const MirrorRequest& request, MirrorAnswer& answer) {
    const auto range = request.headers.find("range");
    ranges.push_back(range == request.headers.end() ? "" : range->second);
    if (ranges.size() < 8) answer.cut = 125'000;
  });
  std::string said;
  const Pulled pulled = pull_tiny(options(), &said);
  ASSERT_EQ(ranges.size(), 8u);  // more than are allowed in a row without progress
  for (size_t i = 1; i < 8; ++i) {
    EXPECT_EQ(ranges[i], "bytes=" + std::to_string(125'000 * i) + "-");
  }
  EXPECT_EQ(mirror_.served(), pulled.bytes);
  expect_has(said, "model.safetensors: 127.0.0.1 ended the connection too early; trying again in");
  expect_whole();
}

TEST_F(Trouble, CutsWithoutProgressComeToAnEnd) {
  int asked = 0;
  on_weights([&](const MirrorRequest& request, MirrorAnswer& answer) {
    ++asked;
    answer.cut = request.headers.contains("range") ? 0 : 100'000;
  });
  const std::string text = fails(Code::busy);
  expect_has(
      text,
      "org/tiny: model.safetensors: 127.0.0.1 ended the connection too early (5 times in a row)");
  expect_has(text, "goes on from there");
  EXPECT_EQ(asked, 5);
  EXPECT_EQ(fs::file_size(partial()), 100'000u);
}

// … also where the server sends the whole anew each time.
TEST_F(Trouble, AServerWithoutRangesIsAskedForTheWhole) {
  int asked = 0;
  const std::string content = files_.at("model.safetensors").content;
  on_weights([&](const MirrorRequest&, MirrorAnswer& answer) {
    answer = {200, {}, content};
    if (++asked == 1) answer.cut = 400'000;
  });
  pull_tiny(options());
  EXPECT_EQ(asked, 2);
  expect_whole();
}

TEST_F(Trouble, TheSameBytesOverAndOverAreNoProgress) {
  int asked = 0;
  const std::string content = files_.at("model.safetensors").content;
  on_weights([&](const MirrorRequest&, MirrorAnswer& answer) {
    answer = {200, {}, content};
    answer.cut = 400'000;
    ++asked;
  });
  fails(Code::busy);
  EXPECT_EQ(asked, 5);
}

TEST_F(Trouble, AnotherPartThanAskedForIsNotTaken) {
  int asked = 0;
  on_weights([&](const MirrorRequest&, MirrorAnswer& answer) {
    if (++asked == 1) answer.cut = 400'000;
    if (asked == 2) answer.headers["Content-Range"] = "bytes 300000-999999/1000000";
  });
  std::string said;
  pull_tiny(options(), &said);
  expect_has(said, "sent another part of the file");
  expect_whole();
}

TEST_F(Trouble, ARangeThatTheServerDoesNotKnowStartsAnew) {
  std::vector<bool> ranges;
  on_weights([&](const MirrorRequest& request, MirrorAnswer& answer) {
    ranges.push_back(request.headers.contains("range"));
    if (ranges.size() == 1) answer.cut = 400'000;
    if (ranges.size() == 2) answer = {416, {}, ""};
  });
  pull_tiny(options());
  EXPECT_EQ(ranges, (std::vector<bool>{false, true, false}));
  expect_whole();
}

TEST_F(Trouble, AStalledServerIsLeftAndTakenUpAgain) {
  int asked = 0;
  on_weights([&](const MirrorRequest&, MirrorAnswer& answer) {
    if (++asked > 1) return;
    answer.cut = 500;  // libcurl measures over seconds: much at once would look like speed for long
    answer.stall = true;
  });
  HubOptions impatient = options();
  impatient.stall_seconds = 3;  // a busy machine stalls too
  std::string said;
  const Pulled pulled = pull_tiny(impatient, &said);
  expect_has(said, "127.0.0.1 sent almost nothing for 3 s; trying again");
  EXPECT_EQ(mirror_.served(), pulled.bytes);
  expect_whole();
}

TEST_F(Trouble, WrongBytesAreDeletedAndFetchedOnceMore) {
  int asked = 0;
  on_weights([&](const MirrorRequest&, MirrorAnswer& answer) {
    if (++asked == 1) answer.body[500'000] ^= 1;
  });
  pull_tiny(options());
  EXPECT_EQ(asked, 2);
  expect_whole();
}

TEST_F(Trouble, WrongBytesTwiceAreAnError) {
  int asked = 0;
  on_weights([&](const MirrorRequest&, MirrorAnswer& answer) {
    ++asked;
    answer.body[500'000] ^= 1;
  });
  const std::string text = fails(Code::bad_checkpoint);
  expect_has(text, "org/tiny: model.safetensors: 127.0.0.1 sent 1000000 bytes with the sum");
  expect_has(text, files_.at("model.safetensors").sum() +
                       " were promised, twice in a row; it was deleted");
  EXPECT_EQ(asked, 2);
  EXPECT_FALSE(fs::exists(blob()) || fs::exists(partial()));
  EXPECT_FALSE(fs::exists(model_folder(dir_) / "refs/main"));
}

TEST_F(Trouble, SmallFilesAreCheckedByTheNameThatGitGivesThem) {
  mirror_.on_answer([](const MirrorRequest& request, MirrorAnswer& answer) {
    if (request.is_for("/tokenizer.json")) answer.body[0] ^= 1;
  });
  expect_has(fails(Code::bad_checkpoint), "tokenizer.json: 127.0.0.1 sent");
}

TEST_F(Trouble, MoreBytesThanPromisedAreNotTaken) {
  int asked = 0;
  on_weights([&](const MirrorRequest&, MirrorAnswer& answer) {
    ++asked;
    answer.body += std::string(50'000'000, 'x');
  });
  expect_has(fails(Code::bad_checkpoint), "more bytes than the 1000000 promised");
  EXPECT_EQ(asked, 2);
  EXPECT_LT(mirror_.served(), 50'000'000);  // what the connection held, and no more
  EXPECT_FALSE(fs::exists(partial()));
}

TEST_F(Trouble, TheTokenGoesToTheHubAndNowhereElse) {
  Mirror storage;
  storage.put(kRepo, "main", kCommit, files_);
  mirror_.send_large_to(storage.url());
  HubOptions with_token = options();
  with_token.token = "hf_secret";
  pull_tiny(with_token);
  for (const MirrorRequest& request : mirror_.requests()) {
    EXPECT_EQ(request.headers.at("authorization"), "Bearer hf_secret") << request.path;
  }
  const std::vector<MirrorRequest> elsewhere = storage.requests();
  ASSERT_EQ(elsewhere.size(), 1u);
  for (const auto& [name, value] : elsewhere[0].headers) {
    EXPECT_EQ(value.find("hf_secret"), std::string::npos) << name;
  }
  EXPECT_FALSE(elsewhere[0].headers.contains("authorization"));
  expect_whole();
}

// The addresses of the storage expire, so a second attempt asks the Hub for another.
TEST_F(Trouble, EveryAttemptBeginsAtTheHub) {
  Mirror storage;
  storage.put(kRepo, "main", kCommit, files_);
  int asked = 0;
  storage.on_answer([&](const MirrorRequest&, MirrorAnswer& answer) {
    if (++asked == 1) answer.body.resize(300'000);  // takes itself for the whole
    if (asked == 2) answer.cut = 300'000;
    if (asked == 3) answer = {503, {}, ""};
  });
  mirror_.send_large_to(storage.url());
  const Pulled pulled = pull_tiny(options());
  EXPECT_EQ(asked, 4);
  EXPECT_EQ(mirror_.count(".safetensors"), 4);
  EXPECT_EQ(storage.served(), 1'000'000);
  EXPECT_EQ(pulled.files, 4);
  expect_whole();
}

// Here nobody was there at all; but the network was a moment ago.
TEST_F(Trouble, AStorageThatCannotBeReachedIsTriedAgain) {
  mirror_.send_large_to("http://127.0.0.1:1");
  expect_has(fails(Code::busy), "no connection to 127.0.0.1");
  EXPECT_EQ(mirror_.count(".safetensors"), 5);
}

// A renamed repository; the second server then sends back to the first, where the token is known.
TEST_F(Trouble, RedirectsAreFollowedWithinReason) {
  Mirror other;
  other.on_answer([&](const MirrorRequest&, MirrorAnswer& answer) {
    answer = {302, {{"Location", mirror_.url() + "/moved"}}, ""};
  });
  const std::string content = files_.at("model.safetensors").content;
  mirror_.on_answer([&](const MirrorRequest& request, MirrorAnswer& answer) {
    if (request.is_for(".safetensors"))
      answer = {307, {{"Location", other.url() + "/there"}}, "moved"};
    if (request.path == "/moved") answer = {302, {{"Location", "/again?x=1"}}, ""};
    if (request.path == "/again?x=1") answer = {200, {}, content};
  });
  HubOptions with_token = options();
  with_token.token = "hf_secret";
  pull_tiny(with_token);
  EXPECT_EQ(other.requests().size(), 1u);
  EXPECT_FALSE(other.requests()[0].headers.contains("authorization"));
  expect_whole();
}

TEST_F(Trouble, RedirectsInACircleAndOutOfTheWebAreRefused) {
  std::string target = mirror_.url() + "/circle";
  mirror_.on_answer([&](const MirrorRequest&, MirrorAnswer& answer) {
    answer = {302, {{"Location", target}}, ""};
  });
  expect_has(fails(Code::device_failure), "redirects in a circle");
  target = "file:///etc/passwd";
  expect_has(fails(Code::device_failure),
             "not of the web (file:///etc/passwd); it is not followed");
}

TEST_F(Trouble, RefusalsSayWhatToDo) {
  MirrorAnswer refusal;
  mirror_.on_answer([&](const MirrorRequest&, MirrorAnswer& answer) { answer = refusal; });
  HubOptions with_token = options();
  with_token.token = "hf_wrong";
  refusal = {
      401, {{"X-Error-Code", "RepoNotFound"}, {"X-Error-Message", "Invalid username\x01"}}, "no"};
  std::string text = fails(Code::bad_input);
  expect_has(text, "org/tiny may not be read without a token");
  expect_has(text, "HF_TOKEN");
  expect_has(text, "(it says: Invalid username?)");
  text = fails(Code::bad_input, with_token);
  expect_has(text, "may not be read with the token given");
  EXPECT_EQ(text.find("hf_wrong"), std::string::npos);
  refusal.headers["X-Error-Code"] = "GatedRepo";
  expect_has(fails(Code::bad_input),
             "is gated: accept its terms at " + mirror_.url() + "/org/tiny");
  refusal.status = 403;
  expect_has(fails(Code::bad_input, with_token),
             "has no access yet: ask for it at " + mirror_.url());
  refusal = {451, {}, "no"};
  expect_has(fails(Code::device_failure), "127.0.0.1 answers with status 451");
  EXPECT_EQ(mirror_.count("blobs=true"), 5);
}

TEST_F(Trouble, WhatIsNotThereIsNamed) {
  const auto fails_for = [&](const ModelName& name) {
    return error_of(Code::bad_input, [&] { pull_model(name, options(), {}); });
  };
  expect_has(fails_for({"org/other", ""}), "org/other: there is no repository of this name");
  expect_has(fails_for({kRepo, "v9"}), "org/tiny: has no branch, tag or commit 'v9'");
  on_weights([](const MirrorRequest&, MirrorAnswer& answer) { answer = {404, {}, ""}; });
  expect_has(fails_for({kRepo, ""}), "org/tiny: model.safetensors is listed but not there");
}

TEST_F(Trouble, AServerThatIsBusyIsAskedAgain) {
  int asked = 0;
  on_weights([&](const MirrorRequest&, MirrorAnswer& answer) {
    if (++asked == 1) answer = {503, {}, "busy"};
    if (asked == 2) answer = {429, {{"Retry-After", "1"}}, "slowly"};
  });
  std::string said;
  pull_tiny(options(), &said);
  expect_has(said, "answers with status 503; trying again in 0.1 s");
  expect_has(said, "answers with status 429; trying again in 1.0 s");
  expect_whole();
  on_weights([&](const MirrorRequest&, MirrorAnswer& answer) {
    answer = {429, {{"Retry-After", "3000"}}, "slowly"};
  });
  fs::remove(blob());
  expect_has(fails(Code::busy), "asks to come back in 3000 s");
}

TEST_F(Trouble, ServersThatCannotBeReachedAreAnErrorAtOnce) {
  HubOptions none = options();
  none.endpoint = "http://127.0.0.1:1";
  expect_has(fails(Code::device_failure, none), "no connection to 127.0.0.1");
  none.endpoint = "https" + mirror_.url().substr(4);
  expect_has(fails(Code::device_failure, none), "no encrypted connection could be made");
  none.endpoint = "http://no-such-host.invalid";
  const std::string text = fails(Code::device_failure, none);
  expect_has(text, "no address is known for no-such-host.invalid; is this machine online?");
  for (const char* endpoint :
       {"huggingface.co", "ftp://host", "http://", "http://me:secret@host", "http://a b"}) {
    none.endpoint = endpoint;
    expect_has(fails(Code::bad_input, none), "HF_ENDPOINT is");
  }
}

TEST_F(Trouble, TokensThatWouldBreakTheHeaderAreRefused) {
  HubOptions bad = options();
  bad.token = "hf_a\r\nHost: other";
  expect_has(fails(Code::bad_input, bad), "HF_TOKEN");
  EXPECT_TRUE(mirror_.requests().empty());
}

TEST_F(Trouble, NamesThatLeadOutOfTheFolderAreRefused) {
  for (const char* name :
       {"../config.json", "/etc/passwd", "a/../../b", "a\\\\b", "", "a//b", "."}) {
    mirror_.on_answer([&](const MirrorRequest&, MirrorAnswer& answer) {
      const std::string plain = R"("rfilename":"README.md")";
      answer.body.replace(answer.body.find(plain), plain.size(),
                          std::string(R"("rfilename":")") + name + '"');
    });
    expect_has(fails(Code::bad_checkpoint), "outside the model's folder");
  }
  EXPECT_TRUE(tree_of(dir_.path()).empty());
}

TEST_F(Trouble, ListsThatCannotBeAreRefused) {
  const std::map<std::string, std::string> bodies = {
      {"<html>Please log in</html>", "something else than the Hub"},
      {"", "something else than the Hub"},
      {"{\"sha\":", "is not valid JSON"},
      {R"({"sha": "main", "siblings": []})", "gives 'main' as the commit"},
      {R"({"sha": "../../../etc", "siblings": []})", "as the commit"},
      {R"({"sha": ")" + kCommit + R"("})", "lists no files"},
      {R"({"sha": ")" + kCommit + R"(", "siblings": [3]})", "no object"}};
  for (const auto& pair : bodies) {
    mirror_.on_answer(
        [&](const MirrorRequest&, MirrorAnswer& answer) { answer.body = pair.first; });
    expect_has(fails(Code::bad_checkpoint), pair.second);
  }
  const std::string config =
      R"({"rfilename": "config.json", "size": 1, "blobId": ")" + kCommit + R"("},)";
  const std::string rest =
      R"({"rfilename": "model.safetensors", "size": 1, "blobId": ")" + kCommit + R"("})";
  for (const char* bad :
       {R"("size": -1, "blobId": "0123456789012345678901234567890123456789")",
        R"("size": 1e300, "blobId": "0123456789012345678901234567890123456789")",
        R"("size": 99999999999999999, "blobId": "0123456789012345678901234567890123456789")",
        R"("size": 1)", R"("size": 1, "blobId": "../../../x")",
        R"("size": 1, "blobId": 7, "lfs": {"size": 1, "sha256": "x"})"}) {
    const std::string body = R"({"sha": ")" + kCommit + R"(", "siblings": [)" + config +
                             R"({"rfilename": "tokenizer.json", )" + bad + "}," + rest + "]}";
    mirror_.on_answer([&](const MirrorRequest&, MirrorAnswer& answer) { answer.body = body; });
    expect_has(fails(Code::bad_checkpoint), "no usable size and sum for tokenizer.json");
  }
}

TEST_F(Trouble, RepositoriesWithoutACheckpointAreSaidToBe) {
  MirrorFiles files = files_;
  files.erase("model.safetensors");
  files.erase("pytorch_model.bin");
  mirror_.put(kRepo, "main", kCommit, files);
  expect_has(fails(Code::not_supported), "org/tiny holds no weights that can be read here");
  files.erase("config.json");
  mirror_.put(kRepo, "main", kCommit, files);
  expect_has(fails(Code::not_supported), "org/tiny holds no config.json");
}

TEST_F(Trouble, AnIndexWithoutItsShardsIsSaidToBe) {
  MirrorFiles files = files_;
  files.erase("model.safetensors");
  files["model.safetensors.index.json"].content =
      R"({"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}})";
  files["model-00001-of-00002.safetensors"] = {"x", true};
  mirror_.put(kRepo, "main", kCommit, files);
  expect_has(fails(Code::bad_checkpoint), "it lacks model-00002-of-00002.safetensors");
  EXPECT_FALSE(fs::exists(model_folder(dir_) / "refs/main"));
}

// The limit on file sizes stands for a disk that fills up in the middle.
TEST_F(Trouble, AFullDiskKeepsWhatItTook) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{400'000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string text = fails(Code::device_failure);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  expect_has(text, partial());
  expect_has(text, "ulimit -f");
  EXPECT_EQ(fs::file_size(partial()), 400'000u);
  std::string range;
  on_weights(
      [&](const MirrorRequest& request, MirrorAnswer&) { range = request.headers.at("range"); });
  pull_tiny(options());
  EXPECT_EQ(range, "bytes=400000-");
  expect_whole();
}

TEST_F(Trouble, AFolderThatCannotBeWrittenIsNamed) {
  std::ofstream(dir_ / "hub") << "a file";
  expect_has(fails(Code::device_failure), "cannot make the folder");
}

}  // namespace
}  // namespace janus
