// A recipe: everything that decides a training run, read from a TOML file. Every key is known and
// checked here; an unknown one is refused with its place. The keys are documented in
// docs/training.md. No libtorch in this header.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/processor_config.h"
#include "model/config.h"

namespace janus::train {

// What a row teaches. `reconstruct` trains the codec alone; the others train the language model
// with its towers, the codec frozen. Rows of a file say themselves which.
enum class Teaches { reconstruct, generate, understand, edit };

struct Source {
  std::string path;              // "toyland" or "toyland/STREAM": the built-in world; or a file
  std::string stream;            // of world/streams.h
  std::string format = "world";  // or one of file_formats()
  Teaches task = Teaches::reconstruct;
  double weight = 1;
  int64_t samples = 0;      // only so many different ones, over and over; 0: never the same twice
  int64_t turns = 1;        // questions about a picture, at most
  int64_t max_broken = -1;  // rows that cannot be used, at most; -1: one in a hundred
  // Of pictures with a caption or a class: what is drawn from, {} standing for it, or asked.
  std::vector<std::string> templates;
  std::string images;  // of LLaVA's form: what paths of pictures are relative to, if not its folder
  bool from_file() const { return format != "world"; }
};

// Formats of what people bring: "jsonl" and "llava" (row_file.h), "folder" and "classes"
// (picture_folders.h), "webdataset" (tar_rows.h).
std::span<const std::string_view> file_formats();

// What of a training its processes keep a part of each: nothing, the optimizer's state, the
// gradients too.
enum class Sharing { none, state, gradients };

// How the loss of a step averages over its targets: shares.h.
enum class LossNorm { token, sample, task };

struct Recipe {
  uint64_t seed = 1;
  // Of matrix products and convolutions: "f32", "bf16", or "auto", which a run replaces by the
  // faster of both on its machine before it begins.
  std::string precision = "f32";
  double condition_drop = 0.1;  // share of drawing prompts replaced by pads

  struct {
    std::string init;       // checkpoint directory to start from; empty: random weights
    std::string codec;      // checkpoint directory whose codec alone is taken
    std::string tokenizer;  // tokenizer.json; empty: the one of init, else one trained on the data
    Config config;          // sizes: as stated, else those of init
    // How the model is talked to: as init is, else without a system prompt.
    ProcessorConfig processor{.system_prompt = "",
                              .image_tokens = {},
                              .guidance = {},
                              .image_id = {},
                              .boi_id = {},
                              .roles = {},
                              .edit_layout = EditLayout::none};
  } model;
  struct {
    std::string modules;              // "stage1" .. "stage3": a published freeze table; or empty
    std::vector<std::string> train;   // name patterns; empty: everything the task can train
    std::vector<std::string> freeze;  // taken away from those
    std::map<std::string, double> lr_scale;  // name pattern -> factor of optim.lr
  } stage;
  struct {             // a low-rank adapter is trained in place of the parameters
    int64_t rank = 0;  // 0: none
    double alpha = 0;  // the addition counts alpha / rank; by default twice the rank
    double dropout = 0;
    std::vector<std::string> targets = {
        "model.language_model.*.q_proj", "model.language_model.*.k_proj",
        "model.language_model.*.v_proj", "model.language_model.*.o_proj"};  // name patterns
  } lora;
  std::vector<Source> data;
  struct {
    double lr = 1e-3;
    double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
    double weight_decay = 0;
    double clip = 1;  // global norm of the gradient
    double ema = 0;   // decay of the averaged weights; 0: none kept
  } optim;
  struct {
    std::string kind = "constant";  // constant, linear, cosine
    int64_t warmup = 0;
    int64_t steps = 0;
    double floor = 0;  // share of lr at the last step
  } schedule;
  struct {
    int64_t micro = 16;       // samples per forward pass
    int64_t accumulate = 1;   // passes per optimizer step
    int64_t max_len = 320;    // positions; longer samples are refused
    int64_t workers = 2;      // threads that make rows ahead of the step
    bool pack = false;        // several samples in a sequence of max_len, apart from each other
    bool checkpoint = false;  // layers keep their inputs alone: recompute.h
  } batch;
  struct {
    Sharing sharing = Sharing::none;  // zero = 0, 1, 2; of many processes
  } parallel;
  struct {
    int crop = 0;               // pictures are cut to crop x crop around an object; 0: whole
    double crop_until = 0;      // for this share of the steps, whole pictures after
    double beta = 0.25;         // weight of the commitment
    double revive_until = 0.7;  // dead codes are replaced for this share of the steps
  } codec;
  // What of an edit's condition is replaced by pads, each for a share of the rows, at most one of
  // them: guidance needs a model that knows its parts.
  struct {
    double drop_instruction = .05;
    double drop_all = .05;
    double drop_codes = .3;     // of the source
    double drop_vectors = .05;  // … as it is read
    double changed = 1;         // what a code counts that differs from the source's, others 1
  } edit;
  struct {  // of the language model
    LossNorm norm = LossNorm::token;
    double generate = 1;  // weights of the tasks where norm is `task`
    double understand = 1;
    double text = 1;
    // What helps to train counts with its task: these are shares of the task's own loss.
    double object = 0;         // codes and patches that an object covers count 1 + object times
    double outline = 0;        // outputs that draw tell which of the next cells the object touches
    double subject = 0;        // outputs that draw tell class and colour of what is drawn
    double probe = 0;          // patches of the vision tower tell class and colour
    double probe_until = 0.5;  // for this share of the steps
  } loss;
  // Rows say besides what is to be given what is worse, and the loss is that of preference.h.
  struct {
    double beta = 0;        // how far it may leave the model it starts from; 0: no preference
    double supervised = 0;  // weight of the plain loss of what is chosen, beside it
  } preference;
  struct {
    int64_t every = 500;  // steps
    int64_t keep = 2;     // newest checkpoints kept
  } checkpoint;
  struct {
    std::string codes;  // folder of code_cache.h; empty: "codes" in the run; "none"
  } cache;
  struct {
    int64_t every = 0;  // steps; 0: never
    int64_t samples = 200;
    double guidance = 4;
    std::vector<std::string> prompts;  // drawn at every report, to be looked at
    struct Ask {
      std::string question, image;  // image: a file, empty for none
    };
    std::vector<Ask> ask;  // … and answered
  } eval;
  struct {
    int64_t every = 20;  // steps per progress line
    bool tensorboard = true;
  } log;

  // Whether what is learnt is a difference from model.init, which is then needed to resume.
  bool measures_from_init() const { return lora.rank > 0 || preference.beta > 0; }
  // The longest sequence of several samples; 0 where each has one of its own.
  int64_t packed_length() const { return batch.pack ? batch.max_len : 0; }
  bool trains_codec() const { return data.front().task == Teaches::reconstruct; }
};

// `overrides`: "section.key=value" as TOML; a value that is not TOML is taken as a string. What
// model.init is like is read from it, or from `start`, where a run has kept it (start.h). Throws
// Code::bad_input naming file, key and cure.
Recipe parse_recipe(const std::string& toml, const std::string& name,
                    std::span<const std::string> overrides = {},
                    const std::filesystem::path& start = {});

// The recipe with the overrides merged in, as TOML text: what a run keeps beside its checkpoints.
std::string merge_recipe(const std::string& toml, const std::string& name,
                         std::span<const std::string> overrides);

}  // namespace janus::train
