// For comparing the tokenizer with another: `tokenizer_ids TOKENIZER.json [--decode]` reads one
// JSON value a line, a string (or, with --decode, a list of ids), and prints the list of ids (or
// the text, special tokens left out, as a JSON string).
// SPDX-License-Identifier: MIT
#include <iostream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "io/tokenizer.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: tokenizer_ids TOKENIZER.json [--decode] < LINES\n";
    return 2;
  }
  try {
    const janus::Tokenizer tokenizer = janus::Tokenizer::load(argv[1]);
    const bool decode = argc > 2 && std::string_view(argv[2]) == "--decode";
    for (std::string line; std::getline(std::cin, line);) {
      const nlohmann::json value = nlohmann::json::parse(line);
      const nlohmann::json result =
          decode ? nlohmann::json(tokenizer.decode(value.get<std::vector<int32_t>>(), false))
                 : nlohmann::json(tokenizer.encode(value.get<std::string>()));
      std::cout << result.dump() << '\n';
    }
  } catch (const std::exception& problem) {
    std::cerr << "tokenizer_ids: " << problem.what() << '\n';
    return 1;
  }
}
