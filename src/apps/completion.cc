// See completion.h. All three scripts do the same: find which verb the words before the cursor
// name, then offer that verb's flags, an option's choices, further verbs, or files. An option that
// takes a number offers nothing. SPDX-License-Identifier: MIT
#include "apps/completion.h"

#include <memory>
#include <utility>

#include "apps/command.h"

namespace janus {

namespace {

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text.find(what, at)) != text.npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
  return text;
}

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

// As one word of a shell; in fish a backslash means something within quotes as well.
std::string shell_word(const std::string& text) { return "'" + replaced(text, "'", "'\\''") + "'"; }
std::string fish_word(const std::string& text) {
  return "'" + replaced(replaced(text, "\\", "\\\\"), "'", "\\'") + "'";
}

std::vector<std::string> names_of(const VerbText& verb) {
  std::vector<std::string> names;
  for (const OptionText& option : verb.options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return names;
}

// Whole words of verbs that have a name: 'draw', 'trace ask'.
std::vector<std::string> verb_words(const VerbText& program) {
  std::vector<std::string> words;
  for (const VerbText* verb : all_verbs(program)) {
    if (!verb->words.empty()) words.push_back(shell_word(verb->words));
  }
  return words;
}

// --- bash ---------------------------------------------------------------------------------------

// case patterns for an option behind its verb: 'draw -s'|'draw --seed'
std::string after_option(const VerbText& verb, const OptionText& option) {
  std::vector<std::string> patterns;
  for (const std::string& name : option.names)
    patterns.push_back(shell_word(verb.words + " " + name));
  return joined(patterns, "|");
}

}  // namespace

std::string bash_completion(const VerbText& program) {
  std::string values, words;
  for (const VerbText* verb : all_verbs(program)) {
    std::vector<std::string> next = names_of(*verb);
    for (const VerbText& below : verb->verbs) next.push_back(below.last_word());
    for (const OptionText& option : verb->options) {
      if (option.place.empty()) continue;
      next.insert(next.end(), option.choices.begin(), option.choices.end());
    }
    words +=
        "    " + shell_word(verb->words) + ") words=" + shell_word(joined(next, " ")) + " ;;\n";
    for (const OptionText& option : verb->options) {
      if (option.names.empty() || option.value.empty() || option.takes_files()) continue;
      values += "    " + after_option(*verb, option) + ")\n";
      values += option.choices.empty()
                    ? "      compopt +o default +o bashdefault 2>/dev/null\n"
                    : "      COMPREPLY=($(compgen -W " + shell_word(joined(option.choices, " ")) +
                          " -- \"$cur\"))\n";
      values += "      return ;;\n";
    }
    for (const OptionText& option : verb->options) {
      if (option.names.empty() || !option.takes_files()) continue;
      values += "    " + after_option(*verb, option) + ") return ;;\n";
    }
  }
  return "# bash completion of januspro; written by `januspro completion bash`\n"
         "_januspro() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= words= i\n"
         "  COMPREPLY=()\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case \"${verb:+$verb }${COMP_WORDS[i]}\" in\n"
         "      " +
         joined(verb_words(program), "|") +
         ") verb=\"${verb:+$verb }${COMP_WORDS[i]}\" ;;\n"
         "    esac\n"
         "  done\n"
         "  case \"$verb $prev\" in\n" +
         values +
         "  esac\n"
         "  case \"$verb\" in\n" +
         words +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "  [[ $cur == -* ]] && return\n"
         "  local each kept=()\n"
         "  for each in \"${COMPREPLY[@]}\"; do [[ $each == -* ]] || kept+=(\"$each\"); done\n"
         "  COMPREPLY=(\"${kept[@]}\")\n"
         "}\n"
         "complete -o bashdefault -o default -F _januspro januspro\n";
}

// --- zsh ----------------------------------------------------------------------------------------

namespace {

// Text within the brackets of a specification of _arguments.
std::string zsh_text(const std::string& text) {
  return replaced(replaced(replaced(text, "\\", "\\\\"), "[", "\\["), "]", "\\]");
}

std::string zsh_action(const OptionText& option) {
  if (!option.choices.empty()) return "(" + joined(option.choices, " ") + ")";
  return option.takes_files() ? "_files" : " ";
}

std::string zsh_message(const std::string& text) { return replaced(text, ":", "\\:"); }

// One option: names that exclude each other unless it may come several times.
std::string zsh_option(const OptionText& option) {
  std::string text;
  for (const std::string& name : option.names) {
    std::string spec = option.several ? "*" : "(" + joined(option.names, " ") + ")";
    spec += name + "[" + zsh_text(option.about) + "]";
    if (!option.value.empty()) spec += ":" + option.value + ":" + zsh_action(option);
    text += " \\\n    " + shell_word(spec);
  }
  return text;
}

std::string zsh_function(const VerbText& verb) {
  return "_januspro" + (verb.words.empty() ? "" : "_" + replaced(verb.words, " ", "_"));
}

// The verbs below a verb, and what each of them completes.
std::string zsh_verbs(const VerbText& verb) {
  std::string text =
      " \\\n    '1: :->verb' '*:: :->rest'\n  case $state in\n    verb)\n      "
      "local -a verbs=(\n";
  for (const VerbText& below : verb.verbs) {
    text += "        " + shell_word(below.last_word() + ":" + zsh_message(below.about)) + "\n";
  }
  text += "      )\n      _describe verb verbs ;;\n    rest)\n      case $words[1] in\n";
  for (const VerbText& below : verb.verbs) {
    text += "        " + shell_word(below.last_word()) + ") " + zsh_function(below) + " ;;\n";
  }
  return text + "      esac ;;\n  esac\n";
}

}  // namespace

std::string zsh_completion(const VerbText& program) {
  std::string text =
      "#compdef januspro\n# zsh completion of januspro; written by `januspro completion zsh`\n";
  for (const VerbText* verb : all_verbs(program)) {
    text += zsh_function(*verb) + "() {\n  local state line\n  local curcontext=$curcontext\n";
    text += "  _arguments -C -s";
    for (const OptionText& option : verb->options) {
      text += zsh_option(option);
      if (!option.place.empty() && verb->verbs.empty()) {
        text += " \\\n    " +
                shell_word((option.several ? "*:" : ":") + option.place + ":" + zsh_action(option));
      }
    }
    text += verb->verbs.empty() ? "\n" : zsh_verbs(*verb);
    text += "}\n";
  }
  return text +
         "if [[ $funcstack[1] == _januspro ]]; then _januspro \"$@\"; "
         "else compdef _januspro januspro; fi\n";
}

// --- fish ---------------------------------------------------------------------------------------

namespace {

std::string fish_line(const VerbText& verb, const std::string& rest) {
  const std::string condition = "__januspro_verb " + fish_word(verb.words);
  return "complete -c januspro -n " + fish_word(condition) + rest + "\n";
}

std::string fish_option(const VerbText& verb, const OptionText& option) {
  std::string rest;
  for (const std::string& name : option.names) {
    const bool is_long = name.starts_with("--");
    rest += is_long ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (!option.value.empty()) rest += option.takes_files() ? " -r -F" : " -x";
  if (!option.choices.empty()) rest += " -a " + fish_word(joined(option.choices, " "));
  return fish_line(verb, rest + " -d " + fish_word(option.about));
}

}  // namespace

std::string fish_completion(const VerbText& program) {
  std::string text =
      "# fish completion of januspro; written by `januspro completion fish`\n"
      "# Whether the words before the cursor name this verb.\n"
      "function __januspro_verb\n"
      "    set -l words (commandline -opc)\n"
      "    set -e words[1]\n"
      "    set -l verb\n"
      "    for word in $words\n"
      "        if contains -- (string join ' ' -- $verb $word) " +
      joined(verb_words(program), " ") +
      "\n"
      "            set -a verb $word\n"
      "        end\n"
      "    end\n"
      "    test \"$verb\" = \"$argv\"\n"
      "end\n"
      "complete -c januspro -e\n";
  for (const VerbText* verb : all_verbs(program)) {
    for (const VerbText& below : verb->verbs) {
      text += fish_line(*verb,
                        " -f -a " + fish_word(below.last_word()) + " -d " + fish_word(below.about));
    }
    for (const OptionText& option : verb->options) {
      if (!option.names.empty()) text += fish_option(*verb, option);
      if (!option.place.empty() && !option.choices.empty()) {
        text += fish_line(*verb, " -f -a " + fish_word(joined(option.choices, " ")));
      }
    }
  }
  return text;
}

// --- the verb -----------------------------------------------------------------------------------

Run add_completion(CLI::App& app, const Interrupt&) {
  const auto shell = std::make_shared<std::string>();
  app.add_option("SHELL", *shell, "Whose script is printed")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  app.footer(
      "Packages and `cmake --install` put these scripts where shells find them. Without:\n"
      "  bash: source <(januspro completion bash), in ~/.bashrc\n"
      "  zsh: source <(januspro completion zsh), in ~/.zshrc behind compinit\n"
      "  fish: januspro completion fish | source, in ~/.config/fish/config.fish\n\n"
      "Example:\n  januspro completion bash");
  return [&app, shell] {
    const VerbText program = describe(root_of(app));
    print(*shell == "bash"  ? bash_completion(program)
          : *shell == "zsh" ? zsh_completion(program)
                            : fish_completion(program));
  };
}

}  // namespace janus
