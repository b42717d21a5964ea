// Tables for tests: the published DeepSeek-LLM table and the same with the added tokens of
// Janus-Pro-1B and -7B. Their ids follow what is known of the published files; the names of the 576
// tokens between the image marks are placeholders.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "io/special_tokens.h"
#include "io/tokenizer.h"

namespace janus::golden {

inline std::string path(const std::string& name) {
  return std::string(JANUSPRO_SOURCE_DIR) + "/tests/golden/tokenizer/" + name;
}

inline nlohmann::json read_json(const std::string& name) {
  std::ifstream file(path(name));
  return nlohmann::json::parse(file);
}

inline nlohmann::json deepseek_json() {
  gzFile file = gzopen(path("tokenizer.json.gz").c_str(), "rb");
  std::string text;
  char chunk[65536];
  for (int got; (got = gzread(file, chunk, sizeof chunk)) > 0;) {
    text.append(chunk, static_cast<size_t>(got));
  }
  gzclose(file);
  return nlohmann::json::parse(text);
}

// `kind`: "1b", or "7b", which keeps the 13 added letters.
inline nlohmann::json janus_json(const std::string& kind) {
  nlohmann::json root = deepseek_json();
  nlohmann::json& added = root["added_tokens"];
  if (kind == "1b") added.erase(added.begin() + 2, added.end());
  const auto append = [&](const std::string& content) {
    added.push_back({{"id", 100000 + added.size()}, {"content", content}, {"special", true}});
  };
  append(std::string(kPadToken));
  append(std::string(kBeginImageToken));
  for (int i = 0; i < 576; ++i) append("<|unverified_" + std::to_string(i) + "|>");
  for (const auto token : {kEndImageToken, kImageToken, kUserToken, kAssistantToken}) {
    append(std::string(token));
  }
  return root;
}

// "llm", "1b", "7b" or "tiny".
inline Tokenizer table(const std::string& kind) {
  if (kind == "tiny") return Tokenizer::parse(read_json("tiny.json").dump(), "tiny.json");
  const nlohmann::json root = kind == "llm" ? deepseek_json() : janus_json(kind);
  return Tokenizer::parse(root.dump(), kind + ".json");
}

}  // namespace janus::golden
