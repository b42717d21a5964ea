// The verbs pull, list and rm, and -m with the name of a pulled model, against a Hub on this
// machine. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "hub/mirror.h"
#include "program.h"

namespace janus {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string kRepo = "org/tiny";
const std::string kCommit = "0123456789abcdef0123456789abcdef01234567";

class PullProgram : public testing::Test {
 protected:
  PullProgram() {
    for (const auto& entry : fs::directory_iterator(golden("tiny-hf"))) {
      const std::string name = entry.path().filename().string();
      files_[name] = {read_file(entry.path().string()), name.ends_with(".safetensors")};
    }
    mirror_.put(kRepo, "main", kCommit, files_);
    setting_.environment = {{"HF_ENDPOINT", mirror_.url() + "/"}, {"HF_HOME", folder_.file("hf")}};
  }

  Outcome run(const std::vector<std::string>& arguments) {
    return run_program(arguments, setting_);
  }
  std::string snapshot() const {
    return folder_.file("hf/hub/models--org--tiny/snapshots/" + kCommit);
  }

  Folder folder_;
  Mirror mirror_;
  MirrorFiles files_;
  Setting setting_;
};

TEST_F(PullProgram, AModelIsPulledListedUsedAndRemoved) {
  const Outcome pulled = run({"pull", kRepo});
  EXPECT_EQ(pulled.code, 0) << pulled.err;
  EXPECT_EQ(pulled.out, snapshot() + "\n");
  EXPECT_EQ(pulled.err, "");
  const auto object = json::parse(run({"pull", kRepo, "--json"}).out);
  EXPECT_EQ(object["commit"], kCommit);
  EXPECT_EQ(object["path"], snapshot());
  EXPECT_EQ(object["fetched"], 0);
  EXPECT_GT(object["bytes"], 0);

  const Outcome list = run({"list"});
  EXPECT_EQ(list.out.rfind("org/tiny  main  0123456789ab  ", 0), 0u) << list.out;
  EXPECT_NE(list.out.find("complete\n"), std::string::npos) << list.out;
  const auto revision = json::parse(run({"list", "--json"}).out);
  EXPECT_EQ(revision["complete"], true);
  EXPECT_EQ(revision["bytes"], object["bytes"]);

  for (const std::string& name : {kRepo, kRepo + "@main", kRepo + "@" + kCommit.substr(0, 8)}) {
    EXPECT_EQ(json::parse(run({"info", name, "--json"}).out)["path"], snapshot()) << name;
  }
  const auto answer =
      json::parse(run({"ask", "-m", kRepo, "x", "--max-tokens", "1", "--json"}).out);
  EXPECT_EQ(answer["model"], kRepo + "@" + kCommit);
  setting_.environment["JANUSPRO_MODEL"] = kRepo;
  EXPECT_EQ(json::parse(run({"info", "--json"}).out)["path"], snapshot());

  const auto removed = json::parse(run({"rm", kRepo, "--json"}).out);
  EXPECT_EQ(removed["commits"], json::array({kCommit}));
  EXPECT_GE(removed["freed"], object["bytes"]);
  EXPECT_FALSE(fs::exists(folder_.file("hf/hub/models--org--tiny")));
  const Outcome none = run({"list"});
  EXPECT_EQ(none.out, "");
  EXPECT_NE(none.err.find("`januspro pull org/name` fetches one"), std::string::npos) << none.err;
}

TEST_F(PullProgram, AModelThatWasNotPulledIsSaidToBe) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"info", kRepo}, {"draw", "-m", kRepo, "x"}, {"ask", "-m", kRepo, "x"}}) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.err.find("`januspro pull org/tiny` fetches it"), std::string::npos)
        << outcome.err;
  }
  EXPECT_EQ(run({"pull", "tiny"}).code, 1);
  const Outcome wrong = run({"rm", "org/none"});
  EXPECT_EQ(wrong.code, 1);
  EXPECT_NE(wrong.err.find("org/none: is not in"), std::string::npos) << wrong.err;
  EXPECT_TRUE(mirror_.requests().empty());
}

TEST_F(PullProgram, TokenAndCacheComeFromTheEnvironment) {
  fs::create_directories(folder_.file("hf"));
  std::ofstream(folder_.file("hf/token")) << "hf_from_file\n";
  const auto sent = [&](const std::string& verdict) {
    EXPECT_EQ(run({"pull", kRepo}).code, 0);
    const MirrorRequest last = mirror_.requests().back();
    const auto token = last.headers.find("authorization");
    EXPECT_EQ(token == last.headers.end() ? "" : token->second, verdict);
    EXPECT_EQ(last.headers.at("user-agent").rfind("januspro/", 0), 0u);
  };
  sent("Bearer hf_from_file");
  setting_.environment["HF_TOKEN"] = " hf_from_variable ";
  sent("Bearer hf_from_variable");
  setting_.environment["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "1";
  sent("");
  setting_.environment["HF_HUB_CACHE"] = folder_.file("elsewhere");
  sent("");
  EXPECT_TRUE(fs::exists(folder_.file("elsewhere/models--org--tiny/refs/main")));
  setting_.environment["HF_HUB_OFFLINE"] = "yes";
  const size_t asked = mirror_.requests().size();
  EXPECT_EQ(run({"pull", kRepo}).code, 0);
  EXPECT_EQ(mirror_.requests().size(), asked);
  setting_.environment["HF_HUB_DOWNLOAD_TIMEOUT"] = "soon";
  EXPECT_NE(run({"pull", kRepo}).err.find("HF_HUB_DOWNLOAD_TIMEOUT is 'soon'"), std::string::npos);
}

TEST_F(PullProgram, AnInterruptKeepsWhatCameAndTheNextPullGoesOn) {
  const std::string weights = "model.safetensors";
  const int64_t half = static_cast<int64_t>(files_.at(weights).content.size() / 2);
  mirror_.on_answer([&](const MirrorRequest& request, MirrorAnswer& answer) {
    answer.stall = request.is_for(weights) && !request.headers.contains("range");
    if (answer.stall) answer.cut = half;
  });
  const fs::path partial = folder_.path() / "hf/hub/models--org--tiny/blobs" /
                           (files_.at(weights).sum() + ".incomplete");
  Setting stopped = setting_;
  stopped.signal = SIGINT;
  stopped.until = [&] {
    std::error_code none;
    return fs::file_size(partial, none) == static_cast<uintmax_t>(half);
  };
  const Outcome cut = run_program({"pull", kRepo}, stopped);
  EXPECT_EQ(cut.code, 130);
  EXPECT_EQ(cut.out, "");
  EXPECT_NE(cut.err.find("goes on from there"), std::string::npos) << cut.err;
  EXPECT_EQ(fs::file_size(partial), static_cast<uintmax_t>(half));
  const Outcome list = run({"list"});
  // The files beside it may have been under way as well.
  EXPECT_NE(list.out.find("  lacks "), std::string::npos) << list.out;
  EXPECT_NE(list.out.find(" weights (model.safetensors)"), std::string::npos) << list.out;
  EXPECT_NE(list.out.find("of unfinished files"), std::string::npos) << list.out;
  EXPECT_EQ(run({"pull", kRepo}).code, 0);
  EXPECT_EQ(read_file(snapshot() + "/" + weights), files_.at(weights).content);
  EXPECT_EQ(mirror_.count(weights), 2);
}

TEST_F(PullProgram, ATerminalShowsHowFarItIs) {
  mirror_.on_answer([](const MirrorRequest&, MirrorAnswer& answer) { answer.delay = 150; });
  setting_.terminal = true;
  const Outcome outcome = run({"pull", kRepo});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.err.find("org/tiny ["), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find(" MB"), std::string::npos) << outcome.err;
  EXPECT_EQ(run({"rm", kRepo}).code, 0);
  EXPECT_EQ(run({"pull", kRepo, "--quiet"}).err, "");
}

}  // namespace
}  // namespace janus
