// See pretokenizer.h. The meaning of each form is that of the reference's engine, Oniguruma with
// Ruby's syntax: `$` also stands before every line feed, `\s` is the property White_Space.
// SPDX-License-Identifier: MIT
#include "io/pretokenizer.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "io/utf8.h"

namespace janus {

namespace {

using json = nlohmann::json;
using Kind = Pretokenizer::Step::Kind;
using Pieces = std::vector<std::string_view>;

// ---- reading the forms ---------------------------------------------------------------------

// One member of a set or one end of a range; moves `at` behind it. Nothing for what is not a plain
// character: classes, nested sets, intersections.
std::optional<char32_t> set_member(std::string_view pattern, size_t& at) {
  const Utf8Step step = utf8_at(pattern, at);
  if (step.kind != Utf8::whole) return std::nullopt;
  at += step.length;
  if (step.value == '[' || step.value == ']' || step.value == '&') return std::nullopt;
  if (step.value != '\\') return step.value;
  if (at >= pattern.size()) return std::nullopt;
  switch (pattern[at++]) {
    case 'r':
      return U'\r';
    case 'n':
      return U'\n';
    case 't':
      return U'\t';
    case '\\':
      return U'\\';
    case '-':
      return U'-';
    case '[':
      return U'[';
    case ']':
      return U']';
    case '^':
      return U'^';
    default:
      return std::nullopt;
  }
}

// The inside of `[...]`, without the brackets.
std::optional<CodePointSet> parse_set(std::string_view inside) {
  if (inside.empty() || inside[0] == '^') return std::nullopt;
  std::vector<CodePointRange> ranges;
  size_t at = 0;
  while (at < inside.size()) {
    if (inside[at] == '-') return std::nullopt;  // a bare hyphen means different things
    const std::optional<char32_t> first = set_member(inside, at);
    if (!first) return std::nullopt;
    std::optional<char32_t> last = first;
    if (at < inside.size() && inside[at] == '-') {
      if (++at == inside.size()) return std::nullopt;
      last = set_member(inside, at);
      if (!last || *last < *first) return std::nullopt;
    }
    ranges.emplace_back(*first, *last);
  }
  return CodePointSet(std::move(ranges));
}

std::optional<Pretokenizer::Step> parse_regex(std::string_view pattern) {
  if (pattern == R"(\s+$)") return Pretokenizer::Step{Kind::trailing, CodePointSet(), {}};
  constexpr std::string_view kSpace = R"(\s?)";
  const bool spaced = pattern.starts_with(kSpace);
  if (spaced) pattern.remove_prefix(kSpace.size());
  const bool repeated = pattern.ends_with('+');
  if (repeated) pattern.remove_suffix(1);
  if (pattern.size() < 3 || pattern.front() != '[' || pattern.back() != ']') return std::nullopt;
  if (spaced && !repeated) return std::nullopt;
  std::optional<CodePointSet> set = parse_set(pattern.substr(1, pattern.size() - 2));
  if (!set) return std::nullopt;
  const Kind kind = spaced ? Kind::spaced_run : repeated ? Kind::run : Kind::one_of;
  return Pretokenizer::Step{kind, std::move(*set), {}};
}

// `object[key]` of one step, if present and of the type asked for.
template <class T>
T field(const json& object, const char* key, T absent) {
  const auto found = object.find(key);
  return found == object.end() ? absent : found->get<T>();
}

Pretokenizer::Step parse_split(const json& step, const std::string& where) {
  const std::string behavior = field<std::string>(step, "behavior", "");
  check(behavior == "Isolated" && !field(step, "invert", false), Code::not_supported, where,
        ": a Split with behavior \"", behavior,
        "\" or inverted; only \"Isolated\" and not inverted is known");
  const json& pattern = step.at("pattern");
  if (pattern.contains("String")) {
    std::string text = pattern.at("String").get<std::string>();
    check(!text.empty(), Code::not_supported, where, ": a Split by an empty string");
    return {Kind::literal, CodePointSet(), std::move(text)};
  }
  const std::string regex = pattern.at("Regex").get<std::string>();
  std::optional<Pretokenizer::Step> known = parse_regex(regex);
  check(known.has_value(), Code::not_supported, where, ": the Split pattern \"",
        regex.substr(0, valid_utf8_prefix(std::string_view(regex).substr(0, 60))),
        "\" is none of the forms known here ([set], [set]+, \\s?[set]+, \\s+$); this is the "
        "tokenizer of another model family");
  return std::move(*known);
}

// ---- the steps -----------------------------------------------------------------------------

// Walks one piece. `match_end(at)` is the end of the match that begins at `at`, or `at` for none;
// matches and what lies between become pieces.
template <class MatchEnd>
void isolate(std::string_view piece, Pieces& out, const MatchEnd& match_end) {
  size_t rest = 0, at = 0;
  while (at < piece.size()) {
    const size_t end = match_end(at);
    if (end == at) {
      at += utf8_at(piece, at).length;
      continue;
    }
    if (rest < at) out.push_back(piece.substr(rest, at - rest));
    out.push_back(piece.substr(at, end - at));
    rest = at = end;
  }
  if (rest < piece.size()) out.push_back(piece.substr(rest));
}

// End of the longest run of characters that `in` holds for, from `at`.
template <class In>
size_t run_end(std::string_view piece, size_t at, const In& in) {
  while (at < piece.size()) {
    const Utf8Step step = utf8_at(piece, at);
    if (!in(step.value)) break;
    at += step.length;
  }
  return at;
}

template <class In>
size_t one_end(std::string_view piece, size_t at, const In& in) {
  const Utf8Step step = utf8_at(piece, at);
  return in(step.value) ? at + step.length : at;
}

// `\s?[set]+`: a space joins the run behind it; a space that is itself in the set may begin one.
template <class In>
size_t spaced_end(std::string_view piece, size_t at, const In& in) {
  const size_t behind = one_end(piece, at, is_white_space);
  if (behind > at && behind < piece.size()) {
    const size_t end = run_end(piece, behind, in);
    if (end > behind) return end;
  }
  return run_end(piece, at, in);
}

// `\s+$`: spaces up to the end of the piece, or up to the last line feed among them.
void isolate_trailing(std::string_view piece, Pieces& out) {
  size_t checked = 0;  // no match begins before here
  isolate(piece, out, [&](size_t at) {
    if (at < checked) return at;
    const size_t end = run_end(piece, at, is_white_space);
    if (end == piece.size() || end == at) return end;
    const size_t feed = piece.substr(at, end - at).rfind('\n');
    if (feed != std::string_view::npos && feed > 0) return at + feed;
    checked = end;
    return at;
  });
}

void apply(const Pretokenizer::Step& step, std::string_view piece, Pieces& out) {
  const auto in_set = [&](char32_t c) { return step.set.contains(c); };
  switch (step.kind) {
    case Kind::one_of:
      return isolate(piece, out, [&](size_t at) { return one_end(piece, at, in_set); });
    case Kind::run:
      return isolate(piece, out, [&](size_t at) { return run_end(piece, at, in_set); });
    case Kind::spaced_run:
      return isolate(piece, out, [&](size_t at) { return spaced_end(piece, at, in_set); });
    case Kind::trailing:
      return isolate_trailing(piece, out);
    case Kind::literal:
      return isolate(piece, out, [&](size_t at) {
        return piece.substr(at).starts_with(step.text) ? at + step.text.size() : at;
      });
    case Kind::digits:
      return isolate(piece, out, [&](size_t at) { return run_end(piece, at, is_numeric); });
    case Kind::single_digits:
      return isolate(piece, out, [&](size_t at) { return one_end(piece, at, is_numeric); });
  }
}

// True for the ByteLevel that ends the sequence.
bool is_byte_level(const json& step, const std::string& where) {
  if (step.at("type") != "ByteLevel") return false;
  check(!field(step, "add_prefix_space", true) && !field(step, "use_regex", true),
        Code::not_supported, where,
        ": a ByteLevel that adds a prefix space or cuts by its own regex; both must be false "
        "here, as in DeepSeek's files");
  return true;
}

Pretokenizer::Step parse_step(const json& step, const std::string& where) {
  const std::string type = step.at("type").get<std::string>();
  if (type == "Split") return parse_split(step, where);
  if (type == "Digits") {
    const bool single = field(step, "individual_digits", false);
    return {single ? Kind::single_digits : Kind::digits, CodePointSet(), {}};
  }
  fail(Code::not_supported, where, ": a pre-tokeniser of type \"", type,
       "\"; known are Split, Digits and a final ByteLevel. A file saved again by transformers 5 "
       "may carry Metaspace here by mistake: take the tokenizer.json that was published");
}

}  // namespace

Pretokenizer Pretokenizer::parse(const json& value, const std::string& name) {
  const std::string root = name + ": pre_tokenizer";
  check(value.is_object(), Code::not_supported, root,
        " is absent; a byte-level table needs a final ByteLevel step");
  Pretokenizer out;
  try {
    const bool sequence = value.at("type") == "Sequence";
    const json steps = sequence ? value.at("pretokenizers") : json::array({value});
    bool ended = false;
    for (size_t i = 0; i < steps.size(); ++i) {
      const std::string where = root + ".pretokenizers[" + std::to_string(i) + "]";
      check(!ended, Code::not_supported, where, ": a step after ByteLevel");
      ended = is_byte_level(steps[i], where);
      if (!ended) out.steps_.push_back(parse_step(steps[i], where));
    }
    check(ended, Code::not_supported, root, " does not end with a ByteLevel step");
  } catch (const json::exception& problem) {
    fail(Code::bad_checkpoint, root, ": ", problem.what(), "; the file is damaged: fetch it again");
  }
  return out;
}

std::vector<std::string_view> Pretokenizer::split(std::string_view text) const {
  Pieces pieces, next;
  if (!text.empty()) pieces.push_back(text);
  for (const Step& step : steps_) {
    next.clear();
    for (const std::string_view piece : pieces) apply(step, piece, next);
    pieces.swap(next);
  }
  return pieces;
}

std::string_view deepseek_pretokenizer() {
  return R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"[\r\n]"},")"
         R"(behavior":"Isolated","invert":false},{"type":"Split","pattern":{"Regex":"\\s?[A-Za)"
         R"(-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-)"
         R"(\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-)"
         R"(\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-)"
         R"(\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-)"
         R"(\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59)"
         R"(\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-)"
         R"(\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102)"
         R"(\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134)"
         R"(\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb)"
         R"(-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-)"
         R"(\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\ud801)"
         R"(\udc00-\ud801\udc4f\ud801\udcb0-\ud801\udcd3\ud801\udcd8-\ud801\udcfb\ud803\udc80-)"
         R"(\ud803\udcb2\ud803\udcc0-\ud803\udcf2\ud806\udca0-\ud806\udcdf\ud83a\udd00-\ud83a)"
         R"(\udd43]+"},"behavior":"Isolated","invert":false},{"type":"Split","pattern":{"Regex)"
         R"(":"\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"},"behavior":)"
         R"("Isolated","invert":false},{"type":"Split","pattern":{"Regex":"\\s+$"},"behavior":)"
         R"("Isolated","invert":false},{"type":"Split","pattern":{"Regex":"[\u4e00-\u9fa5)"
         R"(\u0800-\u4e00\uac00-\ud7ff]+"},"behavior":"Isolated","invert":false},{"type":"Digi)"
         R"(ts","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"trim_o)"
         R"(ffsets":true,"use_regex":false}]})";
}

}  // namespace janus
