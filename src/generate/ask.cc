// The story of an answer: messages -> ids -> what the recollection has of them stays, the rest ->
// vectors, pictures in their places -> keys and values -> token after token. (deepseek-ai/Janus,
// inference.py, modeling_vlm.py, prepare_inputs_embeds) T tokens of the prompt · P tokens of a
// picture · D width · V text ids. SPDX-License-Identifier: MIT
#include "generate/ask.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "generate/sampler.h"
#include "generate/stop.h"
#include "io/preprocess.h"
#include "io/tokenizer.h"
#include "model/footprint.h"

namespace janus {

namespace {

std::vector<Message> check_messages(const AskRequest& request) {
  check(!request.messages.empty(), Code::bad_input, "there is no message to answer");
  check(request.messages.size() % 2 == 1, Code::bad_input, "there are ", request.messages.size(),
        " messages; user and assistant take turns, and the last message is the user's");
  std::vector<Message> messages;
  for (size_t i = 0; i < request.messages.size(); ++i) {
    const ChatMessage& message = request.messages[i];
    const Role role = i % 2 == 0 ? Role::user : Role::assistant;
    const std::string_view name = role == Role::user ? "user" : "assistant";
    check(message.role == name, Code::bad_input, "message ", i + 1, " has role \"", message.role,
          "\" where \"", name, "\" is due; a system prompt goes into its own field");
    messages.push_back({role, message.text, static_cast<int64_t>(message.images.size())});
  }
  return messages;
}

// In the order of their places.
struct Pictures {
  std::vector<const Image*> images;
  std::vector<PictureKey> keys;

  explicit Pictures(const AskRequest& request) {
    for (const ChatMessage& message : request.messages) {
      for (const Image& image : message.images) {
        images.push_back(&image);
        keys.push_back(picture_key(image));
      }
    }
  }
};

// What each position of the prompt holds.
std::vector<Fed> positions_of(std::span<const int32_t> ids, const PromptBuilder& prompts,
                              const Pictures& pictures) {
  std::vector<Fed> fed;
  fed.reserve(ids.size());
  int64_t rows = 0;
  for (const int32_t id : ids) {
    fed.push_back({id, -1, {}});
    if (id != prompts.ids().image) continue;
    fed.back().row = static_cast<int32_t>(rows % prompts.image_tokens());
    fed.back().picture = pictures.keys[static_cast<size_t>(rows++ / prompts.image_tokens())];
  }
  return fed;
}

// Vectors of all picture rows among `fed`, in order; a picture that it lacks is read now.
OwnedTensor vectors_of(const Model& model, std::span<const Fed> fed, const Pictures& pictures,
                       PictureMemory& memory, const std::function<void()>& still_wanted) {
  const int64_t rows =
      std::count_if(fed.begin(), fed.end(), [](const Fed& place) { return place.row >= 0; });
  if (rows == 0) return {};
  OwnedTensor vectors(Dtype::f32, {rows, model.config().llama.width});
  Tensor picture;
  int64_t next = 0;
  for (size_t i = 0; i < fed.size(); ++i) {
    if (fed[i].row < 0) continue;
    if (i == 0 || fed[i - 1].picture != fed[i].picture) picture = memory.find(fed[i].picture);
    if (!picture) {
      still_wanted();
      const auto key = std::find(pictures.keys.begin(), pictures.keys.end(), fed[i].picture);
      Workspace space(read_images_scratch(model.config(), 1));  // much, and only for this
      const Image& image = *pictures.images[static_cast<size_t>(key - pictures.keys.begin())];
      picture = memory.keep(*key, read_picture(model, image, space));
    }
    model.backend().copy(picture.slice(fed[i].row, 1), vectors.view.slice(next++, 1));
  }
  return vectors;
}

void check_context(int64_t tokens, const Config& config) {
  const int64_t context = config.llama.context;
  check(tokens < context, Code::bad_input, "the prompt has ", tokens,
        " tokens and the model's context is ", context,
        ", which leaves no room for an answer; shorten the prompt by at least ",
        tokens - context + 1, " tokens (a picture takes ", config.vision.tokens() + 2, ")");
}

// One answer while it grows.
class Answering {
 public:
  Answering(const Asking& asking, const AskRequest& request, const OnText& on_text,
            int64_t prompt_tokens, int64_t cached_tokens);
  Answer run(PrefixMemory& prefix, Tensor hidden);

 private:
  bool accept(int32_t id);  // false: the answer ends here
  void show(std::string text);

  const Asking& asking_;
  const AskRequest& request_;
  const OnText& on_text_;
  TextStream stream_;
  StopFilter filter_;
  std::vector<int32_t> stop_ids_;  // stop strings that are one token of the table
  int64_t limit_;                  // tokens there is room for
  Answer answer_;
};

Answering::Answering(const Asking& asking, const AskRequest& request, const OnText& on_text,
                     int64_t prompt_tokens, int64_t cached_tokens)
    : asking_(asking),
      request_(request),
      on_text_(on_text),
      stream_(asking.prompts.tokenizer(), false),
      filter_(request.stop) {
  for (const std::string& stop : asking.prompts.stop_strings()) {
    if (const auto id = asking.prompts.tokenizer().find(stop)) stop_ids_.push_back(*id);
  }
  answer_.prompt_tokens = prompt_tokens;
  answer_.cached_tokens = cached_tokens;
  const int64_t context = asking.model.config().llama.context;
  limit_ = std::min<int64_t>(request.max_tokens, context - prompt_tokens);
}

// Asks after every token, so that a stop is seen at once also where text is held back.
void Answering::show(std::string text) {
  answer_.text += text;
  check(!on_text_ || on_text_(text), Code::cancelled, "the answer was stopped after ",
        answer_.answer_tokens, " tokens");
}

bool Answering::accept(int32_t id) {
  ++answer_.answer_tokens;
  if (id == asking_.prompts.ids().eos) return false;
  if (std::find(stop_ids_.begin(), stop_ids_.end(), id) != stop_ids_.end()) {
    answer_.finish = Answer::Finish::stop;
    return false;
  }
  show(filter_.push(stream_.push(id)));
  if (filter_.stopped()) {
    answer_.finish = Answer::Finish::stop;
    return false;
  }
  if (answer_.answer_tokens < limit_) return true;
  answer_.finish = Answer::Finish::length;
  return false;
}

// hidden [1, D] of the prompt's last token.
Answer Answering::run(PrefixMemory& prefix, Tensor hidden) {
  const Model& model = asking_.model;
  OwnedTensor logits(Dtype::f32, {1, model.config().llama.vocabulary});
  const std::span<const float> view(logits.view.f32(), static_cast<size_t>(logits.view.cols()));
  const Sampling sampling{request_.temperature, request_.top_k, request_.top_p};
  Sampler sampler;
  for (uint64_t position = 0;; ++position) {
    model.text_logits(hidden, logits.view);
    const int32_t id = sampler.pick(view, sampling, request_.seed, position);
    if (!accept(id)) break;
    model.embed_text(std::span(&id, 1), hidden);
    prefix.step(id, hidden);
  }
  if (!filter_.stopped()) {
    show(filter_.push(stream_.finish()));
    show(filter_.finish());
  }
  return std::move(answer_);
}

}  // namespace

OwnedTensor reading_pixels(const Config& config, std::span<const Image> images) {
  if (images.empty()) return {};
  const int64_t side = config.vision.image;
  const auto count = static_cast<int64_t>(images.size());
  OwnedTensor pixels(Dtype::f32, {count, side, side, 3});
  for (int64_t i = 0; i < count; ++i) {
    const Tensor one = pixels.view.slice(i * side * side, side * side);
    prepare_for_reading(images[static_cast<size_t>(i)], config.vision.image, config.preprocessing,
                        std::span(one.f32(), static_cast<size_t>(one.count())));
  }
  return pixels;
}

OwnedTensor read_picture(const Model& model, const Image& image, Workspace& space) {
  const Config& config = model.config();
  const OwnedTensor pixels = reading_pixels(config, std::span(&image, 1));
  OwnedTensor vectors(Dtype::f32, {config.vision.tokens(), config.llama.width});
  model.read_images(pixels.view, space, vectors.view);
  return vectors;
}

OwnedTensor embed_prompt(const Model& model, std::span<const int32_t> ids, int32_t image_id,
                         Tensor vectors) {
  const int64_t width = model.config().llama.width;
  const int64_t tokens = model.config().vision.tokens();
  const int64_t rows = vectors ? vectors.rows() : 0;
  const auto places = static_cast<int64_t>(std::count(ids.begin(), ids.end(), image_id));
  check(places == rows, Code::bad_input, "the prompt has room for ", places,
        " picture vectors, but ", rows, " were given (", tokens, " a picture)");
  OwnedTensor x(Dtype::f32, {static_cast<int64_t>(ids.size()), width});
  model.embed_text(ids, x.view);
  int64_t next = 0;
  for (size_t t = 0; t < ids.size(); ++t) {
    if (ids[t] != image_id) continue;
    const float* from = vectors.row(next++);
    std::copy(from, from + width, x.view.row(static_cast<int64_t>(t)));
  }
  return x;
}

std::vector<int32_t> prompt_ids(const Config& config, const PromptBuilder& prompts,
                                const AskRequest& request) {
  check(request.max_tokens >= 1, Code::bad_input, "max tokens is ", request.max_tokens,
        "; it must be 1 or more");
  check_sampling({request.temperature, request.top_k, request.top_p});
  std::vector<int32_t> ids = prompts.read(check_messages(request), request.system);
  check_context(static_cast<int64_t>(ids.size()), config);
  return ids;
}

AnswerShape answer_shape(const Config& config, const PromptBuilder& prompts,
                         const AskRequest& request) {
  const auto tokens = static_cast<int64_t>(prompt_ids(config, prompts, request).size());
  return answer_shape(config, tokens, request.max_tokens, request.messages);
}

Answer ask(const Asking& asking, const AskRequest& request, const OnText& on_text) {
  const Config& config = asking.model.config();
  const std::vector<int32_t> ids = prompt_ids(config, asking.prompts, request);
  const auto tokens = static_cast<int64_t>(ids.size());
  const AnswerShape shape = answer_shape(config, tokens, request.max_tokens, request.messages);
  const auto still_wanted = [&] {
    check(!on_text || on_text({}), Code::cancelled, "the answer was stopped before it began");
  };

  std::optional<Recollection> own;
  Recollection& recollection =
      asking.recollection ? *asking.recollection : own.emplace(asking.model, asking.cache);
  const Pictures pictures(request);
  const std::vector<Fed> prompt = positions_of(ids, asking.prompts, pictures);
  const int64_t kept = recollection.prefix.resume(prompt, shape.positions);
  const std::span<const Fed> rest = std::span(prompt).subspan(static_cast<size_t>(kept));
  const OwnedTensor vectors =
      vectors_of(asking.model, rest, pictures, recollection.pictures, still_wanted);
  const OwnedTensor x =
      embed_prompt(asking.model, std::span(ids).subspan(static_cast<size_t>(kept)),
                   asking.prompts.ids().image, vectors.view);
  recollection.prefix.run(x.view, rest, still_wanted);
  Answering answering(asking, request, on_text, tokens, kept);
  return answering.run(recollection.prefix, x.view.slice(tokens - kept - 1, 1));
}

}  // namespace janus
