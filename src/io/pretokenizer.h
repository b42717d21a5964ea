// Cuts text into the pieces that byte-pair merges may not cross, by the `pre_tokenizer` of a
// tokenizer.json. No regex engine: the forms that the DeepSeek family's files use are recognised,
// with whatever characters the file lists, and every other form is refused by name:
//   Split by "[set]", "[set]+", "\s?[set]+", "\s+$" or a literal string, Isolated; Digits; and
//   ByteLevel without prefix space and without its own regex, last.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "io/unicode.h"

namespace janus {

class Pretokenizer {
 public:
  // `json` is the value of "pre_tokenizer"; `name` stands for the file in messages. Throws
  // Code::not_supported for another form, Code::bad_checkpoint for a damaged one.
  static Pretokenizer parse(const nlohmann::json& json, const std::string& name);

  // Pieces of `text`, which must be valid UTF-8, in order; joined they are `text`. Each step cuts
  // every piece of the step before.
  std::vector<std::string_view> split(std::string_view text) const;

  struct Step {
    enum class Kind {
      one_of,         // [set]: each such character alone
      run,            // [set]+
      spaced_run,     // \s?[set]+
      trailing,       // \s+$
      literal,        // a fixed string
      digits,         // runs of numeric characters
      single_digits,  // each numeric character alone
    };
    Kind kind = Kind::one_of;
    CodePointSet set;
    std::string text;
  };

 private:
  std::vector<Step> steps_;
};

// The pre_tokenizer of the DeepSeek family as JSON text (deepseek-llm's tokenizer.json): what our
// own tables are trained and written with.
std::string_view deepseek_pretokenizer();

}  // namespace janus
