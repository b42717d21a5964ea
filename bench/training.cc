// Steps of a training on demand, to be run in turns with a rival:
//
//   bench_training RECIPE.toml STEPS [threads]
//
// Reads lines, answers each with the seconds that STEPS steps of januspro-train's own loop took:
// wall, and processor time of all threads. bench/peers/alternate.py drives it beside
// bench/peers/torch_training.py, which also writes recipes. The run is thrown away.
// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <string>

#include "base/heap.h"
#include "io/file.h"
#include "stopwatch.h"
#include "train/run.h"

namespace janus {
namespace {

namespace fs = std::filesystem;

// Asked after each step whether to stop; what makes the loop wait for the next line.
class Steps {
 public:
  explicit Steps(int count) : count_(count) {}

  bool stop() {
    if (left_ > 0 && --left_ > 0) return false;
    if (!work_.empty()) watch_.answer(work_);
    if (!std::getline(std::cin, work_)) return true;
    left_ = count_;
    watch_ = {};
    return false;
  }

 private:
  int count_, left_ = 0;
  std::string work_;
  Stopwatch watch_;
};

int run(const fs::path& recipe, int count, int threads) {
  const fs::path dir = fs::temp_directory_path() / ("bench-training-" + std::to_string(::getpid()));
  train::begin_run(dir, read_text(recipe));
  Steps steps(count);
  train::train(
      dir, threads, [](const std::string& line) { std::cerr << line << std::endl; },
      [&steps] { return steps.stop(); });
  fs::remove_all(dir);
  return 0;
}

}  // namespace
}  // namespace janus

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: bench_training RECIPE.toml STEPS [threads]" << std::endl;
    return 2;
  }
  try {
    janus::keep_freed_memory();
    return janus::run(argv[1], std::stoi(argv[2]), argc > 3 ? std::stoi(argv[3]) : 0);
  } catch (const std::exception& e) {
    std::cerr << "bench_training: " << e.what() << "\n";
    return 1;
  }
}
