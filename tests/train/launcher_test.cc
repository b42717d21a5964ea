// Which process this is, by the variables that launchers set.
// SPDX-License-Identifier: MIT
#include "train/launcher.h"

#include <gtest/gtest.h>

#include <map>

#include "files.h"

namespace janus::train {
namespace {

using Set = std::map<std::string, std::string>;

Place place(const Set& set) {
  return place_of([&set](const std::string& name) {
    const auto found = set.find(name);
    return found == set.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(Launcher, WithoutOneAProcessIsAlone) {
  const Place found = place({{"PATH", "/bin"}, {"SLURM_NTASKS", "4"}, {"RANK", ""}});
  EXPECT_EQ(found.size, 1);
  EXPECT_EQ(found.rank, 0);
  EXPECT_EQ(found.launcher, "");
}

TEST(Launcher, Torchrun) {
  const Set set = {{"RANK", "5"},
                   {"WORLD_SIZE", "8"},
                   {"LOCAL_RANK", "1"},
                   {"LOCAL_WORLD_SIZE", "4"},
                   {"MASTER_ADDR", "gpu1"},
                   {"MASTER_PORT", "29400"},
                   {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                   {"TORCHELASTIC_RESTART_COUNT", "2"},
                   {"OMPI_COMM_WORLD_SIZE", "99"}};
  const Place found = place(set);
  EXPECT_EQ(found.rank, 5);
  EXPECT_EQ(found.size, 8);
  EXPECT_EQ(found.local_size, 4);
  EXPECT_EQ(found.address, "gpu1");
  EXPECT_EQ(found.port, 29400);
  EXPECT_TRUE(found.meeting_is_kept);
  EXPECT_EQ(found.attempt, "2");
  EXPECT_EQ(found.launcher, "torchrun");
}

TEST(Launcher, MpirunOnOneMachineNeedsNoAddress) {
  Set set = {{"OMPI_COMM_WORLD_RANK", "1"},
             {"OMPI_COMM_WORLD_SIZE", "2"},
             {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
             {"PMIX_NAMESPACE", "prterun-1"}};
  const Place found = place(set);
  EXPECT_EQ(found.rank, 1);
  EXPECT_EQ(found.address, "127.0.0.1");
  EXPECT_FALSE(found.meeting_is_kept);
  set["PMIX_NAMESPACE"] = "prterun-2";
  EXPECT_NE(found.port, place(set).port);  // another job
  set["OMPI_COMM_WORLD_LOCAL_SIZE"] = "1";
  EXPECT_NE(refusal([&] { place(set); }).find("MASTER_ADDR"), std::string::npos);
  set["MASTER_ADDR"] = "node4";
  EXPECT_EQ(place(set).address, "node4");
}

TEST(Launcher, MpichSetsOthers) {
  const Place found = place({{"PMI_RANK", "3"}, {"PMI_SIZE", "4"}, {"MPI_LOCALNRANKS", "4"}});
  EXPECT_EQ(found.rank, 3);
  EXPECT_EQ(found.local_size, 4);
}

TEST(Launcher, Srun) {
  Set set = {{"SLURM_PROCID", "9"},
             {"SLURM_NTASKS", "16"},
             {"SLURM_STEP_ID", "0"},
             {"SLURM_JOB_ID", "771"},
             {"SLURM_STEP_TASKS_PER_NODE", "8(x2)"},
             {"SLURM_STEP_NODELIST", "gpu[03-04]"}};
  const Place found = place(set);
  EXPECT_EQ(found.rank, 9);
  EXPECT_EQ(found.size, 16);
  EXPECT_EQ(found.local_size, 8);
  EXPECT_EQ(found.address, "gpu03");
  set["MASTER_ADDR"] = "10.0.0.1";
  set["MASTER_PORT"] = "1234";
  EXPECT_EQ(place(set).address, "10.0.0.1");
  EXPECT_EQ(place(set).port, 1234);
}

TEST(Launcher, FirstHostOfANodeList) {
  EXPECT_EQ(first_host("a"), "a");
  EXPECT_EQ(first_host("a,b"), "a");
  EXPECT_EQ(first_host("gpu[003-006,010],b"), "gpu003");
  EXPECT_EQ(first_host("gpu[7,9]"), "gpu7");
  EXPECT_EQ(first_host("r[1-2]-x,c"), "r1-x");
  EXPECT_EQ(first_host("a,gpu[1-2]"), "a");
  EXPECT_EQ(first_host(""), "");
}

TEST(Launcher, WhatIsNotWholeOrMakesNoSenseIsRefusedByName) {
  const std::vector<std::pair<Set, std::string>> cases = {
      {{{"RANK", "1"}}, "WORLD_SIZE is missing"},
      {{{"WORLD_SIZE", "4"}}, "RANK is missing"},
      {{{"RANK", "4"}, {"WORLD_SIZE", "4"}}, "RANK = 4"},
      {{{"RANK", "one"}, {"WORLD_SIZE", "4"}}, "RANK = one"},
      {{{"RANK", "1"}, {"WORLD_SIZE", "4"}}, "MASTER_ADDR"},
      {{{"RANK", "0"}, {"WORLD_SIZE", "1"}, {"MASTER_PORT", "99999"}}, "MASTER_PORT = 99999"},
      {{{"OMPI_COMM_WORLD_SIZE", "2"}}, "OMPI_COMM_WORLD_RANK is missing"},
      {{{"SLURM_PROCID", "1"}, {"SLURM_STEP_ID", "0"}}, "SLURM_NTASKS is missing"}};
  for (const auto& [set, told] : cases) {
    const std::string refused = refusal([&set = set] { place(set); });
    EXPECT_NE(refused.find(told), std::string::npos) << told << ": " << refused;
  }
}

}  // namespace
}  // namespace janus::train
