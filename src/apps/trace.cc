// `januspro trace`: the ordinary passes with every tap on, written as one safetensors file, so that
// another implementation can be held beside this one. SPDX-License-Identifier: MIT
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "base/error.h"
#include "generate/load.h"
#include "generate/observe.h"
#include "io/file.h"
#include "io/image.h"
#include "io/tokenizer.h"
#include "kernels/open.h"
#include "model/model.h"

namespace janus {

namespace {

// The ids of a JSON list of numbers.
std::vector<int32_t> read_ids(const std::string& path) {
  const auto json = nlohmann::json::parse(read_text(path), nullptr, false);
  check(json.is_array(), Code::bad_input, path, ": is not a JSON list of ids");
  std::vector<int32_t> ids;
  for (const auto& item : json) {
    check(item.is_number_integer() && item >= 0 && item <= INT32_MAX, Code::bad_input, path,
          ": entry ", ids.size(), " is not an id");
    ids.push_back(item.get<int32_t>());
  }
  return ids;
}

std::string ids_text(const std::vector<int32_t>& ids) { return nlohmann::json(ids).dump() + "\n"; }

// What three of the four kinds share.
struct PassFlags {
  ModelFlags model;
  std::string output;

  void add_to(CLI::App& app) {
    app.add_option("-o,--output", output, "safetensors file to write")->required();
    model.add_to(app);
  }
};

struct Loaded {
  Model model;
  PromptBuilder prompts;
  Dtype cache;
};

// Comparing wants exact weights: f32 unless asked otherwise.
Dtype type_of(const std::string& text) { return dtype_named(text).value_or(Dtype::f32); }

Loaded load(const PassFlags& flags, const Parts& wanted, const Interrupt& interrupt) {
  check_output(flags.output);
  LoadOptions options;
  options.backend = open_backend(flags.model.backend_name(), flags.model.threads, flags.model.isa);
  options.weights = type_of(flags.model.type);
  options.round_rope = flags.model.round_rope;
  options.on_progress = [&](double) { interrupt.check(); };
  options.log = [](const std::string& line) { say("warning: " + line); };
  const Checkpoint checkpoint = flags.model.checkpoint();
  options.parts = checkpoint.parts();
  checkpoint.require(wanted);
  PromptBuilder prompts = load_prompts(checkpoint, options.log);
  return {Model::load(checkpoint, options), std::move(prompts), type_of(flags.model.cache)};
}

void save(const Trace& trace, const std::string& output) {
  trace.save(output);
  print(output + "\n");
}

struct AskTrace {
  PassFlags pass;
  std::vector<std::string> images;
  std::vector<std::string> texts;
  std::string raw_ids;
  int tokens = 8;

  explicit AskTrace(CLI::App& app) {
    app.add_option("-i,--image", images, "A picture; may be given several times")
        ->allow_extra_args(false);
    app.add_option("QUESTION", texts, "The question");
    app.add_option("--raw-ids", raw_ids, "JSON list of input ids, instead of a question");
    app.add_option("--tokens", tokens, "Greedy tokens to add")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    pass.add_to(app);
    app.footer(
        "Example:\n  januspro trace ask --backend ref -i photo.png --tokens 8 "
        "-o ask.safetensors 'What is shown in this image?'");
  }
  void run(const Interrupt& interrupt) const {
    if (texts.empty() == raw_ids.empty()) {
      throw UsageError("trace ask: either a question or --raw-ids is expected");
    }
    std::vector<std::string> paths = images;
    if (!texts.empty()) paths.insert(paths.end(), texts.begin(), texts.end() - 1);
    if (paths.size() > images.size() && images.empty()) {
      throw UsageError("trace ask: one question is expected; put it in quotes");
    }
    std::vector<Image> pictures;
    for (const std::string& path : paths) pictures.push_back(load_image(path));
    const Loaded loaded = load(pass, kReadingParts, interrupt);
    std::vector<int32_t> ids;
    if (raw_ids.empty()) {
      const Message message{Role::user, texts.back(), static_cast<int64_t>(pictures.size())};
      ids = loaded.prompts.read(std::span(&message, 1));
    } else {
      ids = read_ids(raw_ids);
    }
    Trace trace;
    observe_ask(loaded.model, loaded.prompts.ids(), ids, pictures, tokens, loaded.cache, trace);
    save(trace, pass.output);
  }
};

struct DrawTrace {
  PassFlags pass;
  std::string prompt;
  std::string raw_ids;
  std::string image_ids;
  double guidance = 5;
  CLI::Option* prompt_option;

  explicit DrawTrace(CLI::App& app) {
    prompt_option = app.add_option("PROMPT", prompt, "The prompt");
    app.add_option("--raw-ids", raw_ids, "JSON list of prompt ids, instead of a prompt");
    app.add_option("--image-ids", image_ids, "JSON list of the codes to feed back")->required();
    app.add_option("--guidance", guidance, "As in draw")->capture_default_str();
    pass.add_to(app);
    app.footer(
        "Example:\n  januspro trace draw --backend ref --image-ids codes.json "
        "-o draw.safetensors 'a red apple on a blue table'");
  }
  void run(const Interrupt& interrupt) const {
    if ((prompt_option->count() > 0) == !raw_ids.empty()) {
      throw UsageError("trace draw: either a prompt or --raw-ids is expected");
    }
    const std::vector<int32_t> codes = read_ids(image_ids);
    const Loaded loaded = load(pass, kDrawingParts, interrupt);
    PromptRows rows;
    rows.guided = raw_ids.empty() ? loaded.prompts.draw(prompt) : read_ids(raw_ids);
    rows.unguided = loaded.prompts.unguided(rows.guided);
    Trace trace;
    observe_draw(loaded.model, rows, codes, static_cast<float>(guidance), loaded.cache, trace);
    save(trace, pass.output);
  }
};

struct EncodeTrace {
  PassFlags pass;
  std::string image;

  explicit EncodeTrace(CLI::App& app) {
    app.add_option("-i,--image", image, "The picture to encode")->required();
    pass.add_to(app);
    app.footer(
        "Example:\n  januspro trace encode --backend ref -i photo.png -o encode.safetensors");
  }
  void run(const Interrupt& interrupt) const {
    const Image picture = load_image(image);
    const Loaded loaded = load(pass, {}, interrupt);
    Trace trace;
    observe_encode(loaded.model, picture, trace);
    save(trace, pass.output);
  }
};

struct TokensTrace {
  ModelFlags model;
  std::string text;
  std::string text_file;
  std::string decode;
  CLI::Option* text_option;

  explicit TokensTrace(CLI::App& app) {
    text_option = app.add_option("TEXT", text, "The text");
    app.add_option("--text-file", text_file, "A file whose whole content is the text");
    app.add_option("--decode", decode, "JSON list of ids to turn into text");
    model.add_model(app);
    app.footer("Example:\n  januspro trace tokens 'Hello world'");
  }
  void run() const {
    const bool given = text_option->count() > 0;
    if (given + !text_file.empty() + !decode.empty() != 1) {
      throw UsageError("trace tokens: one of a text, --text-file and --decode is expected");
    }
    const Checkpoint checkpoint = model.checkpoint();
    const Tokenizer tokenizer =
        Tokenizer::parse(checkpoint.tokenizer_json(), checkpoint.tokenizer_name());
    if (!decode.empty()) return print(tokenizer.decode(read_ids(decode), false) + "\n");
    print(ids_text(tokenizer.encode(given ? text : read_text(text_file))));
  }
};

}  // namespace

Run add_trace(CLI::App& app, const Interrupt& interrupt) {
  app.require_subcommand(1);
  app.footer(
      "Example:\n  januspro trace tokens 'Hello world'\n"
      "januspro trace KIND --help explains a kind.");
  CLI::App* ask_app = app.add_subcommand("ask", "Reading: vision tower, language tower, logits");
  CLI::App* draw_app = app.add_subcommand("draw", "Drawing with given codes, then decoding them");
  CLI::App* encode_app = app.add_subcommand("encode", "A picture to codes");
  CLI::App* tokens_app = app.add_subcommand("tokens", "Text to ids and back, on stdout");
  const auto ask = std::make_shared<AskTrace>(*ask_app);
  const auto draw = std::make_shared<DrawTrace>(*draw_app);
  const auto encode = std::make_shared<EncodeTrace>(*encode_app);
  const auto tokens = std::make_shared<TokensTrace>(*tokens_app);
  return [=, &interrupt] {
    if (ask_app->parsed()) ask->run(interrupt);
    if (draw_app->parsed()) draw->run(interrupt);
    if (encode_app->parsed()) encode->run(interrupt);
    if (tokens_app->parsed()) tokens->run();
  };
}

}  // namespace janus
