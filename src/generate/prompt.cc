// See prompt.h. Official files named there; the assembly rule is Conversation.get_prompt with
// separators "\n\n" and the end token by the parity of a turn, and strip() as Python has it.
// SPDX-License-Identifier: MIT
#include "generate/prompt.h"

#include <algorithm>

#include "base/error.h"
#include "io/unicode.h"
#include "io/utf8.h"

namespace janus {

namespace {

constexpr std::string_view kTurnEnd = "\n\n";

// Python's str.isspace: White_Space and the four separators of ASCII.
bool is_stripped(char32_t c) { return is_white_space(c) || (c >= 0x1C && c <= 0x1F); }

// Python's str.strip(). Bytes that are not UTF-8 count as text; encoding refuses them.
std::string_view strip(std::string_view text) {
  size_t first = text.size(), last = 0;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_at(text, at);
    if (step.kind != Utf8::whole || !is_stripped(step.value)) {
      first = std::min(first, at);
      last = at + step.length;
    }
    at += step.length;
  }
  return first < last ? text.substr(first, last - first) : std::string_view();
}

int64_t count_placeholders(std::string_view text) {
  int64_t count = 0;
  for (size_t at = text.find(kImageToken); at != std::string_view::npos;
       at = text.find(kImageToken, at + kImageToken.size())) {
    ++count;
  }
  return count;
}

// The text of a message with a placeholder for each of its pictures.
std::string with_placeholders(const Message& message, size_t index) {
  const int64_t written = count_placeholders(message.text);
  check(written == message.images || (written == 0 && message.images > 0), Code::bad_input,
        "message ", index + 1, " has ", written, " ", kImageToken, " and ", message.images,
        " pictures; write one for each picture, or none to have the pictures first");
  std::string text;
  if (written == 0) {
    for (int64_t i = 0; i < message.images; ++i) text.append(kImageToken).append("\n");
  }
  return text + message.text;
}

}  // namespace

ChatRoles janus_pro_roles() { return {std::string(kUserToken), std::string(kAssistantToken)}; }

SpecialIds special_ids(const Tokenizer& tokenizer, const ChatRoles& roles) {
  const auto id_of = [&](std::string_view token) {
    const std::optional<int32_t> id = tokenizer.find(token);
    check(id.has_value(), Code::bad_checkpoint, "the tokenizer lacks the token ", token,
          "; this is not the tokenizer of a Janus-Pro model");
    return *id;
  };
  SpecialIds ids;
  ids.bos = id_of(kBosToken);
  ids.eos = id_of(kEosToken);
  ids.pad = id_of(kPadToken);
  ids.boi = id_of(kBeginImageToken);
  ids.eoi = id_of(kEndImageToken);
  ids.image = id_of(kImageToken);
  const bool words = roles != janus_pro_roles();
  ids.user = words ? tokenizer.find(roles.user).value_or(-1) : id_of(kUserToken);
  ids.assistant = words ? tokenizer.find(roles.assistant).value_or(-1) : id_of(kAssistantToken);
  return ids;
}

std::string_view default_system_prompt() {
  return "You are a helpful language and vision assistant. You are able to understand the visual "
         "content that the user provides, and assist the user with a variety of tasks using "
         "natural language.";
}

PromptBuilder::PromptBuilder(Tokenizer tokenizer, int64_t image_tokens,
                             std::optional<std::string> system, std::optional<ChatRoles> roles)
    : tokenizer_(std::move(tokenizer)),
      roles_(roles ? std::move(*roles) : janus_pro_roles()),
      ids_(special_ids(tokenizer_, roles_)),
      image_tokens_(image_tokens),
      system_(system ? std::move(*system) : std::string(default_system_prompt())) {
  check(image_tokens > 0, Code::bad_checkpoint, "a picture of ", image_tokens,
        " tokens; config.json gives image and patch sizes that leave none");
}

std::vector<std::string> PromptBuilder::stop_strings() const {
  if (roles_ != janus_pro_roles()) return {std::string(kEosToken)};
  return {roles_.user, std::string(kEosToken)};
}

void PromptBuilder::append_turn(std::string& out, Role role, std::string_view text,
                                size_t index) const {
  const std::string_view content = strip(text);
  out += role == Role::user ? roles_.user : roles_.assistant;
  out += ":";
  if (content.empty()) return;
  out += " ";
  out += content;
  out += index % 2 == 0 ? kTurnEnd : kEosToken;
}

std::vector<int32_t> PromptBuilder::read(std::span<const Message> messages,
                                         std::optional<std::string_view> system) const {
  std::string text(system ? *system : std::string_view(system_));
  if (!text.empty()) text += kTurnEnd;
  int64_t images = count_placeholders(text);
  check(images == 0, Code::bad_input, "the system prompt holds ", kImageToken,
        "; pictures belong to messages");
  for (size_t i = 0; i < messages.size(); ++i) {
    append_turn(text, messages[i].role, with_placeholders(messages[i], i), i);
    images += messages[i].images;
  }
  append_turn(text, Role::assistant, "", messages.size());
  return tokenize(std::string(strip(text)), images);
}

std::vector<int32_t> PromptBuilder::plain(const Message& message) const {
  return tokenize(with_placeholders(message, 0), message.images);
}

std::vector<int32_t> PromptBuilder::draw(std::string_view text) const {
  std::string prompt;
  append_turn(prompt, Role::user, text, 0);
  append_turn(prompt, Role::assistant, "", 1);
  std::vector<int32_t> ids = tokenizer_.encode(prompt);
  ids.insert(ids.begin(), ids_.bos);
  ids.push_back(ids_.boi);
  return ids;
}

std::vector<int32_t> PromptBuilder::unguided(std::span<const int32_t> drawn,
                                             std::string_view negative) const {
  if (!strip(negative).empty()) return draw(negative);
  std::vector<int32_t> ids(drawn.begin(), drawn.end());
  for (size_t i = 1; i + 1 < ids.size(); ++i) ids[i] = ids_.pad;
  return ids;
}

// Ids of the whole text behind the begin token, pictures expanded.
std::vector<int32_t> PromptBuilder::tokenize(const std::string& text, int64_t images) const {
  const std::vector<int32_t> plain = tokenizer_.encode(text);
  const int64_t found = std::count(plain.begin(), plain.end(), ids_.image);
  check(found == images, Code::bad_checkpoint, "the tokenizer finds ", found, " of ", images, " ",
        kImageToken, "; another added token overlaps it");
  std::vector<int32_t> ids = {ids_.bos};
  for (const int32_t id : plain) {
    if (id != ids_.image) {
      ids.push_back(id);
      continue;
    }
    ids.push_back(ids_.boi);
    ids.insert(ids.end(), static_cast<size_t>(image_tokens_), ids_.image);
    ids.push_back(ids_.eoi);
  }
  return ids;
}

}  // namespace janus
