// See manual.h. SPDX-License-Identifier: MIT
#include "apps/manual.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string_view>
#include <utility>

#include "apps/command.h"
#include "base/error.h"

namespace janus {

namespace {

// Text that man(7) shows as it is: no letter of it is a command, and a hyphen can be copied.
std::string escaped(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    line_begins = c == '\n';
    switch (c) {
      case '\\':
        out += "\\e";
        break;
      case '-':
        out += "\\-";
        break;
      case '\'':
        out += "\\(aq";
        break;
      case '`':
        out += "\\(ga";
        break;
      case '^':
        out += "\\(ha";
        break;
      case '~':
        out += "\\(ti";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string bold(std::string_view text) { return "\\fB" + escaped(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + escaped(text) + "\\fR"; }

std::string with_hyphens(const std::string& words) {
  std::string name = words.empty() ? "januspro" : "januspro-" + words;
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string command_of(const VerbText& verb) {
  return verb.words.empty() ? "januspro" : "januspro " + verb.words;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

// Lines as they are.
std::string verbatim(const std::string& text) {
  std::string lines = ".nf\n";
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines += (line.empty() ? ".sp" : escaped(line)) + "\n";
  }
  return lines + ".fi\n";
}

std::string synopsis(const VerbText& verb) {
  std::string text = bold(command_of(verb)) + " [" + italic("options") + "]";
  for (const OptionText& option : verb.options) {
    if (option.place.empty()) continue;
    const std::string place = italic(option.place) + (option.several ? " ..." : "");
    text += option.required ? " " + place : " [" + place + "]";
  }
  if (!verb.verbs.empty()) text += " " + italic("verb") + " ...";
  return ".SH SYNOPSIS\n" + text + "\n";
}

std::string option_text(const OptionText& option) {
  std::string head;
  for (const std::string& name : option.names) head += (head.empty() ? "" : ", ") + bold(name);
  if (head.empty()) head = italic(option.place);
  if (!option.names.empty() && !option.value.empty()) head += " " + italic(option.value);
  std::string more;
  const auto add = [&](const std::string& what) { more += (more.empty() ? "" : "; ") + what; };
  std::string choices;
  for (const std::string& one : option.choices) choices += (choices.empty() ? "" : ", ") + one;
  if (!choices.empty()) add("one of " + choices);
  if (!option.range.empty()) add(option.range);
  if (!option.fallback.empty()) add("default: " + option.fallback);
  if (option.required) add("required");
  return ".TP\n" + head + "\n" + escaped(option.about) +
         (more.empty() ? "" : " (" + escaped(more) + ")") + "\n";
}

std::string list_of_verbs(const VerbText& verb) {
  std::string text = ".SH VERBS\n";
  for (const VerbText& below : verb.verbs) {
    text += ".TP\n" + bold(below.last_word()) + "\n" + escaped(below.about) + "\n";
  }
  return text;
}

std::string environment(const VerbText& verb) {
  const std::string plain = "JANUSPRO_TOP_K", own = "JANUSPRO_DRAW_TOP_K";
  return ".SH ENVIRONMENT\nEvery option with a long name is also a variable that changes its "
         "default: " +
         bold("--top-k") + " is " + bold(plain) + ", or for one verb " + bold(own) +
         ", which goes before it. What the command line says goes before both. A flag is on for 1, "
         "true, on or yes.\n" +
         (verb.words.empty()
              ? ".TP\n" + bold("JANUSPRO_MODEL") + "\nThe model of verbs that name none with " +
                    bold("-m") + ".\n.TP\n" + bold("JANUSPRO_ISA") +
                    "\nThe highest instruction set to use.\n.TP\n" + bold("NO_COLOR") +
                    "\nSet to anything: no colours, and so no growing pictures in "
                    "the terminal.\n.TP\n" +
                    bold("HF_HOME") + ", " + bold("HF_HUB_CACHE") + ", " + bold("HF_ENDPOINT") +
                    ", " + bold("HF_TOKEN") + ", " + bold("HF_HUB_OFFLINE") +
                    "\nAs for huggingface_hub: where models are kept and fetched "
                    "from.\n"
              : "");
}

constexpr std::string_view kExitStatus =
    ".SH EXIT STATUS\n.TP\n0\ndone\n.TP\n1\nthe work failed; the message says what, where and the "
    "likely cure\n.TP\n2\nthe command line was wrong\n.TP\n130\ninterrupted; what was finished is "
    "kept\n";

std::string see_also(const VerbText& verb, const VerbText& program) {
  std::string text;
  const auto add = [&](const VerbText& other) {
    text += (text.empty() ? "" : ",\n") + bold(with_hyphens(other.words)) + "(1)";
  };
  for (const VerbText* other : all_verbs(program)) {
    const bool below = std::any_of(verb.verbs.begin(), verb.verbs.end(),
                                   [&](const VerbText& one) { return &one == other; });
    if (below || (other == &program && !verb.words.empty())) add(*other);
  }
  return text.empty() ? "" : ".SH SEE ALSO\n" + text + "\n";
}

}  // namespace

std::string manual_file(const VerbText& verb) { return with_hyphens(verb.words) + ".1"; }

std::string manual_page(const VerbText& verb, const VerbText& program) {
  std::string text = ".\\\" Written by `januspro manual`.\n.TH " +
                     escaped(upper(with_hyphens(verb.words))) + " 1 \"\" \"januspro " +
                     escaped(version()) + "\" \"januspro manual\"\n";
  text += ".SH NAME\n" + escaped(with_hyphens(verb.words)) + " \\- " + escaped(verb.about) + "\n";
  text += synopsis(verb);
  text += ".SH DESCRIPTION\n" + escaped(verb.about) + ".\n";
  if (!verb.notes.empty()) text += ".PP\n" + verbatim(verb.notes);
  if (!verb.verbs.empty()) text += list_of_verbs(verb);
  text += ".SH OPTIONS\n";
  for (const OptionText& option : verb.options) text += option_text(option);
  if (!verb.example.empty()) text += ".SH EXAMPLES\n" + verbatim(verb.example);
  return text + environment(verb) + std::string(kExitStatus) + see_also(verb, program);
}

namespace {

struct ManualFlags {
  std::vector<std::string> verb;
  std::string folder;
};

void write_manual(const VerbText& program, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  check(!error, Code::device_failure, folder.string(), ": cannot be made: ", error.message());
  for (const VerbText* verb : all_verbs(program)) {
    const std::filesystem::path path = folder / manual_file(*verb);
    const std::string page = manual_page(*verb, program);
    save_result(path, std::as_bytes(std::span(page)));
    print(path.string() + "\n");
  }
}

void print_page(const VerbText& program, const std::vector<std::string>& words) {
  std::string wanted;
  for (const std::string& word : words) wanted += (wanted.empty() ? "" : " ") + word;
  for (const VerbText* verb : all_verbs(program)) {
    if (verb->words == wanted) return print(manual_page(*verb, program));
  }
  throw UsageError("manual: there is no verb " + wanted + "; januspro --help lists them");
}

}  // namespace

Run add_manual(CLI::App& app, const Interrupt&) {
  const auto flags = std::make_shared<ManualFlags>();
  app.add_option("VERB", flags->verb, "Whose page is printed (default: the program's)");
  app.add_option("-o,--output", flags->folder,
                 "Write all pages into this folder, made where it is not there, and print their "
                 "names");
  app.footer(
      "A page is in the language of man(7): januspro manual draw | man -l -\n\n"
      "Example:\n  januspro manual draw\n  januspro manual -o man1");
  return [&app, flags] {
    if (!flags->folder.empty() && !flags->verb.empty()) {
      throw UsageError("manual: -o writes all pages; leave the verb out");
    }
    const VerbText program = describe(root_of(app));
    if (flags->folder.empty()) return print_page(program, flags->verb);
    write_manual(program, flags->folder);
  };
}

}  // namespace janus
