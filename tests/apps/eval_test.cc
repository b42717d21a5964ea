// The verb eval, with the model that ships: cases, figures, controls, going on after a stop, and
// what it refuses. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/toyland.h"
#include "program.h"
#include "world/choices.h"

namespace janus {
namespace {

using Json = nlohmann::json;

std::string shipped() { return std::string(JANUSPRO_SOURCE_DIR) + "/models/toyland"; }

Outcome evaluate(const Folder& folder, const std::string& suite,
                 std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"eval",    suite,   "-o", folder.file("out"),
                                        "--quiet", "--json"};
  if (std::ranges::find(more, "-m") == more.end()) more.insert(more.end(), {"-m", shipped()});
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_program(arguments);
}

std::map<std::string, Json> figures(const Outcome& outcome, const std::string& part) {
  std::map<std::string, Json> all;
  for (const std::string& line : lines_of(outcome.out)) {
    const Json json = Json::parse(line);
    if (json["part"] == part) all[json["figure"]] = json;
  }
  return all;
}

TEST(EvalProgram, DrawsReadsAndJudges) {
  const Folder folder;
  const Outcome outcome =
      evaluate(folder, "toyland:single,short", {"--limit", "12", "-n", "2", "--controls"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  auto drawn = figures(outcome, "single"), read = figures(outcome, "short");
  EXPECT_EQ(drawn["all"]["count"], 24);
  EXPECT_GT(drawn["all"]["value"], .4);
  EXPECT_EQ(drawn["control: true scenes"]["value"], 1);
  EXPECT_EQ(drawn["control: true scenes"]["count"], 12);
  EXPECT_LT(drawn["control: shuffled prompts"]["value"], .3);
  EXPECT_GT(drawn["control: true scenes by the codec"]["value"], .8);
  EXPECT_EQ(drawn["control: true scenes by the codec"]["count"], 12);
  EXPECT_EQ(drawn["control: random codes"]["value"], 0);
  EXPECT_EQ(read["all"]["count"], 12);
  EXPECT_GT(read["all"]["value"], .4);
  EXPECT_EQ(read["control: without the objects"]["count"], 12);
  const std::vector<std::string> lines = lines_of(read_file(folder.file("out/single.jsonl")));
  ASSERT_EQ(lines.size(), 25u);  // the settings and a case a line
  const Json line = Json::parse(lines[1]);
  for (const char* key : {"case", "category", "held", "prompt", "seed", "grade", "exact", "reason",
                          "found", "record"}) {
    EXPECT_TRUE(line.contains(key)) << key;
  }
  EXPECT_EQ(line["record"]["split"], "test");
  const Json report = Json::parse(read_file(folder.file("out/single-report.json")));
  EXPECT_EQ(report["figures"]["all"]["count"], 24);
}

// The model that ships, with a context that an edit's prompt and picture fit in.
std::string with_long_context(const Folder& folder) {
  const std::filesystem::path model = folder.file("model");
  std::filesystem::create_directories(model);
  for (const auto& entry : std::filesystem::directory_iterator(shipped())) {
    std::filesystem::create_symlink(entry.path(), model / entry.path().filename());
  }
  Json config = Json::parse(read_file((model / "config.json").string()));
  config["text_config"]["max_position_embeddings"] = 512;
  std::filesystem::remove(model / "config.json");
  std::ofstream(model / "config.json") << config;
  return model.string();
}

// It was not taught to edit: what it makes of the layout fails, the ideal passes.
TEST(EvalProgram, JudgesEditsWhereTheModelWasTaughtThem) {
  const Folder folder;
  const std::vector<std::string> taught = {"--limit", "8",  "--edit-layout",
                                           "und+gen", "-m", with_long_context(folder)};
  const Outcome outcome = evaluate(folder, "toyland:edits", taught);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  auto edited = figures(outcome, "edits");
  EXPECT_EQ(edited["all"]["count"], 8);
  EXPECT_LT(edited["all"]["value"], .5);
  EXPECT_EQ(edited["control: ideal pictures"]["value"], 1);
  EXPECT_EQ(edited["control: the source unchanged"]["value"], 0);
  EXPECT_EQ(edited["preservation, dB"]["count"], 8);
  EXPECT_EQ(edited["preservation, dB: recolour"]["count"], 1);
  EXPECT_TRUE(std::filesystem::exists(folder.file("out/edits-failures.png")));
  const std::string cases = read_file(folder.file("out/edits.jsonl"));
  EXPECT_EQ(evaluate(folder, "toyland:edits", taught).out, outcome.out);
  EXPECT_EQ(read_file(folder.file("out/edits.jsonl")), cases);

  const Folder untaught;
  const Outcome refused = evaluate(untaught, "toyland:edits", {"--limit", "8"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("was not taught to edit"), std::string::npos) << refused.err;
}

// It never saw a diagram: what counts is that truths pass and all is told apart.
TEST(EvalProgram, JudgesDiagrams) {
  const Folder folder;
  const std::vector<std::string> few = {"--limit", "6", "--controls"};
  const Outcome outcome = evaluate(folder, "toyland:flows,charts,circuits", few);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const std::string part : {"flows", "charts", "circuits"}) {
    auto all = figures(outcome, part);
    EXPECT_EQ(all["all"]["count"], 12);
    EXPECT_LT(all["all"]["value"], .3);
    EXPECT_EQ(all["whole"]["count"], 6);
    EXPECT_EQ(all["whole and exact"]["count"], 6);
    EXPECT_EQ(all["questions"]["count"], 6);
    const int held =
        all.contains("questions, held out") ? all["questions, held out"]["count"] : Json(0);
    const int seen = all.contains("questions, seen") ? all["questions, seen"]["count"] : Json(0);
    EXPECT_EQ(held + seen, 6);
    EXPECT_EQ(all["control: true answers"]["value"], 1);
    EXPECT_EQ(all["control: true answers"]["count"], 12);
    EXPECT_EQ(all["control: the commonest answer"]["count"], 6);
    EXPECT_EQ(all["control: whole, without the objects"]["count"], 6);
    EXPECT_EQ(all["control: questions, without the objects"]["count"], 6);
    EXPECT_TRUE(std::filesystem::exists(folder.file("out/" + part + "-failures.png")));
    const Json line = Json::parse(lines_of(read_file(folder.file("out/" + part + ".jsonl")))[1]);
    for (const char* key : {"exact", "blind", "record"}) EXPECT_TRUE(line.contains(key)) << key;
    EXPECT_EQ(line["record"]["task"], part);
  }
  EXPECT_EQ(evaluate(folder, "toyland:flows,charts,circuits", few).out, outcome.out);
}

TEST(EvalProgram, TurnsOptionsRound) {
  const Folder folder, plain;
  const Outcome outcome = evaluate(folder, "toyland:choices", {"--limit", "15", "--circular"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  auto turned = figures(outcome, "choices");
  auto once = figures(evaluate(plain, "toyland:choices", {"--limit", "15"}), "choices");
  EXPECT_EQ(turned["all"], once["all"]);  // rotations do not count as questions
  EXPECT_EQ(turned["circular"]["count"], 15);
  EXPECT_LE(turned["circular"]["value"], turned["all"]["value"]);
  EXPECT_EQ(turned["circular, place"]["count"], 1);
  for (const char* leaf : {"picture kind", "structured reading"}) {
    EXPECT_EQ(turned[leaf]["count"], 1) << leaf;
    EXPECT_EQ(turned[std::string("circular, ") + leaf]["count"], 1) << leaf;
  }
  EXPECT_FALSE(once.contains("circular"));
  // Right is what is right in each of a sample's lines.
  std::map<int, std::pair<size_t, double>> samples;
  const std::vector<std::string> lines = lines_of(read_file(folder.file("out/choices.jsonl")));
  for (size_t i = 1; i < lines.size(); ++i) {
    const Json line = Json::parse(lines[i]);
    auto& [count, least] =
        samples.try_emplace(std::stoi(line["case"].get<std::string>()), 0, 1.).first->second;
    EXPECT_EQ(line.value("turned", 0), count);
    ++count;
    least = std::min(least, line["grade"].get<double>());
  }
  double right = 0;
  for (const auto& [index, sample] : samples) {
    EXPECT_TRUE(sample.first >= 2 && sample.first <= 4) << index;
    right += sample.second;
  }
  EXPECT_NEAR(turned["circular"]["value"], right / 15, 1e-6);
  const Outcome other = evaluate(plain, "toyland:choices", {"--limit", "15", "--circular"});
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.err.find("other settings"), std::string::npos) << other.err;
}

// Who always says A is right where A is, and in no question of two options or more in every
// rotation.
TEST(Eval, AnEverSameLetterIsNeverRightAllRound) {
  const Folder folder;
  CaseFile file(folder.file("choices.jsonl"), {});
  double right = 0;
  std::map<std::string, double> letters;
  for (uint64_t index = 0; index < 30; ++index) {
    const ChoiceSample sample = choice_sample(Split::test, index);
    for (int k = 0; k < static_cast<int>(sample.options.size()); ++k) {
      const std::string letter(1, choice_letter(sample, k));
      nlohmann::ordered_json line = {{"case", std::to_string(index) + '/' + std::to_string(k)},
                                     {"category", sample.leaf},
                                     {"held", false},
                                     {"question", choice_prompt(sample, k)},
                                     {"truth", letter},
                                     {"answer", "A"},
                                     {"grade", letter == "A" ? 1 : 0}};
      if (k > 0) line["turned"] = k;
      if (k == 0) right += letter == "A", letters[letter] += 1 / 30.;
      file.add(line);
    }
  }
  std::map<std::string, double> values;
  for (const auto& f : toyland::figures(toyland::parts("choices")[0], file)) {
    values[f.name] = f.value;
  }
  EXPECT_GT(right, 0);
  EXPECT_NEAR(values.at("all"), right / 30, 1e-9);
  EXPECT_EQ(values.at("circular"), 0);
  EXPECT_EQ(values.at("circular, place"), 0);
  double best = 0;
  for (const auto& [letter, share] : letters) best = std::max(best, share);
  EXPECT_NEAR(values.at("control: always the same letter"), best, 1e-9);
}

// Stopped anywhere, even within a line, a run goes on to the same figures.
TEST(EvalProgram, GoesOnWhereItStopped) {
  const Folder folder;
  const Outcome whole = evaluate(folder, "toyland:short", {"--limit", "10"});
  ASSERT_EQ(whole.code, 0) << whole.err;
  const std::string file = folder.file("out/short.jsonl");
  const std::string all = read_file(file);
  std::ofstream(file, std::ios::binary | std::ios::trunc) << all.substr(0, all.size() * 2 / 3);
  const Outcome again = evaluate(folder, "toyland:short", {"--limit", "10"});
  EXPECT_EQ(again.out, whole.out);
  EXPECT_EQ(read_file(file), all);
  EXPECT_EQ(evaluate(folder, "toyland:short", {"--limit", "10"}).out, whole.out);
  EXPECT_EQ(read_file(file), all);
}

TEST(EvalProgram, SaysWhatItCannotDo) {
  const Folder folder;
  const auto refused = [&](const std::string& suite, const std::string& words,
                           std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--limit", "2"});
    const Outcome outcome = evaluate(folder, suite, more);
    EXPECT_EQ(outcome.code, 1) << suite;
    EXPECT_NE(outcome.err.find(words), std::string::npos) << outcome.err;
  };
  refused("atlantis", "no suite \"atlantis\"");
  refused("toyland:shorts", "there are prompts, dense, open");
  refused("toyland:", "names no part");
  ASSERT_EQ(evaluate(folder, "toyland:short", {"--limit", "2"}).code, 0);
  refused("toyland:short", "other settings", {"--seed", "9"});
  std::ofstream(folder.file("out/short.jsonl")) << "[]\n";
  refused("toyland:short", "none that an evaluation wrote");
  EXPECT_EQ(run_program({"eval"}).code, 2);
  EXPECT_EQ(run_program({"eval", "toyland"}).code, 2);
}

TEST(EvalProgram, ListsItsParts) {
  const Outcome outcome = run_program({"eval", "--list"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(lines_of(outcome.out).size(), toyland::parts().size());
  EXPECT_NE(outcome.out.find("toyland:prompts\t600 prompts\n"), std::string::npos);
}

}  // namespace
}  // namespace janus
