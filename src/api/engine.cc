// The door: options -> model, tokenizer and backend; requests -> tasks over generate/, which run
// together (scheduler.h). SPDX-License-Identifier: MIT
#include <array>
#include <cmath>
#include <span>

#include "api/c/door.h"
#include "api/parts.h"
#include "base/dtype.h"
#include "base/error.h"
#include "generate/ask.h"
#include "generate/draw.h"
#include "generate/embed.h"
#include "generate/load.h"
#include "generate/plan.h"
#include "januspro/januspro.hpp"
#include "kernels/open.h"
#include "model/checkpoint_check.h"
#include "model/fingerprint.h"
#include "model/model.h"
#include "model/storage.h"
#include "model/weight_names.h"

namespace janus {

namespace {

// One of `types`, or `otherwise` for "auto".
template <class Otherwise>
Dtype parse_type(const std::string& text, const char* what, std::span<const Dtype> types,
                 const Otherwise& otherwise) {
  std::string known = "auto";
  for (const Dtype type : types) {
    if (traits(type).name == text) return type;
    known += ", " + std::string(traits(type).name);
  }
  check(text == "auto", Code::bad_input, what, " \"", text, "\" is not one of ", known);
  return otherwise();
}

Parts parse_halves(const std::string& text, const Checkpoint& checkpoint) {
  if (text == "auto") return checkpoint.parts();
  if (text == "both") return {};
  if (text == "read") return kReadingParts;
  if (text == "draw") return kDrawingParts;
  if (text == "edit") return kEditingParts;
  fail(Code::bad_input, "halves \"", text, "\" is not one of auto, both, read, draw, edit");
}

int64_t count_parameters(const Model& model) {
  int64_t total = 0;
  const Config& config = model.config();
  for (const TensorSpec& tensor : list_tensors(config, config.layout, model.parts())) {
    total += tensor.count();
  }
  return total;
}

ModelInfo describe(const EngineOptions& options, const Model& model, const Setup& setup) {
  const Config& config = model.config();
  const LlamaConfig& llama = config.llama;
  ModelInfo info;
  const auto path = std::filesystem::weakly_canonical(options.checkpoint);
  info.name = path.filename().string();
  info.layout = layout_name(config.layout);
  info.hash = fingerprint_text(model.weights().fingerprint);
  info.backend = model.backend().name();
  info.weights = traits(setup.weights).name;
  info.adapters = options.adapters;
  info.cache = traits(setup.cache).name;
  info.threads = model.backend().threads();
  info.parallel = setup.at_once;
  info.parameters = count_parameters(model);
  info.reads = model.parts().reads();
  info.draws = model.parts().draws();
  info.edits = model.parts().edits();
  info.weight_bytes = model.weights().bytes;
  info.cache_token_bytes = KvCache::bytes(model.backend(), llama, setup.cache, 1) / kKvBlock;
  info.context = llama.context;
  info.width = llama.width;
  info.layers = llama.layers;
  info.heads = llama.heads;
  info.kv_heads = llama.kv_heads;
  info.vocabulary = llama.vocabulary;
  info.vision_image = config.vision.image;
  info.vision_tokens = config.vision.tokens();
  info.image = config.image;
  info.image_tokens = config.image_tokens();
  info.codes = config.vq.codes;
  return info;
}

}  // namespace

Engine::Engine(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

namespace {

std::vector<ScaledAdapter> read_adapters(const EngineOptions& options, const Config& config) {
  std::vector<ScaledAdapter> adapters;
  for (const LoraAdapter& one : options.adapters) {
    check(std::isfinite(one.scale), Code::bad_input, one.directory.string(), ": the scale is ",
          one.scale, "; it must be a number, such as 1 or 0.5");
    adapters.push_back({read_adapter(one.directory), one.scale});
  }
  check_adapters(config, adapters);
  return adapters;
}

// What the options and the checkpoint's small files say of an engine.
Setup look_at(const EngineOptions& options, const Checkpoint& checkpoint) {
  check(options.threads >= 0, Code::bad_input, "threads is ", options.threads,
        "; it must be 0 (all cores) or more");
  check(options.memory >= 0, Code::bad_input, "memory is ", options.memory,
        " bytes; it must be 0 (what is free) or more");
  check(options.ahead >= 0 && options.ahead <= kMostAhead, Code::bad_input, "ahead is ",
        options.ahead, "; it must be 0 (as many positions as pay) to ", kMostAhead);
  const Parts parts = parse_halves(options.halves, checkpoint);
  checkpoint.require(parts);
  const Config config = checkpoint.config();
  const std::shared_ptr<const TensorSource> source = checkpoint.source();
  check_tensors(config, *source, parts);  // sizes of another model's config mean nothing
  std::shared_ptr<const Backend> backend =
      open_backend(options.backend, options.threads, options.isa);
  const bool is_ref = backend->name() == "ref";
  constexpr std::array kCacheTypes = {Dtype::f32, Dtype::bf16, Dtype::q8};
  const Dtype weights = parse_type(options.weights, "weights", kWeightTypes,
                                   [&] { return is_ref ? Dtype::f32 : held_type(*source); });
  const Dtype cache =
      parse_type(options.cache, "cache", kCacheTypes, [&] { return cache_type(weights); });
  const bool tells = checkpoint.packed() || weights == Dtype::q4_k_m;
  return make_setup(config, std::move(backend), weights, cache, parts, options.memory,
                    read_adapters(options, config), tells ? source : nullptr);
}

void check_at_once(const EngineOptions& options) {
  check(options.pictures_at_once >= 1, Code::bad_input, "pictures at once is ",
        options.pictures_at_once, "; it must be 1 or more");
  check(options.parallel >= 0, Code::bad_input, "parallel is ", options.parallel,
        "; it must be 1 or more, or 0 for as many as fit");
}

// What is not said is as the checkpoint recommends.
std::vector<DrawRequest> completed(std::span<const DrawRequest> requests, float guidance) {
  std::vector<DrawRequest> whole(requests.begin(), requests.end());
  for (DrawRequest& request : whole) {
    if (!request.guidance) request.guidance = guidance;
  }
  return whole;
}

EditRequest completed(const EditRequest& request, float guidance) {
  EditRequest whole = request;
  if (!whole.drawing.guidance) whole.drawing.guidance = guidance;
  return whole;
}

float guidance_of(const Checkpoint& checkpoint) {
  return checkpoint.processor().guidance.value_or(kPublishedGuidance);
}

}  // namespace

Engine Engine::load(const EngineOptions& options) {
  check_at_once(options);
  // Small files first: what is wrong with them is found before gigabytes are read.
  Checkpoint checkpoint(options.checkpoint, options.mmproj);
  Setup setup = look_at(options, checkpoint);
  PromptBuilder prompts = load_prompts(checkpoint, options.on_warning, options.edit_layout);
  check_fits(plan_loading(setup));

  LoadOptions load;
  load.backend = setup.backend;
  load.weights = setup.weights;
  load.parts = setup.parts;
  load.adapters = setup.adapters;
  load.round_rope = options.round_rope;
  load.on_progress = [&](double fraction) {
    check(!options.on_load || options.on_load(fraction), Code::cancelled, "loading was stopped");
  };
  load.log = options.on_warning;
  Model model = Model::load(checkpoint, load);
  setup.loaded = true;
  setup.at_once =
      options.parallel > 0 ? options.parallel : std::max(together(setup), options.pictures_at_once);
  ModelInfo info = describe(options, model, setup);
  info.guidance = guidance_of(checkpoint);
  info.edit_layout = edit_layout_name(prompts.edits());
  info.image_guidance = image_guidance_of(prompts.edits());
  std::unique_ptr<Parts> loaded(new Parts{std::move(checkpoint),
                                          std::move(model),
                                          std::move(prompts),
                                          std::move(setup),
                                          options.pictures_at_once,
                                          std::move(info),
                                          nullptr,
                                          {},
                                          {},
                                          std::nullopt});
  loaded->scheduler.emplace(loaded->setup, loaded->model, options.remember, options.ahead);
  return Engine(std::move(loaded));
}

// --- requests ------------------------------------------------------------------------------------

std::shared_ptr<Task> Engine::Parts::task(std::span<const DrawRequest> requests,
                                          const DrawEvents& events) {
  check_draws();
  // What cannot be drawn is refused now.
  return task(draw_order(setup.config, prompts, completed(requests, info.guidance)), events);
}

std::shared_ptr<Task> Engine::Parts::task(const EditRequest& request, const DrawEvents& events) {
  const auto asked = order(request);
  if (asked->source) {
    checkpoint.require({});
    check(janus::Parts{}.within(setup.parts), Code::bad_input,
          "the engine was loaded without all of what an instruction needs; load it with halves "
          "\"both\"");
  } else {
    check_encodes();
  }
  return task(asked, events);
}

std::shared_ptr<const DrawOrder> Engine::Parts::order(const EditRequest& request) const {
  return edit_order(setup.config, prompts, completed(request, info.guidance));
}

std::shared_ptr<Task> Engine::Parts::task(std::shared_ptr<const DrawOrder> order,
                                          const DrawEvents& events) {
  check(events.partials >= 0, Code::bad_input, "partials is ", events.partials,
        "; it must be 0 or more");
  const auto plan = [this, order](const Setup& now) {
    return plan_drawing(now, *order, pictures_at_once);
  };
  const auto begin = [order, events](Task& task, const Shared& shared, const MemoryPlan& planned) {
    const auto on_step = [&task, on_step = events.on_step](const Progress& progress) {
      task.note(progress);
      return task.wanted() && (!on_step || on_step(progress)) && task.wanted();
    };
    const auto on_picture = [&task, on_picture = events.on_picture](Picture finished) {
      const Picture& picture = task.note(std::move(finished));
      if (on_picture) on_picture(picture);
    };
    return make_drawing(shared, order, planned.pictures_at_once, on_picture, on_step,
                        {events.partials, events.on_partial});
  };
  return Task::drawing(order->requests, info.image_tokens, {plan, begin});
}

void Engine::Parts::check_draws() const {
  checkpoint.require(kDrawingParts);
  check(info.draws, Code::bad_input,
        "the engine was loaded to read only; load it with halves \"draw\" or \"both\" to draw");
}

void Engine::Parts::check_encodes() const {
  checkpoint.require(kEditingParts);
  check(kEditingParts.within(setup.parts), Code::bad_input,
        "the engine was loaded without the codec's encoder, which an edit needs; load it with "
        "halves \"edit\" or \"both\"");
}

void Engine::Parts::check_reads() const {
  check(info.reads, Code::bad_input,
        "the engine was loaded to draw only; load it with halves \"read\" or \"both\" to ask");
}

std::shared_ptr<Task> Engine::Parts::task(const AskRequest& request, const OnText& on_text) {
  check_reads();
  const auto asked = std::make_shared<const AskRequest>(request);
  const AnswerShape shape = answer_shape(setup.config, prompts, request);
  const auto plan = [shape](const Setup& now) { return plan_asking(now, shape); };
  const auto begin = [this, asked, on_text](Task& task, const Shared& shared, const MemoryPlan&) {
    const auto watched = [&task, on_text](std::string_view piece) {
      task.note(piece);
      return task.wanted() && (!on_text || on_text(piece)) && task.wanted();
    };
    const auto on_answer = [&task](Answer answer) { task.note(std::move(answer)); };
    const auto on_token = [&task](AnswerToken token) { task.note(std::move(token)); };
    return make_asking(shared, prompts, asked, watched, on_answer, on_token);
  };
  return Task::asking({plan, begin});
}

std::shared_ptr<Task> Engine::Parts::task(const EmbedRequest& request) {
  check_reads();
  const auto asked = std::make_shared<const EmbedRequest>(request);
  const AnswerShape shape = embedding_shape(setup.config, prompts, request);
  const auto plan = [shape](const Setup& now) { return plan_asking(now, shape); };
  const auto begin = [this, asked](Task& task, const Shared& shared, const MemoryPlan&) {
    return make_embedding(
        shared, prompts, asked, [&task] { return task.wanted(); },
        [&task](Embedding embedding) { task.note(std::move(embedding)); });
  };
  return Task::embedding({plan, begin});
}

// --- memory --------------------------------------------------------------------------------------

Setup Engine::Parts::setup_now() const {
  Setup now = setup;
  now.kept = scheduler->kept_bytes();
  return now;
}

namespace {

// Of an engine that is not loaded. order_of(config, prompts, guidance) -> DrawOrder
template <class OrderOf>
MemoryPlan plan_unloaded(const EngineOptions& options, const OrderOf& order_of) {
  check_at_once(options);
  const Checkpoint checkpoint(options.checkpoint, options.mmproj);
  const Setup setup = look_at(options, checkpoint);
  const auto order = order_of(setup.config, load_prompts(checkpoint, {}, options.edit_layout),
                              guidance_of(checkpoint));
  return plan_drawing(setup, *order, options.pictures_at_once);
}

}  // namespace

MemoryPlan Engine::plan(const EngineOptions& options, std::span<const DrawRequest> requests) {
  return plan_unloaded(options,
                       [&](const Config& config, const PromptBuilder& prompts, float guidance) {
                         return draw_order(config, prompts, completed(requests, guidance));
                       });
}

MemoryPlan Engine::plan(const EngineOptions& options, const EditRequest& request) {
  return plan_unloaded(options,
                       [&](const Config& config, const PromptBuilder& prompts, float guidance) {
                         return edit_order(config, prompts, completed(request, guidance));
                       });
}

MemoryPlan Engine::plan(const EngineOptions& options, const AskRequest& request) {
  const Checkpoint checkpoint(options.checkpoint, options.mmproj);
  const Setup setup = look_at(options, checkpoint);
  return plan_asking(setup, answer_shape(setup.config, load_prompts(checkpoint), request));
}

MemoryPlan Engine::plan(const DrawRequest& request) const { return plan(std::span(&request, 1)); }

MemoryPlan Engine::plan(std::span<const DrawRequest> requests) const {
  const auto order =
      draw_order(parts_->setup.config, parts_->prompts, completed(requests, parts_->info.guidance));
  return plan_drawing(parts_->setup_now(), *order, parts_->pictures_at_once);
}

MemoryPlan Engine::plan(const EditRequest& request) const {
  return plan_drawing(parts_->setup_now(), *parts_->order(request), parts_->pictures_at_once);
}

MemoryPlan Engine::plan(const AskRequest& request) const {
  return plan_asking(parts_->setup_now(),
                     answer_shape(parts_->setup.config, parts_->prompts, request));
}

std::vector<Picture> Engine::draw(const DrawRequest& request, const DrawEvents& events) {
  return draw(std::span(&request, 1), events);
}

std::vector<Picture> Engine::draw(std::span<const DrawRequest> requests, const DrawEvents& events) {
  const std::shared_ptr<Task> task = parts_->task(requests, events);
  parts_->scheduler->run(task);
  return task->take_pictures();
}

std::vector<Picture> Engine::edit(const EditRequest& request, const DrawEvents& events) {
  const std::shared_ptr<Task> task = parts_->task(request, events);
  parts_->scheduler->run(task);
  return task->take_pictures();
}

Answer Engine::ask(const AskRequest& request, const OnText& on_text) {
  const std::shared_ptr<Task> task = parts_->task(request, on_text);
  parts_->scheduler->run(task);
  return task->answer();
}

Job Engine::submit(const DrawRequest& request, const DrawEvents& events) {
  return submit(std::span(&request, 1), events);
}

Embedding Engine::embed(const EmbedRequest& request) {
  const std::shared_ptr<Task> task = parts_->task(request);
  parts_->scheduler->run(task);
  return task->embedding();
}

Job Engine::submit(std::span<const DrawRequest> requests, const DrawEvents& events) {
  const std::shared_ptr<Task> task = parts_->task(requests, events);
  parts_->scheduler->submit(task);
  return Job(task);
}

Job Engine::submit(const EditRequest& request, const DrawEvents& events) {
  const std::shared_ptr<Task> task = parts_->task(request, events);
  parts_->scheduler->submit(task);
  return Job(task);
}

Job Engine::submit(const AskRequest& request, const OnText& on_text) {
  const std::shared_ptr<Task> task = parts_->task(request, on_text);
  parts_->scheduler->submit(task);
  return Job(task);
}

Job Engine::submit(const EmbedRequest& request) {
  const std::shared_ptr<Task> task = parts_->task(request);
  parts_->scheduler->submit(task);
  return Job(task);
}

double Engine::cache_use() const { return parts_->scheduler->cache_use(); }

int64_t Engine::prompt_tokens(const DrawRequest& request) const {
  return static_cast<int64_t>(parts_->prompts.draw(request.prompt).size());
}

const ModelInfo& Engine::info() const { return parts_->info; }

template <class... Request>
Job CDoor::run(Engine& engine, const Request&... request) {
  const std::shared_ptr<Task> task = engine.parts_->task(request...);
  engine.parts_->scheduler->run(task);
  return Job(task);
}

Job CDoor::draw(Engine& engine, std::span<const DrawRequest> requests, const DrawEvents& events) {
  return run(engine, requests, events);
}
Job CDoor::edit(Engine& engine, const EditRequest& request, const DrawEvents& events) {
  return run(engine, request, events);
}
Job CDoor::ask(Engine& engine, const AskRequest& request, const OnText& on_text) {
  return run(engine, request, on_text);
}
Job CDoor::embed(Engine& engine, const EmbedRequest& request) { return run(engine, request); }

}  // namespace janus
