// The one chat template in the house: messages -> token ids, for reading and for drawing, and the
// twin that guidance subtracts. Special ids are looked up by their strings when a model is loaded.
// Mirrors deepseek-ai/Janus (conversation.py, template `deepseek`; processing_vlm.py;
// generation_inference.py). Depends on base and io only, because training uses it as well.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/processor_config.h"
#include "io/special_tokens.h"
#include "io/tokenizer.h"

namespace janus {

struct SpecialIds {
  int32_t bos = 0, eos = 0, pad = 0;  // begin and end of a sequence, filler
  int32_t boi = 0, eoi = 0;           // around a picture
  int32_t image = 0;                  // one per vector of a picture that is read
  int32_t user = 0, assistant = 0;    // roles; -1 where they are plain words (Janus-1.3B)
};

// Janus-Pro's, each a token of its own.
ChatRoles janus_pro_roles();

// Throws Code::bad_checkpoint naming the first token that the table lacks. Janus-Pro's roles must
// be tokens; others may be words.
SpecialIds special_ids(const Tokenizer& tokenizer, const ChatRoles& roles = janus_pro_roles());

// In ids of an edit's prompt: a place of the source's codes, in reading order. No token's id.
inline constexpr int32_t kSourceCode = -1;

enum class Role { user, assistant };

struct Message {
  Role role = Role::user;
  std::string text;    // may hold one `<image_placeholder>` per picture, at its place
  int64_t images = 0;  // pictures that come with it
};

// The reference's system prompt for reading; drawing has none.
std::string_view default_system_prompt();

// Turns messages into ids for one model.
class PromptBuilder {
 public:
  // `image_tokens`: rows per picture that is read. `system`: empty for none; without a value the
  // reference's. `roles`: without a value Janus-Pro's. `edits`: as the model was taught them.
  // Throws as special_ids does.
  PromptBuilder(Tokenizer tokenizer, int64_t image_tokens,
                std::optional<std::string> system = std::nullopt,
                std::optional<ChatRoles> roles = std::nullopt, EditLayout edits = EditLayout::none);

  const SpecialIds& ids() const { return ids_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  int64_t image_tokens() const { return image_tokens_; }
  const ChatRoles& roles() const { return roles_; }
  EditLayout edits() const { return edits_; }
  // Tokens at which a reply ends, by their strings.
  std::vector<std::string> stop_strings() const;

  // Ids [T] of a conversation up to where the model's reply begins: begin token, system prompt,
  // turns, open assistant turn; each picture is begin-of-image, `image_tokens` image ids,
  // end-of-image. A message with pictures and no placeholder gets one placeholder and a newline
  // per picture in front. `system` replaces that of the builder for this call.
  // Throws Code::bad_input when placeholders and pictures of a message differ in number.
  std::vector<int32_t> read(std::span<const Message> messages,
                            std::optional<std::string_view> system = std::nullopt) const;

  // Ids of a text as it stands behind the begin token, with its pictures as read() has them; no
  // roles. Throws as read() does.
  std::vector<int32_t> plain(const Message& message) const;

  // Ids [P] of a drawing prompt: begin token, the text as the only user turn, open assistant turn,
  // begin-of-image.
  std::vector<int32_t> draw(std::string_view text) const;

  // Ids [T] of an edit: begin token, the only user turn, open assistant turn, begin-of-image. The
  // turn shows the picture twice, each time between begin- and end-of-image: as `image_tokens`
  // image ids, which are to become its vectors, and as `codes` kSourceCode, which are to become its
  // codes; then the instruction. Throws Code::bad_input for an instruction that is blank or holds a
  // placeholder, Code::not_supported where the model was not taught any layout.
  std::vector<int32_t> edit(std::string_view instruction, int64_t codes) const;
  // `edited` = edit(...) with pads where the instruction and its line feeds are: the picture alone.
  // Code::not_supported where roles are words.
  std::vector<int32_t> without_instruction(std::span<const int32_t> edited, int64_t codes) const;
  // … where the codes are.
  std::vector<int32_t> without_codes(std::span<const int32_t> edited) const;
  // … where the vectors are.
  std::vector<int32_t> without_vectors(std::span<const int32_t> edited) const;

  // The row that guidance subtracts from `drawn` = draw(...): [P] with pads at 1..P-2 when
  // `negative` is blank, else draw(negative), whose length is its own.
  std::vector<int32_t> unguided(std::span<const int32_t> drawn,
                                std::string_view negative = {}) const;

 private:
  std::vector<int32_t> tokenize(const std::string& text, int64_t images) const;
  std::vector<int32_t> replaced(std::span<const int32_t> ids, int32_t id) const;

  void append_turn(std::string& out, Role role, std::string_view text, size_t index) const;

  Tokenizer tokenizer_;
  ChatRoles roles_;
  SpecialIds ids_;
  int64_t image_tokens_;
  std::string system_;
  EditLayout edits_;
};

}  // namespace janus
