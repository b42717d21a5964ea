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
                             std::optional<std::string> system, std::optional<ChatRoles> roles,
                             EditLayout edits)
    : tokenizer_(std::move(tokenizer)),
      roles_(roles ? std::move(*roles) : janus_pro_roles()),
      ids_(special_ids(tokenizer_, roles_)),
      image_tokens_(image_tokens),
      system_(system ? std::move(*system) : std::string(default_system_prompt())),
      edits_(edits) {
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

// (FreedomIntelligence/ShareGPT-4o-Image, train_janus.py, has it without the line feed.)
std::vector<int32_t> PromptBuilder::edit(std::string_view instruction, int64_t codes) const {
  check(edits_ != EditLayout::none, Code::not_supported,
        "this model was not taught to follow instructions about a picture; say what is redrawn "
        "(mask, outpaint or keep), or, where the model was taught it, in which layout");
  check(!strip(instruction).empty(), Code::bad_input,
        "the instruction is blank; say what is to change, such as \"make the ball red\"");
  check(count_placeholders(instruction) == 0, Code::bad_input, "the instruction holds ",
        kImageToken, "; the picture has its place in front of it");
  std::string turn;
  for (int i = 0; i < 2; ++i) turn += kImageToken;
  if (edits_ == EditLayout::und_gen) turn += "\n";
  std::string prompt;
  append_turn(prompt, Role::user, turn.append(strip(instruction)), 0);
  append_turn(prompt, Role::assistant, "", 1);
  const std::vector<int32_t> shown = tokenize(prompt, 2);
  const auto second = std::find(shown.begin(), shown.end(), ids_.eoi) + 2;
  std::vector<int32_t> ids(shown.begin(), second);
  ids.insert(ids.end(), static_cast<size_t>(codes), kSourceCode);
  ids.insert(ids.end(), second + image_tokens_, shown.end());
  ids.push_back(ids_.boi);
  return ids;
}

std::vector<int32_t> PromptBuilder::without_instruction(std::span<const int32_t> edited,
                                                        int64_t codes) const {
  check(ids_.assistant >= 0, Code::not_supported, "the sides of a conversation are plain words (",
        roles_.user, ", ", roles_.assistant,
        ") in this model; instructions are found by the token of the assistant's turn");
  std::vector<int32_t> ids(edited.begin(), edited.end());
  const auto picture = std::find(ids.begin(), ids.end(), ids_.boi);
  const auto turn = std::find(ids.rbegin(), ids.rend(), ids_.assistant).base() - 1;
  std::fill(picture + image_tokens_ + codes + 4, turn, ids_.pad);
  return ids;
}

std::vector<int32_t> PromptBuilder::replaced(std::span<const int32_t> ids, int32_t id) const {
  std::vector<int32_t> result(ids.begin(), ids.end());
  std::replace(result.begin(), result.end(), id, ids_.pad);
  return result;
}

std::vector<int32_t> PromptBuilder::without_codes(std::span<const int32_t> edited) const {
  return replaced(edited, kSourceCode);
}

std::vector<int32_t> PromptBuilder::without_vectors(std::span<const int32_t> edited) const {
  return replaced(edited, ids_.image);
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
