// Stop strings, whatever the pieces they arrive in. SPDX-License-Identifier: MIT
#include "generate/stop.h"

#include <gtest/gtest.h>

namespace janus {
namespace {

std::string run(const std::vector<std::string>& stops, const std::vector<std::string>& pieces,
                bool* stopped = nullptr) {
  StopFilter filter(stops);
  std::string shown;
  for (const std::string& piece : pieces) shown += filter.push(piece);
  if (stopped) *stopped = filter.stopped();
  return shown + filter.finish();
}

TEST(StopFilter, CutsAtTheFirstStopHoweverItIsSplit) {
  const std::string text = "red apple.\nUser: more\nUser: again";
  for (size_t size = 1; size <= text.size(); ++size) {
    std::vector<std::string> pieces;
    for (size_t at = 0; at < text.size(); at += size) pieces.push_back(text.substr(at, size));
    bool stopped = false;
    EXPECT_EQ(run({"again", "\nUser:"}, pieces, &stopped), "red apple.") << size;
    EXPECT_TRUE(stopped);
  }
}

TEST(StopFilter, GivesBackWhatOnlyLookedLikeAStop) {
  bool stopped = true;
  EXPECT_EQ(run({"END"}, {"EN", "EN", "E"}, &stopped), "ENENE");
  EXPECT_FALSE(stopped);
}

TEST(StopFilter, ShowsAtOnceWhatCannotBelongToAStop) {
  StopFilter filter({"END"});
  EXPECT_EQ(filter.push("abE"), "ab");
  EXPECT_EQ(filter.push("x"), "Ex");
}

TEST(StopFilter, NoStopsShowEverything) { EXPECT_EQ(run({""}, {"a", "b"}), "ab"); }

}  // namespace
}  // namespace janus
