// `januspro convert`, and .gguf files with every verb. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>

#include "io/gguf.h"
#include "io/safetensors.h"
#include "januspro/januspro.hpp"
#include "program.h"

namespace janus {
namespace {

void expect_done(const Outcome& outcome) { EXPECT_EQ(outcome.code, 0) << outcome.err; }

// What it tells of the picture.
nlohmann::json draw_ball(const std::string& model, const std::string& kv, const std::string& png) {
  const Outcome draw =
      run_program({"draw", "a ball", "-m", model, "--seed", "1", "--kv", kv, "--json", "-o", png});
  expect_done(draw);
  return nlohmann::json::parse(draw.out);
}

std::string ask_about_rocket(const std::string& model) {
  const Outcome ask = run_program(
      {"ask", "-m", model, "-i", golden("images/rocket.jpg"), "--max-tokens", "8", "What is it?"});
  expect_done(ask);
  return ask.out;
}

void expect_failed(const Outcome& outcome, int code, const std::string& cause) {
  EXPECT_EQ(outcome.code, code) << outcome.out;
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err.find(cause), std::string::npos) << outcome.err;
}

TEST(ConvertProgram, PrintsPathAndSize) {
  const Folder folder;
  const std::string file = folder.file("a.gguf");
  const Outcome made = run_program({"convert", golden("tiny-hf"), file});
  expect_done(made);
  EXPECT_EQ(made.out, file + "  3.7 MB\n");
  EXPECT_EQ(made.err, "");
  const std::string directory = folder.file("d");
  const Outcome json = run_program({"convert", file, directory, "--type", "bf16", "--json"});
  expect_done(json);
  const auto said = nlohmann::json::parse(json.out);
  EXPECT_EQ(said["path"], directory);
  EXPECT_EQ(said["files"].size(), 1u);
  EXPECT_EQ(said["bytes"], std::filesystem::file_size(directory + "/model.safetensors"));
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"a.gguf", "d"}));
  EXPECT_TRUE(std::filesystem::exists(directory + "/tokenizer_config.json"));
  EXPECT_TRUE(std::filesystem::exists(directory + "/special_tokens_map.json"));
}

// Names of files need not be UTF-8; JSON is.
TEST(ConvertProgram, JsonHoldsAnyName) {
  const Folder folder;
  const std::string file = folder.file("a\xff.gguf"), sheet = folder.file("s\xff.png");
  const std::string model = golden("tiny-hf");
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"convert", model, file, "--no-preview", "--json"},
           {"info", "-m", file, "--json"},
           {"draw", "-m", model, "red", "-o", folder.file("a.png"), "--sheet", sheet, "--json"}}) {
    const Outcome outcome = run_program(arguments);
    expect_done(outcome);
    EXPECT_NE(outcome.out.find("\uFFFD"), std::string::npos) << outcome.out;
    EXPECT_FALSE(
        nlohmann::json::parse(outcome.out.substr(outcome.out.rfind("\n{") + 1), nullptr, false)
            .is_discarded());
  }
}

TEST(ConvertProgram, ReplacesOnlyWhenTold) {
  const Folder folder;
  const std::string file = folder.file("a.gguf"), directory = folder.file("d");
  const std::vector<std::string> to_file = {"convert", golden("tiny-hf"), file, "--no-preview"};
  const std::vector<std::string> to_directory = {"convert", golden("tiny-hf"), directory};
  expect_done(run_program(to_file));
  expect_done(run_program(to_directory));
  expect_failed(run_program(to_file), 1, "--force replaces it");
  expect_failed(run_program(to_directory), 1, "--force replaces it");
  for (std::vector<std::string> again : {to_file, to_directory}) {
    again.insert(again.end(), {"--force", "--type", "bf16"});
    expect_done(run_program(again));
  }
  EXPECT_LT(std::filesystem::file_size(file), 2'000'000u);
  // Onto itself, and never a folder that is no checkpoint.
  expect_done(run_program({"convert", file, file, "--force", "--type", "f32"}));
  std::filesystem::create_directory(folder.file("mine"));
  std::ofstream(folder.file("mine/letter.txt")) << "dear";
  expect_failed(run_program({"convert", file, folder.file("mine"), "--force"}), 1,
                "no checkpoint directory");
  EXPECT_EQ(read_file(folder.file("mine/letter.txt")), "dear");
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"a.gguf", "d", "mine"}));
}

// An adapter of ones at the text head.
void write_ones(const std::string& directory) {
  std::filesystem::create_directory(directory);
  std::ofstream(directory + "/adapter_config.json")
      << R"({"peft_type": "LORA", "r": 1, "lora_alpha": 1})";
  const std::vector<float> ones(640, 1.0f);
  const auto factor = [&](const std::string& name, std::vector<int64_t> shape) {
    const auto count = static_cast<size_t>(shape[0] * shape[1]);
    return TensorEntry{
        "base_model.model.lm_head." + name, Dtype::f32, std::move(shape),
        [&ones, count](const auto& sink) { sink(std::as_bytes(std::span(ones).first(count))); }};
  };
  write_safetensors(directory + "/adapter_model.safetensors",
                    {factor("lora_A.weight", {1, 64}), factor("lora_B.weight", {640, 1})});
}

// Every number of the text head is one more, twice two more; and no other tensor has changed, in
// either layout.
TEST(ConvertProgram, MergesAdapters) {
  const Folder folder;
  write_ones(folder.file("ones"));
  const StoredTensors before = read_safetensors(golden("tiny-hf") + "/model.safetensors");
  for (int times = 1; times <= 2; ++times) {
    std::vector<std::string> arguments = {"convert", golden("tiny-official"),
                                          folder.file(std::to_string(times)), "--type", "f32"};
    for (int i = 0; i < times; ++i)
      arguments.insert(arguments.end(), {"--merge", folder.file("ones")});
    expect_done(run_program(arguments));
    for (const auto& [name, tensor] :
         read_safetensors(folder.file(std::to_string(times)) + "/model.safetensors")) {
      std::vector<float> wanted(static_cast<size_t>(tensor.count())), made(wanted.size());
      before.at(name).read_f32(0, wanted);
      tensor.read_f32(0, made);
      if (name == "lm_head.weight") {
        for (float& value : wanted) {
          for (int i = 0; i < times; ++i) value += 1;
        }
      }
      EXPECT_EQ(made, wanted) << name;
    }
  }
  expect_failed(
      run_program({"convert", golden("tiny-hf"), folder.file("x"), "--merge", folder.file("none")}),
      1, "adapter_config.json");
}

TEST(ConvertProgram, WrongUseExitsWithTwo) {
  const Folder folder;
  const std::string tiny = golden("tiny-hf");
  expect_failed(run_program({"convert", tiny, folder.file("d"), "--type", "q8_0"}), 2, "q8_0");
  expect_failed(run_program({"convert", tiny, folder.file("d"), "--no-preview"}), 2, ".gguf");
  expect_failed(run_program({"convert", tiny, folder.file("a.gguf"), "--layout", "official"}), 2,
                "--layout");
  expect_failed(run_program({"convert", tiny, folder.file("d"), "--layout", "native"}), 2, ".gguf");
  expect_failed(
      run_program({"convert", tiny, folder.file("a.gguf"), "--layout", "native", "--type", "f16"}),
      2, "not f16");
  expect_failed(run_program({"convert", tiny, folder.file("a.gguf"), "--type", "q4_K"}), 2, "q4_K");
  expect_failed(
      run_program({"random-model", folder.file("d"), "--preset", "tiny", "--type", "q8_0"}), 2,
      "q8_0");
  expect_failed(run_program({"convert", folder.file("none"), folder.file("a.gguf")}), 1, "none");
  expect_failed(run_program({"convert", tiny, folder.file("no/a.gguf")}), 1, "no such directory");
  EXPECT_TRUE(folder.names().empty());
}

// What a picture was drawn from does not matter, and neither does what a question was asked of.
TEST(ConvertProgram, EveryVerbTakesTheFile) {
  const Folder folder;
  const std::string tiny = golden("tiny-hf"), file = folder.file("a.gguf");
  expect_done(run_program({"convert", tiny, file}));
  std::vector<nlohmann::json> drawn;
  std::vector<std::string> answers, ids;
  for (const std::string& model : {tiny, file}) {
    const std::string png = folder.file(std::to_string(drawn.size()) + ".png");
    drawn.push_back(draw_ball(model, "auto", png));
    answers.push_back(ask_about_rocket(model));
    ids.push_back(run_program({"trace", "tokens", "-m", model, "a <|User|> b"}).out);
  }
  EXPECT_EQ(load_picture(folder.file("0.png")), load_picture(folder.file("1.png")));
  EXPECT_EQ(drawn[0]["model_hash"], drawn[1]["model_hash"]);
  EXPECT_EQ(answers[0], answers[1]);
  EXPECT_EQ(ids[0], ids[1]);
  expect_done(run_program({"bench", "-m", file, "--work", "load,step", "--rows", "1", "--runs", "1",
                           "--context", "8", "--tokens", "8", "--json"}));
}

// Packed and plain: the same pictures and answers, under the same hash; and back again.
TEST(ConvertProgram, NativeIsThePlainFileAsItIsHeld) {
  const Folder folder;
  const std::string tiny = golden("tiny-hf"), plain = folder.file("a.gguf");
  const std::string packed = folder.file("b.gguf"), back = folder.file("c.gguf");
  expect_done(run_program({"convert", tiny, plain, "--type", "q8_0"}));
  expect_done(run_program({"convert", tiny, packed, "--type", "q8_0", "--layout", "native"}));
  expect_done(run_program({"convert", packed, back}));
  std::vector<nlohmann::json> drawn;
  std::vector<std::string> answers;
  for (const std::string& model : {plain, packed, back}) {
    const std::string png = folder.file(std::to_string(drawn.size()) + ".png");
    drawn.push_back(draw_ball(model, "q8", png));
    answers.push_back(ask_about_rocket(model));
    EXPECT_EQ(load_picture(png), load_picture(folder.file("0.png"))) << model;
    EXPECT_EQ(drawn.back()["model_hash"], drawn[0]["model_hash"]) << model;
    EXPECT_EQ(answers.back(), answers[0]) << model;
  }
  const auto info = nlohmann::json::parse(run_program({"info", packed, "--json"}).out);
  EXPECT_EQ(info["packed"], true);
  EXPECT_EQ(info["parameters"], 905547);
  EXPECT_EQ(info["types"], nlohmann::json::parse(R"(["bf16", "f32", "q8_0"])"));
  expect_done(run_program({"doctor", "-m", packed}));
  expect_done(run_program({"ask", "-m", packed, "--backend", "ref", "--max-tokens", "2", "What?"}));
}

TEST(ConvertProgram, InfoShowsTypesByGroup) {
  const Folder folder;
  const std::string file = folder.file("a.gguf");
  expect_done(run_program({"convert", golden("tiny-official"), file, "--type", "q8_0"}));
  const auto info = nlohmann::json::parse(run_program({"info", file, "--json"}).out);
  EXPECT_EQ(info["layout"], "gguf");
  EXPECT_EQ(info["parameters"], 905547);
  EXPECT_EQ(info["types"], nlohmann::json::parse(R"(["bf16", "f32", "q8_0"])"));
  EXPECT_EQ(info["stored"]["language"]["q8_0"], 2 * (4 * 64 * 64 + 3 * 160 * 64));
  EXPECT_EQ(info["stored"]["language"]["f32"], 5 * 64);
  EXPECT_EQ(info["stored"]["heads"]["q8_0"], 640 * 64);            // of text
  EXPECT_EQ(info["stored"]["heads"]["bf16"], 64 * 64 + 256 * 64);  // of pictures
  EXPECT_FALSE(info["stored"]["codec"].contains("q8_0"));
  const Outcome table = run_program({"info", "-m", file});
  EXPECT_NE(table.out.find("stored.vision.q8_0 "), std::string::npos) << table.out;
}

TEST(ConvertProgram, TheFileHoldsThePreview) {
  const Folder folder;
  const std::string file = folder.file("a.gguf"), again = folder.file("b.gguf");
  expect_done(run_program({"convert", golden("tiny-hf"), file}));
  expect_done(run_program({"convert", file, again, "--type", "q8_0"}));
  const StoredTensors one = GgufFile(file).tensors(), other = GgufFile(again).tensors();
  const StoredTensor& map = one.at("preview.weight");
  EXPECT_EQ(map.shape, (std::vector<int64_t>{12, 9}));
  EXPECT_TRUE(std::ranges::equal(map.data, other.at("preview.weight").data));
}

TEST(ConvertProgram, ProgressIsForTerminals) {
  const Folder folder;
  const Outcome seen =
      run_program({"convert", golden("tiny-hf"), folder.file("a.gguf")}, {.terminal = true});
  EXPECT_NE(seen.err.find("writing"), std::string::npos) << seen.err;
  const Outcome quiet = run_program(
      {"convert", golden("tiny-hf"), folder.file("b.gguf"), "--quiet"}, {.terminal = true});
  EXPECT_EQ(quiet.err, "");
}

TEST(RandomModelProgram, FileAndDirectoryAreOneModel) {
  const Folder folder;
  std::vector<std::string> hashes;
  for (const char* name : {"m", "m.gguf"}) {
    const Outcome made = run_program(
        {"random-model", folder.file(name), "--preset", "tiny", "--seed", "3", "--type", "bf16"});
    expect_done(made);
    EXPECT_EQ(made.out, folder.file(name) + "\n");
    const Outcome drawn = run_program({"draw", "a ball", "-m", folder.file(name), "--seed", "1",
                                       "--json", "-o", folder.file("x.png")});
    expect_done(drawn);
    hashes.push_back(nlohmann::json::parse(drawn.out)["model_hash"]);
  }
  EXPECT_EQ(hashes[0], hashes[1]);
  expect_failed(run_program({"random-model", folder.file("m.gguf"), "--preset", "tiny"}), 1,
                "is there already");
}

TEST(RandomModelProgram, InterruptLeavesNoFile) {
  const Folder folder;
  Setting setting;
  setting.signal = SIGTERM;
  setting.until = [&] { return !folder.names().empty(); };
  const Outcome outcome = run_program(
      {"random-model", folder.file("m.gguf"), "--preset", "1b", "--type", "q8_0"}, setting);
  EXPECT_EQ(outcome.code, 130) << outcome.err;
  EXPECT_TRUE(folder.names().empty());
}

// Goes from a folder into a .gguf and on into the next, and info shows it; not with an adapter, for
// that makes another model.
TEST(ConvertProgram, QualityStaysWithTheModel) {
  const Folder folder;
  const std::string model = folder.file("model");
  std::filesystem::copy(golden("tiny-hf"), model);
  const Outcome measured = run_program(
      {"bench", "-m", model, "--work", "quality", "--pictures", "1", "--type", "f32", "--json"});
  expect_done(measured);
  std::ofstream(model + "/quality.jsonl") << measured.out;
  const std::string first = folder.file("a.gguf"), second = folder.file("b.gguf");
  expect_done(run_program({"convert", model, first, "--no-preview"}));
  expect_done(run_program(
      {"convert", first, second, "--no-preview", "--type", "q8_0", "--layout", "native"}));
  for (const std::string& path : {model, first, second}) {
    if (path != model) {
      EXPECT_EQ(GgufFile(path).text("janus.quality"), measured.out);
    }
    const Outcome told = run_program({"info", "-m", path, "--images", "1", "--json"});
    expect_done(told);
    const auto lines = nlohmann::json::parse(told.out)["quality"];
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_EQ(lines[2].dump(), nlohmann::json::parse(lines_of(measured.out)[2]).dump());
    const Outcome table = run_program({"info", "-m", path, "--images", "1"});
    expect_done(table);
    EXPECT_NE(table.out.find("\nquality against f32: 1 pictures of 64 codes, model "),
              std::string::npos);
    EXPECT_NE(table.out.find("\nf32   q8    "), std::string::npos) << table.out;
  }
  write_ones(folder.file("ones"));
  expect_done(run_program(
      {"convert", model, second, "--no-preview", "--force", "--merge", folder.file("ones")}));
  EXPECT_FALSE(GgufFile(second).text("janus.quality"));

  std::ofstream(model + "/quality.jsonl", std::ios::app) << "{}\n";
  for (const char* verb : {"convert", "info"}) {
    std::vector<std::string> arguments{verb, model};
    if (arguments[0] == "convert") arguments.push_back(folder.file("c.gguf"));
    expect_failed(run_program(arguments), 1, "its quality: line 4 is none that");
  }
}

// Figures of another model than the one beside them would be worse than none.
TEST(ConvertProgram, TheShippedModelHasFiguresOfItsOwn) {
  const std::string model = std::string(JANUSPRO_SOURCE_DIR) + "/models/toyland";
  const Outcome one = run_program({"bench", "-m", model, "--work", "quality", "--pictures", "1",
                                   "--type", "f32", "--kv", "f32", "--json"});
  expect_done(one);
  const auto hash = nlohmann::json::parse(one.out)["model"];
  const std::string kept = read_file(model + "/quality.jsonl");
  const std::vector<std::string> lines = lines_of(kept);
  EXPECT_EQ(lines.size(), 12u);
  for (const std::string& line : lines) {
    EXPECT_EQ(nlohmann::json::parse(line)["model"], hash)
        << "models/toyland/quality.jsonl is of other weights; docs/measuring.md, Quality, has the "
           "command that measures it again";
  }
  const Folder folder;
  expect_done(run_program({"convert", model, folder.file("a.gguf"), "--type", "q8_0"}));
  EXPECT_EQ(GgufFile(folder.file("a.gguf")).text("janus.quality"), kept);
}

}  // namespace
}  // namespace janus
