// For comparing the training of tokenizers with another: `bpe_train FOLDER ENTRIES < LINES` trains
// on the lines and writes the tokenizer files of a checkpoint into FOLDER.
// SPDX-License-Identifier: MIT
#include "io/bpe_train.h"

#include <iostream>

#include "base/error.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: bpe_train FOLDER ENTRIES < LINES\n";
    return 2;
  }
  try {
    janus::BpeTrainer trainer;
    for (std::string line; std::getline(std::cin, line);) trainer.add(line);
    const std::string json = trainer.train(std::stoi(argv[2]), janus::janus_added_tokens());
    janus::save_tokenizer_files(argv[1], json, 512);
  } catch (const std::exception& problem) {
    std::cerr << "bpe_train: " << problem.what() << '\n';
    return 1;
  }
}
