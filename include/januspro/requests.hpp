// What goes into an Engine and what comes out: plain structs with defaults. Part of the public
// interface (januspro.hpp). A request has at most a dozen fields; tests/api holds the frozen list.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "januspro/image.hpp"

namespace janus {

inline constexpr int kMostAhead = 64;  // positions in one pass (EngineOptions::ahead)

// --- drawing -----------------------------------------------------------------------------------

// Pictures of one prompt. Picture k of a request has seed + k, and depends on the prompt, the
// settings and that seed alone: never on how many are drawn at once, in what order, or on how many
// threads.
struct DrawRequest {
  std::string prompt = {};
  // What guidance moves away from; blank: an empty prompt of equal length.
  std::string negative = {};
  int images = 1;
  uint64_t seed = 0;
  // How closely the prompt is followed; 1: no guidance, 0: the prompt is ignored. None given: what
  // the checkpoint recommends (ModelInfo::guidance).
  std::optional<float> guidance = {};
  float temperature = 1;  // 0: always the likeliest code
  int top_k = 0;          // choose among the k likeliest codes; 0: all
  float top_p = 1;        // choose among the likeliest codes that hold this share of probability
};

struct Picture {
  Image image = {};
  std::vector<int32_t> codes = {};  // row by row from the top
  uint64_t seed = 0;                // draws it again with images = 1
  int request = 0;                  // which of the requests given together
  int index = 0;                    // which picture of that request
};

enum class Outpaint { none, left, right, top, bottom };

// Two kinds of edits.
//
// Without an instruction: pictures that keep codes of another, by any model that draws. What is
// left of it stands exactly as the codec reads it, and pixels farther than one cell from what is
// redrawn are its own. `image` is taken as the middle square at the model's size. With a mask, what
// it marks is redrawn; with `outpaint`, the picture moves half a frame away from that side and the
// new half is drawn; with neither, the first `keep` of its codes in reading order stand.
//
// With an instruction: a model that was taught to (ModelInfo::edit_layout) reads the picture and
// draws it anew, changed as the instruction says. `drawing` says how many and how they are drawn;
// its prompt is empty, its guidance says how closely the instruction is followed. No mask, no
// outpainting; `keep` means nothing.
struct EditRequest {
  DrawRequest drawing = {};  // what is to be seen there, how many, and how it is drawn
  Image image = {};
  std::optional<EditMask> mask = {};  // of the size of `image`
  Outpaint outpaint = Outpaint::none;
  float keep = .5f;
  std::string instruction = {};
  // How closely an instruction's picture is kept to; 1: no more than by itself. None given: 1.5, or
  // 5 in the layout of Janus-4o, where it is the weight of what the picture means against what it
  // looks like.
  std::optional<float> image_guidance = {};
};

// A picture that is not finished: its codes so far.
struct Sketch {
  int request = 0;
  int index = 0;
  std::span<const int32_t> codes = {};
};

struct Progress {
  enum class Phase { prompt, codes, pixels };
  Phase phase = Phase::prompt;
  int64_t done = 0;                       // codes of all pictures of the call
  int64_t total = 0;                      // … when it ends
  std::span<const Sketch> sketches = {};  // the pictures drawn now; valid during the call only
};

// An unfinished picture in full size, decoded: rows that are not drawn yet are of one grey, 197.
struct Partial {
  Image image = {};
  int request = 0;
  int index = 0;
  int number = 0;  // which of DrawEvents::partials, from 0
  int rows = 0;    // of codes, drawn so far
};

// Any may be empty. They run on the thread that called draw(), or on the engine's own for what
// was submitted. What they throw ends the request.
struct DrawEvents {
  // After every step of the model; false stops the work with Code::cancelled.
  std::function<bool(const Progress&)> on_step = {};
  // As soon as a picture is finished, so that it outlives a later failure.
  std::function<void(const Picture&)> on_picture = {};
  // Looks at a picture while it grows, each for the price of a decoding: number i of them as soon
  // as ⌈(i + 1) · rows / (partials + 1)⌉ rows of codes are drawn, unless that is all of them.
  int partials = 0;
  std::function<void(const Partial&)> on_partial = {};
};

// --- asking ------------------------------------------------------------------------------------

struct ChatMessage {
  std::string role = "user";  // "user" and "assistant" in turn; the last is the user's
  std::string text = {};      // `<image_placeholder>` marks an image's place; default: in front
  std::vector<Image> images = {};
};

struct AskRequest {
  std::vector<ChatMessage> messages = {};
  std::optional<std::string> system = {};  // none given: the model's own; empty: no system prompt
  int max_tokens = 512;
  float temperature = 0;  // 0: always the likeliest token
  int top_k = 0;
  float top_p = 1;
  uint64_t seed = 0;
  std::vector<std::string> stop = {};  // besides the end token; not part of the answer
  int logprobs = -1;  // tell each token's probability, and this many of the likeliest; -1: neither
};

struct ScoredToken {
  std::string bytes = {};  // of its text; need not be whole characters
  float logprob = 0;       // natural logarithm, at temperature 1 and without limits
};

struct AnswerToken {
  ScoredToken chosen = {};
  std::vector<ScoredToken> likeliest = {};  // the likeliest first
};

struct Answer {
  enum class Finish { end, stop, length };
  std::string text = {};
  Finish finish = Finish::end;  // end token; a stop string; max_tokens or the context is full
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;  // of them, those that were not run again (EngineOptions::remember)
  int64_t answer_tokens = 0;  // the end token included
  std::vector<AnswerToken> tokens = {};  // where AskRequest::logprobs asks; no end token
};

// Whole UTF-8 characters as they come, and nothing at all while the prompt is read or where a token
// brings none; false stops the work with Code::cancelled. It runs where DrawEvents do.
using OnText = std::function<bool(std::string_view piece)>;

// --- embedding ---------------------------------------------------------------------------------

// What the model makes of a text with pictures, as one vector. The text is taken as it stands,
// without the roles of a chat; `<image_placeholder>` marks a picture's place, default: in front.
struct EmbedRequest {
  std::string text = {};
  std::vector<Image> images = {};
};

struct Embedding {
  std::vector<float> values = {};  // mean over positions of the last hidden state, of length 1
  int64_t prompt_tokens = 0;
};

// --- memory ------------------------------------------------------------------------------------

// What an engine and a request take, in bytes, told before any of it is taken. A server that runs
// several requests adds up their request() beside one engine().
struct MemoryPlan {
  int64_t program = 0;   // the process itself, its threads and the tokenizer; about
  int64_t weights = 0;   // of the halves that are loaded
  int64_t cache = 0;     // keys and values
  int64_t scratch = 0;   // what passes work in
  int64_t pictures = 0;  // pixels that go in and come out
  int64_t kept = 0;      // remembered of earlier requests; 0 where it has to be given up
  int64_t limit = 0;     // for all of it: EngineOptions::memory or, if that is less, what is free
  int pictures_at_once = 0;  // drawn side by side: as many as fit, at most what the options say
  std::string refusal = {};  // where it does not fit: the numbers, and the nearest that does

  int64_t engine() const { return program + weights; }
  int64_t request() const { return cache + scratch + pictures; }
  int64_t total() const { return engine() + request() + kept; }
  bool fits() const { return total() <= limit; }
};

}  // namespace janus
