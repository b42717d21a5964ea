// Manners that all verbs share: exit codes, messages, where output goes.
// SPDX-License-Identifier: MIT
#include "program.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "januspro/januspro.hpp"

namespace janus {
namespace {

const std::vector<std::vector<std::string>> kVerbs = {{"draw"},
                                                      {"edit"},
                                                      {"ask"},
                                                      {"chat"},
                                                      {"serve"},
                                                      {"info"},
                                                      {"trace", "ask"},
                                                      {"trace", "draw"},
                                                      {"trace", "encode"},
                                                      {"trace", "tokens"},
                                                      {"convert"},
                                                      {"random-model"},
                                                      {"bench"},
                                                      {"eval"},
                                                      {"pull"},
                                                      {"list"},
                                                      {"rm"},
                                                      {"doctor"},
                                                      {"completion"},
                                                      {"manual"}};

TEST(Program, EveryVerbHasHelpWithAnExample) {
  for (std::vector<std::string> verb : kVerbs) {
    verb.push_back("--help");
    const Outcome outcome = run_program(verb);
    EXPECT_EQ(outcome.code, 0) << verb[0];
    EXPECT_NE(outcome.out.find("Example:\n  januspro " + verb[0]), std::string::npos) << verb[0];
    EXPECT_EQ(outcome.err, "");
  }
}

// A flag more or less is a decision that shows here.
TEST(Program, FlagsAreThoseOfTheFrozenList) {
  std::string found;
  for (std::vector<std::string> verb : kVerbs) {
    std::string name;
    for (const std::string& word : verb) name += word + " ";
    verb.push_back("--help");
    std::set<std::string> flags;
    const std::regex flag("--([a-z-]+)");
    for (const std::string& line : lines_of(run_program(verb).out)) {
      if (!line.starts_with("  -")) continue;
      const std::string names = line.substr(2, line.find(' ', 2) - 2);  // "-s,--seed"
      for (std::sregex_iterator each(names.begin(), names.end(), flag), end; each != end; ++each) {
        flags.insert((*each)[1]);
      }
    }
    for (const std::string& one : flags) found += name + "--" + one + "\n";
  }
  EXPECT_EQ(found, read_file(std::string(JANUSPRO_SOURCE_DIR) + "/tests/apps/flags.txt"));
}

TEST(Program, VersionNamesBackendsAndLevel) {
  const Outcome outcome = run_program({"--version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out.rfind("januspro " + version() + "\nbackends: ref cpu\n", 0), 0u);
  EXPECT_NE(outcome.out.find("instruction set: cpu "), std::string::npos) << outcome.out;
  const Outcome capped = run_program({"--version"}, {.environment = {{"JANUSPRO_ISA", "base"}}});
  EXPECT_NE(capped.out.find("cpu base"), std::string::npos) << capped.out;
}

TEST(Program, WrongCommandLinesExitWithTwo) {
  const std::string tiny = golden("tiny-hf");
  const std::vector<std::vector<std::string>> wrong = {{},
                                                       {"paint"},
                                                       {"draw"},
                                                       {"draw", "x", "-n", "0"},
                                                       {"draw", "x", "--temperature", "-1"},
                                                       {"draw", "x", "--temperature", "hot"},
                                                       {"draw", "x", "--top-p", "0"},
                                                       {"draw", "x", "--seed", "-3"},
                                                       {"draw", "x", "--backend", "tpu"},
                                                       {"draw", "x", "--no-such-flag"},
                                                       {"ask"},
                                                       {"ask", "two", "questions"},
                                                       {"ask", "x", "--max-tokens", "0"},
                                                       {"ask", "x", "-o", "x.jsonl"},
                                                       {"ask", "x", "--recursive"},
                                                       {"ask", "x", "y", "--images", "."},
                                                       {"ask", "x", "-i", "y", "--images", "."},
                                                       {"draw", "x", "-o", "x.gif"},
                                                       {"draw", "x", "--sheet", "x.tiff"},
                                                       {"draw", "x", "--quality", "0"},
                                                       {"draw", "x", "--quality", "9"},
                                                       {"chat", "a question"},
                                                       {"chat", "--max-tokens", "0"},
                                                       {"trace"},
                                                       {"trace", "draw", "x"},
                                                       {"trace", "tokens"},
                                                       {"trace", "ask", "-o", "x.safetensors"},
                                                       {"random-model", "x", "--preset", "huge"},
                                                       {"bench", "--work", "everything"},
                                                       {"pull"},
                                                       {"pull", "a/b", "c/d"},
                                                       {"list", "a/b"},
                                                       {"rm"},
                                                       {"doctor", "x"},
                                                       {"completion"},
                                                       {"completion", "tcsh"}};
  for (const auto& arguments : wrong) {
    const Outcome outcome = run_program(arguments, {.environment = {{"JANUSPRO_MODEL", tiny}}});
    EXPECT_EQ(outcome.code, 2) << testing::PrintToString(arguments) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err, "");
  }
}

TEST(Program, FailuresExitWithOneAndNameTheCause) {
  const Folder folder;
  std::ofstream(folder.file("empty.png")) << "";
  std::ofstream(folder.file("ids.json")) << "[1, 2";
  std::filesystem::create_directory(folder.file("model"));
  const std::string tiny = golden("tiny-hf");
  const std::vector<std::pair<std::vector<std::string>, std::string>> failing = {
      {{"draw", "x", "-m", folder.file("none")}, "none"},
      {{"draw", "x", "-m", folder.file("model")}, "config.json"},
      {{"ask", "x", "-m", folder.file("none")}, "none"},
      {{"ask", "x", "-i", folder.file("none.png"), "-m", tiny}, "none.png"},
      {{"ask", "x", "-i", folder.file("empty.png"), "-m", tiny}, "empty.png"},
      {{"ask", "x", "-i", folder.path().string(), "-m", tiny}, folder.path().string()},
      {{"ask", "\xff", "-m", tiny}, "UTF-8"},
      {{"ask", "x", "--images", folder.file("none"), "-m", tiny}, "is not a folder"},
      {{"ask", "x", "--images", folder.file("ids.json"), "-m", tiny}, "is not a folder"},
      {{"ask", "x", "--images", folder.file("model"), "-m", tiny}, "holds no picture"},
      {{"chat", "-m", folder.file("none")}, "none"},
      {{"chat", "-i", folder.file("empty.png"), "-m", tiny}, "empty.png"},
      {{"chat", "--load", folder.file("none.json"), "-m", tiny}, "none.json"},
      {{"chat", "-o", folder.file("none"), "-m", tiny}, "no such directory"},
      {{"draw", "x", "--device", "cuda", "-m", tiny}, "CUDA"},
      {{"info", folder.file("none")}, "none"},
      {{"trace", "tokens", "--decode", folder.file("ids.json"), "-m", tiny}, "ids.json"},
      {{"trace", "draw", "x", "--image-ids", folder.file("ids.json"), "-o", folder.file("o"), "-m",
        tiny},
       "ids.json"},
      {{"random-model", folder.path().string(), "--preset", "tiny"}, "is there already"},
      {{"random-model", "/proc/no/model", "--preset", "tiny"}, "/proc/no"}};
  for (const auto& [arguments, cause] : failing) {
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.code, 1) << testing::PrintToString(arguments);
    EXPECT_NE(outcome.err.find(cause), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"empty.png", "ids.json", "model"}));
}

TEST(Program, AFullDiskAndAClosedPipeAreSaid) {
  const std::string tiny = golden("tiny-hf");
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"info", "-m", tiny}, {"ask", "x", "-m", tiny, "--max-tokens", "20"}, {"--version"}}) {
    const Outcome full = run_program(arguments, {.out = "/dev/full"});
    EXPECT_EQ(full.code, 1);
    EXPECT_NE(full.err.find("stdout: cannot write: No space left"), std::string::npos) << full.err;
    const Outcome closed = run_program(arguments, {.close_out = true});
    EXPECT_EQ(closed.code, 1);
    EXPECT_NE(closed.err.find("Broken pipe"), std::string::npos) << closed.err;
  }
}

TEST(Program, TheModelComesFromTheFlagThenTheEnvironment) {
  const Folder folder;
  ASSERT_EQ(run_program({"random-model", folder.file("m"), "--preset", "tiny"}).code, 0);
  const Setting named{.environment = {{"JANUSPRO_MODEL", folder.file("m")}}};
  const auto path_of = [](const Outcome& outcome) {
    return nlohmann::json::parse(outcome.out)["path"].get<std::string>();
  };
  EXPECT_EQ(path_of(run_program({"info", "--json"}, named)), folder.file("m"));
  EXPECT_EQ(path_of(run_program({"info", "--json", "-m", golden("tiny-hf")}, named)),
            golden("tiny-hf"));
}

TEST(Program, TheModelThatShipsIsFoundBesideTheProgramThenInShare) {
  const Folder folder;
  std::filesystem::create_directories(folder.path() / "bin");
  std::filesystem::create_directories(folder.path() / "share" / "januspro");
  const Setting installed{.program = folder.file("bin/januspro")};
  std::filesystem::copy_file(JANUSPRO_PROGRAM, installed.program);
  const auto path_of = [&] {
    const Outcome outcome = run_program({"info", "--json"}, installed);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const std::string path = nlohmann::json::parse(outcome.out)["path"];
    return std::filesystem::path(path).lexically_normal().string();
  };
  const std::string shared = folder.file("share/januspro/m");
  ASSERT_EQ(run_program({"random-model", shared, "--preset", "tiny"}).code, 0);
  EXPECT_EQ(path_of(), shared);
  std::filesystem::create_directories(folder.path() / "bin" / "models");
  const std::string beside = folder.file("bin/models/m");
  ASSERT_EQ(run_program({"random-model", beside, "--preset", "tiny"}).code, 0);
  EXPECT_EQ(path_of(), beside);
}

TEST(AskProgram, StreamsTheAnswerAndNothingElse) {
  const std::string tiny = golden("tiny-hf");
  const std::vector<std::string> question{
      "ask", "-m", tiny, "-i", golden("images/rocket.jpg"), "What is it?", "--max-tokens", "12"};
  const Outcome plain = run_program(question);
  EXPECT_EQ(plain.code, 0) << plain.err;
  EXPECT_EQ(plain.err, "");
  std::vector<std::string> with_json = question;
  with_json.push_back("--json");
  const auto object = nlohmann::json::parse(run_program(with_json).out);
  const std::string text = object["text"];
  EXPECT_EQ(plain.out, text.substr(text.find_first_not_of(" \t\r\n")) + "\n");
  EXPECT_EQ(object["answer_tokens"], 12);
  EXPECT_EQ(object["finish"], "length");
}

TEST(AskProgram, TakesPicturesAfterOneFlagOrSeveral) {
  const std::string a = golden("images/rocket.jpg"), b = golden("images/astronaut-64.png");
  const auto tokens = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"ask",    "-m",           golden("tiny-hf"),
                                       "--json", "--max-tokens", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return nlohmann::json::parse(run_program(arguments).out)["prompt_tokens"].get<int>();
  };
  const int none = tokens({"Which?"});
  const int both = tokens({"-i", a, "-i", b, "Which?"});
  EXPECT_GT(both, none + 2 * 64);
  EXPECT_EQ(tokens({"-i", a, b, "Which?"}), both);
  EXPECT_EQ(tokens({"-p", "Which?", "-i", a, b}), both);
  EXPECT_LT(tokens({"Which?", "--system", ""}), none);
}

TEST(AskProgram, ARandomSeedIsSaidAndRepeats) {
  const std::vector<std::string> hot{"ask",           "-m", golden("tiny-hf"), "hi",
                                     "--temperature", "1",  "--max-tokens",    "20"};
  const Outcome first = run_program(hot);
  ASSERT_EQ(first.err.rfind("seed ", 0), 0u) << first.err;
  std::vector<std::string> again = hot;
  again.insert(again.end(), {"--seed", first.err.substr(5, first.err.size() - 6)});
  EXPECT_EQ(run_program(again).out, first.out);
}

TEST(RandomModelProgram, BothLayoutsAreOneModel) {
  const Folder folder;
  std::map<std::string, std::string> pictures;
  for (const std::string layout : {"transformers", "official"}) {
    const std::string model = folder.file(layout);
    const Outcome made = run_program({"random-model", model, "--preset", "tiny", "--seed", "5",
                                      "--layers", "3", "--type", "bf16", "--layout", layout});
    EXPECT_EQ(made.code, 0) << made.err;
    EXPECT_EQ(made.out, model + "\n");
    const auto info = nlohmann::json::parse(run_program({"info", model, "--json"}).out);
    EXPECT_EQ(info["layout"], layout);
    EXPECT_EQ(info["language"]["layers"], 3);
    EXPECT_EQ(info["types"], nlohmann::json::parse("[\"bf16\"]"));
    const Outcome drawn = run_program({"draw", "a ball", "-m", model, "--seed", "1", "--json", "-o",
                                       folder.file(layout + ".png")});
    EXPECT_EQ(drawn.code, 0) << drawn.err;
    pictures[layout] = nlohmann::json::parse(drawn.out)["model_hash"];
  }
  EXPECT_EQ(pictures["transformers"], pictures["official"]);
  EXPECT_EQ(load_picture(folder.file("transformers.png")),
            load_picture(folder.file("official.png")));
}

TEST(RandomModelProgram, InterruptLeavesNothing) {
  const Folder folder;
  Setting setting;
  setting.signal = SIGTERM;
  setting.until = [&] { return !folder.names().empty(); };
  const Outcome outcome =
      run_program({"random-model", folder.file("m"), "--preset", "1b"}, setting);
  EXPECT_EQ(outcome.code, 130) << outcome.err;
  EXPECT_TRUE(folder.names().empty());
}

TEST(LongBenchProgram, LinesCarryTheLimitThatBinds) {
  const Outcome outcome = run_program({"bench", "-m", golden("tiny-hf"), "--runs", "1", "--rows",
                                       "1,3", "--context", "20", "--tokens", "30", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  std::vector<std::string> works, limits;
  for (const std::string& line : lines_of(outcome.out)) {
    const auto object = nlohmann::json::parse(line);
    if (object["work"] == "limits") {
      limits.push_back(object["name"]);
      EXPECT_GT(object["value"].get<double>(), 1e8);
      continue;
    }
    works.push_back(object["work"]);
    EXPECT_TRUE(object["limit"] == "read" || object["limit"] == "f32");  // no blocks here
    EXPECT_GT(object["share"].get<double>(), 0);
    EXPECT_GT(object["peak_rss"].get<int64_t>(), 1'000'000);
  }
  if (limits.back() == "bf16") limits.pop_back();  // where the processor has such products
  EXPECT_EQ(limits, (std::vector<std::string>{"read", "f32", "int8"}));
  EXPECT_EQ(works, (std::vector<std::string>{"load", "step", "step", "prompt", "vision",
                                             "vq_decode", "vq_encode", "picture"}));
}

// A step of text differs from one of a picture by its head: [640, 64] instead of the image head's
// two matrices and the adaptor's two.
TEST(LongBenchProgram, AStepOfTextReadsTheTextHead) {
  const Outcome outcome = run_program({"bench", "-m", golden("tiny-hf"), "--runs", "1", "--work",
                                       "step,text_step", "--rows", "3", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const std::vector<std::string> lines = lines_of(outcome.out);
  ASSERT_EQ(lines.size(), 2u);
  const auto step = nlohmann::json::parse(lines[0]), text = nlohmann::json::parse(lines[1]);
  EXPECT_EQ(text["work"], "text_step");
  const int64_t elements = 64 * (640 - (64 + 256) - (8 + 64));
  EXPECT_EQ(text["bytes"].get<int64_t>() - step["bytes"].get<int64_t>(), 4 * elements);
  EXPECT_EQ(text["operations"].get<int64_t>() - step["operations"].get<int64_t>(),
            2 * 3 * elements);
}

TEST(LongBenchProgram, AStartAndPicturesThatShareAPrompt) {
  const Outcome outcome = run_program(
      {"bench", "-m", golden("tiny-hf"), "--runs", "1", "--work", "start,pictures", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const std::vector<std::string> lines = lines_of(outcome.out);
  ASSERT_EQ(lines.size(), 4u);
  const auto start = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(start["work"], "start");
  EXPECT_EQ(start["tokens"], 16);
  EXPECT_GT(start["seconds_median"].get<double>(), start["seconds_limit"].get<double>());
  double bytes = 1e18;  // of each picture: weights are read once for all of them
  for (size_t i = 1; i < lines.size(); ++i) {
    const auto pictures = nlohmann::json::parse(lines[i]);
    EXPECT_EQ(pictures["work"], "pictures");
    EXPECT_EQ(pictures["rows"], (std::array{2, 8, 32})[i - 1]);
    EXPECT_LT(pictures["bytes"].get<double>(), bytes);
    bytes = pictures["bytes"].get<double>();
  }
}

TEST(LongBenchProgram, TheSecondTurnBeginsSooner) {
  const std::vector<std::string> arguments{"bench", "-m",     golden("tiny-hf"), "--runs",
                                           "3",     "--work", "turns",           "--json"};
  const std::vector<std::string> lines = lines_of(run_program(arguments).out);
  ASSERT_EQ(lines.size(), 3u);
  const auto first = nlohmann::json::parse(lines[0]), second = nlohmann::json::parse(lines[1]);
  const auto turns = nlohmann::json::parse(lines[2]);
  EXPECT_EQ(first["work"], "question");
  EXPECT_EQ(second["work"], "follow_up");
  EXPECT_GE(second["context"], first["tokens"].get<int>() - 1);
  EXPECT_LT(second["operations"], first["operations"]);
  EXPECT_EQ(turns["work"], "turns");
  EXPECT_DOUBLE_EQ(turns["ratio"],
                   first["seconds_median"].get<double>() / second["seconds_median"].get<double>());
}

// Of each pair that was asked for, f32 beside f32 before them; coarser types are further from it.
TEST(LongBenchProgram, QualityOfTypesAgainstF32) {
  const std::vector<std::string> arguments{
      "bench", "-m", golden("tiny-hf"), "--work", "quality", "--pictures", "3", "--json"};
  const Outcome outcome = run_program(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  std::map<std::string, nlohmann::json> rows;
  std::string names;
  for (const std::string& line : lines_of(outcome.out)) {
    const auto row = nlohmann::json::parse(line);
    const std::string name = row["type"].get<std::string>() + ' ' + row["kv"].get<std::string>();
    EXPECT_EQ(row["work"], "quality");
    EXPECT_EQ(row["pictures"], 3);
    EXPECT_EQ(row["codes"], 64);
    EXPECT_EQ(row["model"].get<std::string>().size(), 16u);
    EXPECT_TRUE(row["right"].is_null()) << "a model that does not know the world";
    names += name + ", ";
    rows[name] = row;
  }
  EXPECT_EQ(
      names,
      "f32 f32, f32 bf16, f32 q8, bf16 f32, bf16 bf16, bf16 q8, q8_0 f32, q8_0 bf16, q8_0 q8, "
      "q4_0 f32, q4_0 bf16, q4_0 q8, ");
  const nlohmann::json& same = rows["f32 f32"];
  EXPECT_EQ(same["kl_mean"], 0);
  EXPECT_EQ(same["kl_max"], 0);
  EXPECT_EQ(same["flips"], 0);
  EXPECT_EQ(same["same"], 3);
  EXPECT_TRUE(same["psnr"].is_null());
  double before = 0;
  EXPECT_EQ(rows["bf16 f32"]["kl_max"], 0) << "its numbers are those of bf16";
  for (const char* type : {"q8_0 f32", "q4_0 f32"}) {
    const double mean = rows[type]["kl_mean"];
    EXPECT_GT(mean, before) << type;
    EXPECT_GE(rows[type]["kl_max"].get<double>(), mean) << type;
    before = mean;
  }
  EXPECT_GT(rows["f32 bf16"]["kl_mean"], 0);
  EXPECT_GT(rows["f32 q8"]["kl_mean"], 0);
  EXPECT_LT(rows["q4_0 f32"]["psnr"], 60);

  std::vector<std::string> one = arguments;
  one.insert(one.end(), {"--type", "q4_0", "--kv", "q8", "--threads", "1"});
  const std::vector<std::string> lines = lines_of(run_program(one).out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(nlohmann::json::parse(lines[0]), rows["f32 f32"]);
  EXPECT_EQ(nlohmann::json::parse(lines[1]), rows["q4_0 q8"]);
}

}  // namespace
}  // namespace janus
