// The three ways of averaging a step's loss, by hand.
// SPDX-License-Identifier: MIT
#include "train/shares.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

#include "base/error.h"
#include "support.h"

namespace janus::train {
namespace {

// A picture of 60 codes, two replies of 6 and 2 tokens about pictures, one of 12 about none.
const std::vector<RowTargets> kRows = {
    {Kind::generate, 60}, {Kind::understand, 6}, {Kind::understand, 2}, {Kind::text, 12}};

std::vector<double> shares(const std::vector<std::string>& overrides,
                           const std::vector<RowTargets>& rows = kRows) {
  const Shares made(parse_recipe(tiny_recipe(false), "tiny", overrides), rows);
  std::vector<double> all;
  double sum = 0;
  for (const RowTargets& row : rows) {
    all.push_back(made.of(row));
    sum += made.of(row) * static_cast<double>(row.count);
  }
  EXPECT_NEAR(sum, 1, 1e-12);
  return all;
}

void expect_near(const std::vector<double>& made, const std::vector<double>& wanted) {
  ASSERT_EQ(made.size(), wanted.size());
  for (size_t i = 0; i < made.size(); ++i) EXPECT_NEAR(made[i], wanted[i], 1e-12) << i;
}

TEST(Shares, EveryTokenTheSame) { expect_near(shares({}), {1 / 80., 1 / 80., 1 / 80., 1 / 80.}); }

TEST(Shares, EverySampleTheSame) {
  expect_near(shares({"loss.norm=sample"}), {.25 / 60, .25 / 6, .25 / 2, .25 / 12});
}

TEST(Shares, EveryTaskByItsWeight) {
  expect_near(shares({"loss.norm=task"}), {1 / 180., 1 / 24., 1 / 24., 1 / 36.});
  expect_near(shares({"loss.norm=task", "loss.generate=2", "loss.text=0"}),
              {2 / 3. / 60, 1 / 24., 1 / 24., 0});
}

// The weights are shared among the tasks that a step has.
TEST(Shares, AbsentTasksTakeNothing) {
  const std::vector<RowTargets> rows = {{Kind::text, 3}, {Kind::text, 1}};
  expect_near(shares({"loss.norm=task"}, rows), {.25, .25});
  expect_near(shares({"loss.norm=sample"}, rows), {.5 / 3, .5});
  const Shares made(parse_recipe(tiny_recipe(false), "tiny"), rows);
  EXPECT_EQ(made.of(Kind::text), 1);
  EXPECT_EQ(made.of(Kind::generate), 0);
}

TEST(Shares, WeightsAreRefusedWhereTheySayNothing) {
  const auto refused = [](const std::vector<std::string>& overrides) {
    EXPECT_THROW(parse_recipe(tiny_recipe(false), "tiny", overrides), Error);
  };
  refused({"loss.generate=2"});
  refused({"loss.norm=mean"});
  refused({"loss.norm=task", "loss.text=-1"});
  refused({"loss.norm=task", "loss.text=0", "loss.generate=0", "loss.understand=0"});
}

}  // namespace
}  // namespace janus::train
