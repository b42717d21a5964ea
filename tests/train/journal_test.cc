// What a run tells: lines, TensorBoard's records, the page made of them.
// SPDX-License-Identifier: MIT
#include "train/journal.h"

#include <gtest/gtest.h>
#include <cmath>

#include "base/error.h"
#include "files.h"
#include "train/curves.h"
#include "train/run_report.h"

namespace janus::train {
namespace {

std::string hex(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    for (const int shift : {4, 0}) out += "0123456789abcdef"[static_cast<uint8_t>(c) >> shift & 15];
  }
  return out;
}

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// RFC 3720, B.4: check values.
TEST(EventFile, ChecksumsAreThoseOfTheStandard) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
}

// The records as the package tensorboard 2.21.0 writes them (RecordWriter over event_pb2.Event).
TEST(EventFile, IsWhatTensorBoardWrites) {
  const Folder folder("events");
  EventFile file(folder / ".", 7, 1.5);
  file.scalar("train/loss", .25, 300, 2.5);
  file.picture("val/drawn", "png", 3, 2, 301, 3.5);
  EXPECT_EQ(
      hex(read_text(file.path())),
      "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c0f0000000000"
      "00006d532b0909000000000000f83f10083a0208019571c7d12100000000000000017becf6090000000000000440"
      "10ac022a130a110a0a747261696e2f6c6f7373150000803e3cc9cac52800000000000000ff70164a090000000000"
      "000c4010ad022a1a0a180a0976616c2f647261776e220b0802100318032203706e674a8d1afb");
}

TEST(EventFile, TwoStartsInOneSecondHaveTwoFiles) {
  const Folder folder("second");
  const EventFile one(folder / ".", 0, 10), two(folder / ".", 0, 10.5);
  EXPECT_NE(one.path(), two.path());
  EXPECT_LT(one.path(), two.path());
}

Evaluation evaluation(const std::string& picture) {
  Evaluation all;
  all.figures["draw_right"] = .5;
  Shown drawn;
  drawn.name = "drawn";
  drawn.picture = picture;
  drawn.columns = 2;
  drawn.width = drawn.height = 16;
  drawn.prompts = {"a <red> ball", "a blue star", "a cat", "a dog"};
  Shown said;
  said.name = "short";
  said.said = {{"What is it?", "A cat.", "A dog."}};
  all.shown = {drawn, said};
  return all;
}

// A run of 30 steps whose checkpoint is that of step 20, and which died while it wrote a line.
TEST(Journal, ForgetsWhatWillBeWrittenAgain) {
  const Folder folder("forgets");
  write_picture(folder / "drawn-10.png", 16);
  {
    Journal journal(folder / ".", 0, false);
    for (const int64_t step : {10, 20, 30})
      journal.progress(step, {{"loss", 1. / static_cast<double>(step)}});
    for (const int64_t step : {10, 30}) journal.report(step, evaluation("drawn-10.png"));
  }
  write_text(folder / "metrics.jsonl", read_text(folder / "metrics.jsonl") + "{\"step\":4");
  Journal again(folder / ".", 20, false);
  EXPECT_EQ(read_text(folder / "metrics.jsonl"),
            "{\"step\":10,\"loss\":0.1}\n{\"step\":20,\"loss\":0.05}\n"
            "{\"step\":10,\"val_draw_right\":0.5}\n");
  EXPECT_EQ(count(read_text(folder / "samples.jsonl"), "\n"), 1);
  again.progress(21, {{"loss", .01}});
  EXPECT_TRUE(read_text(folder / "metrics.jsonl").ends_with("{\"step\":21,\"loss\":0.01}\n"));
}

TEST(Journal, TellsTensorBoardTheSame) {
  const Folder folder("tells");
  write_picture(folder / "drawn-10.png", 16);
  Journal journal(folder / ".", 0, true);
  journal.progress(10, {{"loss", 1}});
  journal.report(10, evaluation("drawn-10.png"));
  std::filesystem::path file;
  for (const auto& entry : std::filesystem::directory_iterator(folder / ".")) {
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) file = entry.path();
  }
  const std::string events = read_text(file);
  for (const char* tag : {"train/loss", "val/draw_right", "val/drawn"}) {
    EXPECT_EQ(count(events, tag), 1) << tag;
  }
  EXPECT_EQ(count(events, read_text(folder / "drawn-10.png")), 1);
}

TEST(RunReport, HoldsCurvesAndSamplesAndEscapesThem) {
  const Folder folder("page");
  write_picture(folder / "drawn-10.png", 16);
  Journal journal(folder / ".", 0, false);
  for (const int64_t step : {10, 20}) journal.progress(step, {{"loss", 1}, {"code_loss", 2}});
  journal.progress(30, {{"loss", NAN}, {"code_loss", 2}});
  for (const int64_t step : {10, 20, 30}) {
    // The second sheet is gone.
    journal.report(step, evaluation("drawn-" + std::to_string(step == 20 ? 20 : 10) + ".png"));
  }
  write_text(folder / "recipe.toml", "a = \"<b>\"\n");
  const std::string page = run_report(folder / ".");
  EXPECT_EQ(count(page, "<svg"), 2);  // both losses share a chart
  EXPECT_EQ(count(page, "<circle"), 2 + 3 + 3);
  EXPECT_EQ(count(page, "data:image/png;base64,"), 2);  // the last, and one of the earlier ones
  EXPECT_EQ(count(page, "background-position"), 4);
  EXPECT_EQ(count(page, "a &lt;red&gt; ball"), 1);
  EXPECT_EQ(count(page, "a = &quot;&lt;b&gt;&quot;"), 1);
  EXPECT_EQ(count(page, "A cat."), 1);
  EXPECT_EQ(count(page, "http"), 0);  // it asks nobody
}

TEST(RunReport, SaysWhereNothingIs) {
  const Folder folder("nothing");
  EXPECT_THROW(run_report(folder / "run"), Error);
}

TEST(Curves, SpanOfMoreThanTwoPowersIsLogarithmic) {
  const Curve wide = {"a", {{0, .001}, {1, 1}}}, narrow = {"a", {{0, .5}, {1, 1}}};
  EXPECT_EQ(count(chart_svg("t", {wide}), ">0.01<"), 1);
  EXPECT_EQ(count(chart_svg("t", {narrow}), ">0.01<"), 0);
  EXPECT_EQ(count(chart_svg("t", {{"a", {{0, NAN}}}}), "<svg"), 0);
  EXPECT_EQ(count(chart_svg("t", {{"a", {{5, 2}}}}), "<circle"),
            1);  // one point is no reason to fail
}

}  // namespace
}  // namespace janus::train
