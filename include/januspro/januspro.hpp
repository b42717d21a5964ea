// januspro: DeepSeek's Janus-Pro as a library. One object, plain requests, one exception.
//
//   auto engine = janus::Engine::load({.checkpoint = "Janus-Pro-1B"});
//   auto pictures = engine.draw({.prompt = "a lighthouse in fog", .images = 4, .seed = 7});
//   auto answer = engine.ask({.messages = {{"user", "What is this?", {pictures[0].image}}}});
//
// Everything here throws janus::Error and nothing else of its own; the library never prints and
// reads no environment. Calls may come from any thread; requests run together on a thread of the
// Engine, which calls their events, and what each gets does not depend on the others.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "januspro/error.hpp"
#include "januspro/export.h"
#include "januspro/image.hpp"
#include "januspro/job.hpp"
#include "januspro/requests.hpp"

namespace janus {

// A low-rank adapter (LoRA): a directory in the form of the `peft` package, adapter_config.json
// beside adapter_model.safetensors.
struct LoraAdapter {
  std::filesystem::path directory = {};
  float scale = 1;  // besides the adapter's own; 0: as if it were not there
};

struct EngineOptions {
  // A directory in either published layout, a .gguf made by `januspro convert`, or the language
  // file of llama.cpp's pair; mmproj is its vision file (default: mmproj*.gguf beside it).
  std::filesystem::path checkpoint = {};
  std::filesystem::path mmproj = {};
  // "both", "read", "draw", "edit" (what draws, and the codec's encoder); auto: all that the files
  // hold
  std::string halves = "auto";
  std::string backend = "auto";  // "auto", "cpu", "ref"
  int threads = 0;               // 0: the physical cores this process may use
  std::string isa = {};          // highest instruction set to use; empty: the best there is
  // "f32", "bf16", or blocks, beside which image head, embeddings and codec stay bf16: "q8_0",
  // "q6_k", "q4_k_m" (q4_k with some q6_k), "q4_k", "q4_0"; auto: as stored, f32 on "ref"
  std::string weights = "auto";
  std::string cache = "auto";  // keys and values: "f32", "bf16", "q8"; auto: as the weights
  bool round_rope = false;     // round rotary frequencies to bf16, as the official bf16 scripts do
  int pictures_at_once = 8;    // of one request drawn side by side, fewer where memory is short
  // Pictures and answers of all requests that are worked on together; the others wait. 0: as many
  // as fit into memory, at most 16, or pictures_at_once where that is more.
  int parallel = 0;
  // Keep vectors of pictures read, and keys and values of prompts and answers, so that the next
  // turn begins at once; given up where a request needs the room. Results are the same either way.
  bool remember = true;
  // Bytes that the engine and a request may take together; never more than is free. 0: what is
  // free.
  int64_t memory = 0;
  // Codes or tokens that are guessed and decided in one pass, at most kMostAhead; results are the
  // same. 1: one at a time; 0: as many as prove to pay on this machine.
  int ahead = 0;
  // Added to the weights when these are multiplied with, whatever type they are held in. Where an
  // adapter does not fit the model, Engine::load() throws Code::bad_checkpoint naming the matrix.
  std::vector<LoraAdapter> adapters = {};
  // How the model was taught to follow instructions about a picture: "und+gen", "janus4o" (that of
  // FreedomIntelligence/Janus-4o-7B), "none"; auto: as its processor_config.json says.
  std::string edit_layout = "auto";
  std::function<bool(double fraction)> on_load = {};             // false stops with Code::cancelled
  std::function<void(const std::string& line)> on_warning = {};  // about the checkpoint
};

// What was loaded, and its sizes.
struct ModelInfo {
  std::string name = {};    // of the checkpoint's directory or file
  std::string layout = {};  // "transformers", "official", "gguf" or "llama.cpp"
  // Of the weights, the same for every layout: of the half that draws where it is loaded (so that
  // a picture's recipe says the same whatever else is in memory), else of the one that reads. And
  // of the whole of every adapter, its scale too.
  std::string hash = {};
  std::string backend = {};  // "ref", "cpu avx512vnni"
  std::string weights = {};  // a type by its name
  std::vector<LoraAdapter> adapters = {};
  std::string cache = {};
  int threads = 0;
  int parallel = 0;                  // pictures and answers that are worked on together
  bool reads = true, draws = true;   // which halves were loaded
  bool edits = true;                 // by keeping codes: what draws and the codec's encoder
  std::string edit_layout = "none";  // by instruction, with both halves; "none": not taught to
  int64_t parameters = 0;
  int64_t weight_bytes = 0;       // as held in memory
  int64_t cache_token_bytes = 0;  // keys and values of one token of one sequence
  int64_t context = 0;            // tokens of a prompt and its answer or picture
  float guidance = 0;             // for drawing: what the checkpoint recommends, else 5
  float image_guidance = 0;       // for edits by instruction: the layout's own
  int width = 0, layers = 0, heads = 0, kv_heads = 0, vocabulary = 0;
  int vision_image = 0, vision_tokens = 0;  // side and tokens of a picture read
  int image = 0, image_tokens = 0,
      codes = 0;  // side and codes of a picture drawn; size of the book
};

class JANUSPRO_API Engine {
 public:
  // Throws Code::bad_checkpoint naming file, tensor and cure; Code::not_supported for another
  // kind of model; Code::out_of_memory, with the numbers and what would fit, before anything large
  // is read.
  static Engine load(const EngineOptions& options);
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  // Pictures in the order of requests, then images. Throws Code::bad_input for settings out of
  // range and, with the counts, for a prompt that leaves no room in the context;
  // Code::out_of_memory, before it begins, for what does not fit even one picture at a time.
  std::vector<Picture> draw(const DrawRequest& request, const DrawEvents& events = {});
  std::vector<Picture> draw(std::span<const DrawRequest> requests, const DrawEvents& events = {});

  // The same beginning with a picture that is there. Code::not_supported where the checkpoint holds
  // no encoder of the codec, Code::bad_input where it was not loaded. By an instruction both halves
  // are needed, and Code::not_supported is thrown where the model was not taught to.
  std::vector<Picture> edit(const EditRequest& request, const DrawEvents& events = {});

  // The codec by itself: the codes of a picture's middle square at the model's size, row by row
  // from the top, and the picture of codes. On the calling thread, beside what runs. encode() wants
  // what an edit does. Code::bad_input for codes that are too few, too many or not in the book.
  std::vector<int32_t> encode(const Image& image);
  Image decode(std::span<const int32_t> codes);

  // The model's answer to the last message. Throws as draw() does.
  Answer ask(const AskRequest& request, const OnText& on_text = {});

  // The model's own view of text and pictures. Throws as ask() does.
  Embedding embed(const EmbedRequest& request);

  // The same without waiting. Requests join those that run in the order in which they came, each
  // when there is memory for it. A request that cannot be used as given is refused here, by the
  // same errors; what happens later is the job's. Events may submit, but not draw, ask, or end the
  // engine.
  Job submit(const DrawRequest& request, const DrawEvents& events = {});
  Job submit(std::span<const DrawRequest> requests, const DrawEvents& events = {});
  Job submit(const EditRequest& request, const DrawEvents& events = {});
  Job submit(const AskRequest& request, const OnText& on_text = {});
  Job submit(const EmbedRequest& request);

  // What these calls would take at this moment, the engine included. Throws as they do, but not for
  // what does not fit.
  MemoryPlan plan(std::span<const DrawRequest> requests) const;
  MemoryPlan plan(const DrawRequest& request) const;
  MemoryPlan plan(const EditRequest& request) const;
  MemoryPlan plan(const AskRequest& request) const;
  // The same of an engine that is not loaded: only small files are read.
  static MemoryPlan plan(const EngineOptions& options, std::span<const DrawRequest> requests);
  static MemoryPlan plan(const EngineOptions& options, const EditRequest& request);
  static MemoryPlan plan(const EngineOptions& options, const AskRequest& request);

  // The share of the room for keys and values that is in use now, by requests and by what is
  // remembered: 0 to 1. From any thread.
  double cache_use() const;

  // Tokens of a drawing's prompt as the model reads it.
  int64_t prompt_tokens(const DrawRequest& request) const;

  const ModelInfo& info() const;

  // Makes preview() ready: a linear map from code vectors to small patches, read from `folder`
  // under the model's hash, or fitted on a few decodes and written there. An empty path: fitted
  // and not kept. `wanted` is asked before each decode; false stops with Code::cancelled.
  void prepare_preview(const std::filesystem::path& folder,
                       const std::function<bool()>& wanted = {});
  // A cheap look at an unfinished picture: 2 × 2 pixels a code, grey where none is yet. Waits for
  // nobody.
  Image preview(std::span<const int32_t> codes) const;

 private:
  friend struct CDoor;  // januspro.h
  struct __attribute__((visibility("hidden"))) Parts;
  explicit Engine(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// --- pictures and files --------------------------------------------------------------------------

// A picture for a request: PNG, JPEG, WebP, GIF (first frame) or BMP, by content, turned upright as
// its EXIF orientation says. `name` appears in messages.
JANUSPRO_API Image load_picture(const std::filesystem::path& path);
JANUSPRO_API Image decode_picture(std::span<const std::byte> bytes,
                                  const std::string& name = "picture");
// A mask for EditRequest: where the picture is fully transparent; of one without transparency,
// where it is white, from the middle grey on.
JANUSPRO_API EditMask load_mask(const std::filesystem::path& path);
JANUSPRO_API EditMask decode_mask(std::span<const std::byte> bytes,
                                  const std::string& name = "mask");
// Text that a picture carries, keyword -> text: the text chunks of a PNG; the EXIF user comment of
// a JPEG, WebP or PNG as `parameters`.
JANUSPRO_API std::map<std::string, std::string> picture_text(const std::filesystem::path& path);

// What a file of this name holds: .png, .jpg, .jpeg, .webp, in any case; without an extension, PNG.
// Throws Code::bad_input with this list for any other.
JANUSPRO_API PictureFormat picture_format(const std::filesystem::path& path);
// A picture as a file: PNG with any texts; JPEG or WebP with at most one, under `parameters`.
JANUSPRO_API std::vector<std::byte> encode_picture(
    const Image& image, const std::map<std::string, std::string>& text = {},
    const PictureOptions& options = {});
// Written beside `path` and renamed, so that nothing is ever half-written.
JANUSPRO_API void save_file(const std::filesystem::path& path, std::span<const std::byte> bytes);

// "0.1.0"
JANUSPRO_API std::string version();
// Backends built in, then the instruction sets this machine can run, slowest first.
JANUSPRO_API std::vector<std::string> available_backends();
JANUSPRO_API std::vector<std::string> available_isa();

}  // namespace janus
