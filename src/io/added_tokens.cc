// See added_tokens.h.
// SPDX-License-Identifier: MIT
#include "io/added_tokens.h"

#include <algorithm>
#include <functional>

#include "io/unicode.h"
#include "io/utf8.h"

namespace janus {

namespace {

// Start of the character that ends before `at` > 0.
size_t character_before(std::string_view text, size_t at) {
  do --at;
  while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80);
  return at;
}

bool stands_alone(std::string_view text, size_t start, size_t stop) {
  const bool left = start == 0 || !is_word(utf8_at(text, character_before(text, start)).value);
  const bool right = stop == text.size() || !is_word(utf8_at(text, stop).value);
  return left && right;
}

size_t space_before(std::string_view text, size_t at) {
  while (at > 0) {
    const size_t before = character_before(text, at);
    if (!is_white_space(utf8_at(text, before).value)) break;
    at = before;
  }
  return at;
}

size_t space_after(std::string_view text, size_t at) {
  while (at < text.size()) {
    const Utf8Step step = utf8_at(text, at);
    if (!is_white_space(step.value)) break;
    at += step.length;
  }
  return at;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const std::string& content = tokens_[i].content;
    Pass& pass = tokens_[i].normalized ? normalized_ : raw_;
    pass.by_content.emplace(content, i);
    pass.lengths[static_cast<uint8_t>(content[0])].push_back(content.size());
  }
  for (Pass* pass : {&raw_, &normalized_}) {
    for (std::vector<size_t>& lengths : pass->lengths) {
      std::sort(lengths.begin(), lengths.end(), std::greater<>());
      lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
    }
  }
}

const AddedToken* AddedTokens::longest_at(const Pass& pass, std::string_view text,
                                          size_t at) const {
  for (const size_t length : pass.lengths[static_cast<uint8_t>(text[at])]) {
    if (length > text.size() - at) continue;
    const auto found = pass.by_content.find(text.substr(at, length));
    if (found != pass.by_content.end()) return &tokens_[found->second];
  }
  return nullptr;
}

void AddedTokens::split_once(const Pass& pass, std::string_view text,
                             std::vector<TextPart>& out) const {
  size_t rest = 0;
  for (size_t at = 0; at < text.size();) {
    const AddedToken* token = longest_at(pass, text, at);
    if (token == nullptr) {
      ++at;
      continue;
    }
    size_t start = at, stop = at + token->content.size();
    at = stop;
    if (token->single_word && !stands_alone(text, start, stop)) continue;
    if (token->lstrip) start = std::max(space_before(text, start), rest);
    if (token->rstrip) stop = space_after(text, stop);
    if (rest < start) out.push_back({text.substr(rest, start - rest), -1});
    out.push_back({std::string_view(), token->id});
    rest = stop;
  }
  if (rest < text.size()) out.push_back({text.substr(rest), -1});
}

std::vector<TextPart> AddedTokens::split(std::string_view text) const {
  std::vector<TextPart> once, parts;
  split_once(raw_, text, once);
  for (const TextPart& part : once) {
    if (part.id >= 0) {
      parts.push_back(part);
    } else {
      split_once(normalized_, part.text, parts);
    }
  }
  return parts;
}

}  // namespace janus
