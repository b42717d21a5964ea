// Whole runs of a tiny model on data that people bring, all formats at once and some of it broken:
// what they learn depends neither on how many threads read, nor on a stop, nor on what codes are
// kept already.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/error.h"
#include "io/tar_writer.h"
#include "support.h"
#include "train/run.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const Log kSilent = [](const std::string&) {};
const std::function<bool()> kGoOn = [] { return false; };

// No two alike, nor their codes.
std::string picture(int number) {
  constexpr int kSide = 40;
  Image image{kSide, kSide, std::vector<uint8_t>(3 * kSide * kSide)};
  for (int i = 0; i < 3 * kSide * kSide; ++i) {
    image.rgb[static_cast<size_t>(i)] = static_cast<uint8_t>(i * (number + 1) / 7 % 256);
  }
  const std::vector<std::byte> png = encode_image(image);
  return {reinterpret_cast<const char*>(png.data()), png.size()};
}

std::string source(const fs::path& path, const std::string& format, const std::string& more) {
  return "[[data]]\npath = \"" + path.string() + "\"\nformat = \"" + format + "\"\n" + more;
}

// Ten pictures with captions, of which three are broken.
std::string photos(const Folder& folder, const std::string& more) {
  for (int i = 0; i < 10; ++i) {
    const std::string name = "photos/" + std::to_string(i);
    write_text(folder / (name + ".png"), i == 3 ? "no picture" : picture(i));
    if (i != 5) write_text(folder / (name + ".txt"), i == 6 ? " \n" : "photo " + name + "\n");
  }
  return source(folder / "photos", "folder", "weight = 3\n" + more);
}

std::string classes(const Folder& folder) {
  for (int i = 10; i < 13; ++i) {
    const std::string kind = i == 12 ? "red_cup" : "ball";
    write_text(folder / ("classes/" + kind + "/" + std::to_string(i) + ".png"), picture(i));
  }
  return source(folder / "classes", "classes", "template = [\"a {}\", \"{}, alone\"]\n");
}

// Four conversations, one of them about a picture that is not there.
std::string llava(const Folder& folder) {
  Json rows = Json::array();
  for (const char* name : {"0.png", "1.png", "absent.png", "2.png"}) {
    rows.push_back({{"image", name},
                    {"conversations",
                     {{{"from", "human"}, {"value", "<image>\nWhat is it?"}},
                      {{"from", "gpt"}, {"value", std::string("It is ") + name}}}}});
  }
  write_text(folder / "llava.json", rows.dump(1));
  return source(folder / "llava.json", "llava",
                "images = \"" + (folder / "photos").string() + "\"\nmax_broken = 1\n");
}

// Four samples, and the beginning of a fifth.
std::string shard(const Folder& folder) {
  std::string tar;
  for (int i = 13; i < 18; ++i) {
    const std::string name = "s/" + std::to_string(i);
    tar += tar_member(name + ".txt", "sample " + name) + tar_member(name + ".png", picture(i));
  }
  write_text(folder / "s-0.tar", tar.substr(0, tar.size() - 700));
  return source(folder / "s-{0..0}.tar", "webdataset", "max_broken = 2\n");
}

// Edits, a drawing and a conversation.
std::string lines(const Folder& folder) {
  write_text(folder / "rows.jsonl",
             R"({"prompt": "make it red", "source": "photos/0.png", "image": "photos/1.png"})"
             "\n"
             R"({"prompt": "turn it", "source": "photos/1.png", "image": "photos/2.png"})"
             "\n"
             R"({"prompt": "a stripe", "image": "photos/4.png"})"
             "\n"
             R"({"messages": [{"role": "user", "content": "Hello."},)"
             R"( {"role": "assistant", "content": "Good day."}]})"
             "\n");
  return source(folder / "rows.jsonl", "jsonl", "task = \"edit\"\n");
}

std::string recipe_text(const std::string& data) {
  const std::string text = tiny_recipe(false);
  return text.substr(0, text.find("[[data]]")) + data;
}

std::string everything(const Folder& folder, const std::string& of_photos) {
  return recipe_text(photos(folder, of_photos) + classes(folder) + llava(folder) + shard(folder) +
                     lines(folder) + "[[data]]\npath = \"toyland/short\"\ntask = \"understand\"\n");
}

std::vector<std::string> common(std::vector<std::string> more) {
  // The tokenizer of the golden model takes no time to make.
  more.insert(more.end(), {"model.language.vocabulary=640",
                           "model.tokenizer=" + golden("tiny-hf/tokenizer.json").string(),
                           "schedule.steps=6", "log.every=1", "condition_drop=0.2"});
  return more;
}

void begin(const fs::path& run, const std::string& text, const std::vector<std::string>& more) {
  begin_run(run, merge_recipe(text, "data", common(more)));
}

std::vector<Json> lines_of(const fs::path& file) {
  std::vector<Json> all;
  std::istringstream in(read_text(file));
  for (std::string line; std::getline(in, line);) all.push_back(Json::parse(line));
  return all;
}

// All that a run has learnt and told, times aside.
std::string outcome(const fs::path& run) {
  std::string all;
  for (Json& line : lines_of(run / "metrics.jsonl")) {
    for (const char* timed : {"samples_per_s", "positions_per_s", "peak_share"}) line.erase(timed);
    line.erase("broken_rows");  // counts from where a sitting began
    all += line.dump() + "\n";
  }
  for (const char* file : {"weights.safetensors", "optimizer.safetensors"}) {
    all += read_text(run / "step-00000006" / file);
  }
  return all;
}

TEST(DataRuns, NeitherThreadsNorAStopNorKeptCodesChangeWhatIsLearnt) {
  const Folder folder("data-run");
  const std::string text = everything(folder, "max_broken = 3\n");
  EXPECT_NE(plan(parse_recipe(text, "data", common({})), 2).find("6 steps of 8 samples"),
            std::string::npos);

  begin(folder / "whole", text, {"batch.workers=1"});
  EXPECT_EQ(train(folder / "whole", 2, kSilent, kGoOn), Ended::finished);
  const std::string whole = outcome(folder / "whole");

  // Every row was met, so every broken one is named, once.
  std::set<std::string> places;
  for (const Json& row : lines_of(folder / "whole" / "broken.jsonl")) {
    EXPECT_TRUE(places.insert(fs::path(row.at("place").get<std::string>()).filename()).second);
  }
  EXPECT_EQ(places, (std::set<std::string>{"3.png", "5.png", "6.png", "llava.json, line 28", "17",
                                           "s-0.tar, its end"}));
  EXPECT_EQ(lines_of(folder / "whole" / "metrics.jsonl").back().at("broken_rows"), 6);

  // Of photos 7, of classes 3, of the shard 4; edits are of photos.
  const fs::path codes = fs::directory_iterator(folder / "whole" / "codes")->path();
  constexpr uintmax_t kSize = 16 + 14 * (16 + 2 * 64);
  EXPECT_EQ(fs::file_size(codes), kSize);

  begin(folder / "threads", text, {"batch.workers=5"});
  train(folder / "threads", 2, kSilent, kGoOn);
  EXPECT_TRUE(outcome(folder / "threads") == whole);

  begin(folder / "parts", text, {"batch.workers=3"});
  int steps = 0;
  EXPECT_EQ(train(folder / "parts", 2, kSilent, [&steps] { return ++steps == 2; }), Ended::stopped);
  EXPECT_EQ(train(folder / "parts", 2, kSilent, kGoOn), Ended::finished);
  EXPECT_TRUE(outcome(folder / "parts") == whole);

  begin(folder / "warm", text, {"cache.codes=" + (folder / "whole" / "codes").string()});
  train(folder / "warm", 2, kSilent, kGoOn);
  EXPECT_TRUE(outcome(folder / "warm") == whole);
  EXPECT_EQ(fs::file_size(codes), kSize);
  EXPECT_FALSE(fs::exists(folder / "warm" / "codes"));

  begin(folder / "none", text, {"cache.codes=none"});
  train(folder / "none", 2, kSilent, kGoOn);
  const auto loss = [&](const char* run) {
    return lines_of(folder / run / "metrics.jsonl").front().at("loss").get<double>();
  };
  EXPECT_NEAR(loss("none"), loss("whole"), 0.01);  // rounding may turn a code or two
}

TEST(DataRuns, TooMuchThatIsBrokenEndsARunAndNothingThatIsNotBeginsNone) {
  const Folder folder("data-broken");
  begin(folder / "run", recipe_text(photos(folder, "max_broken = 2\n")), {});
  const std::string too_many = refusal([&] { train(folder / "run", 2, kSilent, kGoOn); });
  EXPECT_NE(too_many.find("more than 2 rows cannot be used"), std::string::npos) << too_many;
  EXPECT_NE(too_many.find("broken.jsonl"), std::string::npos) << too_many;
  EXPECT_EQ(lines_of(folder / "run" / "broken.jsonl").size(), 3u);

  write_text(folder / "bad/a.png", "no picture");
  write_text(folder / "bad/a.txt", "a");
  begin(folder / "not", recipe_text(source(folder / "bad", "folder", "")), {});
  const std::string none = refusal([&] { train(folder / "not", 2, kSilent, kGoOn); });
  EXPECT_NE(none.find("none can be used"), std::string::npos) << none;
  EXPECT_FALSE(fs::exists(folder / "not" / "metrics.jsonl"));
}

}  // namespace
}  // namespace janus::train
