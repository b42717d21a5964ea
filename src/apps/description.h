// The command line as plain data, from what each verb said of its flags: what completion and the
// manual are written from. SPDX-License-Identifier: MIT
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace janus {

struct OptionText {
  std::vector<std::string> names;  // "-s", "--seed"; none: it has a place and no name
  std::string place;               // "PROMPT"; empty: it has a name alone
  std::string about;
  std::string value;                 // what it takes: "UINT"; empty: nothing, it is a flag
  std::string range;                 // "1 to 9", where that is known
  std::string fallback;              // its default; empty: none, or said in `about`
  std::vector<std::string> choices;  // all there are
  bool required = false;
  bool several = false;

  // A path may be meant: texts of no fixed kind.
  bool takes_files() const { return value == "TEXT" && choices.empty(); }
};

struct VerbText {
  std::string words;  // "trace ask"; empty: the program itself
  std::string about;
  std::string notes;    // what its help says below the options
  std::string example;  // command lines and what they do
  std::vector<OptionText> options;
  std::vector<VerbText> verbs;

  std::string last_word() const { return words.substr(words.rfind(' ') + 1); }
};

VerbText describe(const CLI::App& app);

// The program's app, from that of any of its verbs.
const CLI::App& root_of(const CLI::App& verb);

// The verb and all below it, parents first.
std::vector<const VerbText*> all_verbs(const VerbText& root);

}  // namespace janus
