// The example of every verb's help, run as it stands there: in a folder with the files that it
// names, against a Hub on this machine. SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "apps/command_line.h"
#include "apps/description.h"
#include "hub/mirror.h"
#include "program.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

// What the examples find: pictures, a checkpoint, codes, a model to pull, and a line of input.
class LongExamples : public ::testing::Test {
 protected:
  LongExamples() {
    const fs::path here = folder_.path();
    fs::create_directory(here / "photos");
    for (const char* name : {"photos/a.jpg", "photos/b.jpg", "photo.jpg"}) {
      fs::copy_file(golden("images/rocket.jpg"), here / name);
    }
    fs::copy_file(golden("images/astronaut-64.png"), here / "photo.png");
    fs::copy_file(golden("codes.json"), here / "codes.json");
    fs::copy(golden("tiny-hf"), here / "Janus-Pro-1B");
    fs::copy(golden("tiny-hf"), here / "toys");  // that was taught to follow instructions
    std::ofstream(here / "toys" / "processor_config.json") << R"({"edit_layout": "und+gen"})";
    MirrorFiles files;
    for (const auto& entry : fs::directory_iterator(golden("tiny-hf"))) {
      const std::string name = entry.path().filename().string();
      files[name] = {read_file(entry.path().string()), name.ends_with(".safetensors")};
    }
    mirror_.put("deepseek-ai/Janus-Pro-1B", "main", std::string(40, 'a'), files);
    std::ofstream(here / "typed.txt") << "What is it?\n";
    const std::string programs = fs::path(JANUSPRO_PROGRAM).parent_path().string();
    setting_.program = "/bin/sh";
    setting_.environment = {{"PATH", programs + ":" + std::getenv("PATH")},
                            {"JANUSPRO_MODEL", golden("tiny-hf")},
                            {"HF_ENDPOINT", mirror_.url()},
                            {"XDG_STATE_HOME", folder_.file("state")},
                            {"HF_HOME", folder_.file("hf")}};
  }

  const Folder folder_;
  Mirror mirror_;
  Setting setting_;
};

// A server ends when it is told to, once it has said where it is; the port of the example may be in
// use.
std::string for_a_moment(std::string line) {
  const std::string port = "--port 8080";
  line.replace(line.find(port), port.size(), "--port 0");
  return " {" + line +
         " >served.txt & until grep -q http served.txt; do sleep 0.1; done; kill -TERM $!;"
         " wait $!; code=$?; cat served.txt; exit $code; }";
}

TEST_F(LongExamples, RunAsTheyStand) {
  Interrupt interrupt;
  const VerbText program = describe(CommandLine(interrupt).app());
  for (const VerbText* verb : all_verbs(program)) {
    size_t count = 0;
    for (const std::string& line : lines_of(verb->example)) {
      if (!line.starts_with("  ") || line.find("januspro ") == std::string::npos) continue;
      ++count;
      const std::string run = verb->words.ends_with("serve") ? for_a_moment(line) : line;
      const Outcome outcome = run_program(
          {"-c", "cd " + folder_.path().string() + " && exec <typed.txt &&" + run}, setting_);
      EXPECT_EQ(outcome.code, 0) << line << "\n" << outcome.err;
      EXPECT_NE(outcome.out, "") << line;
    }
    EXPECT_GE(count, 1u) << verb->words << " has no example";
  }
  for (const char* file : {"ball-1.png", "ball-4.png", "captions.jsonl", "draw.safetensors"}) {
    EXPECT_TRUE(fs::exists(folder_.path() / file)) << file;
  }
}

}  // namespace
}  // namespace janus
