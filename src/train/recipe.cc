// See recipe.h. What [[data]] says is read in recipe_data.cc.
// SPDX-License-Identifier: MIT
#include "train/recipe.h"

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "base/error.h"
#include "train/recipe_data.h"
#include "train/stage.h"
#include "train/start.h"

namespace janus::train {
namespace {

bool states_sizes(const toml::table& root) {
  const toml::table* model = root["model"].as_table();
  if (!model) return false;
  constexpr std::string_view kSizes[] = {"image", "vq", "language", "vision"};
  return std::any_of(std::begin(kSizes), std::end(kSizes),
                     [model](std::string_view key) { return model->contains(key); });
}

void read_model(Section section, Recipe& recipe) {
  Config& config = recipe.model.config;
  section.read("init", recipe.model.init);
  section.read("codec", recipe.model.codec);
  section.read("tokenizer", recipe.model.tokenizer);
  section.read("image", config.image);
  Section vq = section.section("vq");
  vq.read("codes", config.vq.codes);
  vq.read("code_width", config.vq.code_width);
  vq.read("latent", config.vq.latent);
  vq.read("base", config.vq.base);
  std::vector<int64_t> multipliers(config.vq.multipliers.begin(), config.vq.multipliers.end());
  vq.read("multipliers", multipliers);
  config.vq.multipliers.assign(multipliers.begin(), multipliers.end());
  config.vq.decoder_multipliers = config.vq.multipliers;
  vq.read("blocks", config.vq.blocks);
  vq.read("groups", config.vq.groups);
  vq.finish();
  Section language = section.section("language");
  language.read("width", config.llama.width);
  language.read("layers", config.llama.layers);
  language.read("heads", config.llama.heads);
  language.read("mlp_width", config.llama.mlp_width);
  language.read("vocabulary", config.llama.vocabulary);
  language.read("context", config.llama.context);
  language.finish();
  Section vision = section.section("vision");
  vision.read("width", config.vision.width);
  vision.read("layers", config.vision.layers);
  vision.read("heads", config.vision.heads);
  vision.read("mlp_width", config.vision.mlp_width);
  vision.read("patch", config.vision.patch);
  vision.finish();
  section.finish();
}

// What random weights can be made for; sizes of a checkpoint are checked where it is read.
void complete_config(Config& config, const std::string& name) {
  LlamaConfig& llama = config.llama;
  const auto positive = [&](const char* key, int value) {
    check(value > 0, Code::bad_input, name, ": model.", key, " must be positive");
  };
  positive("image", config.image);
  positive("vq.codes", config.vq.codes);
  positive("vq.code_width", config.vq.code_width);
  positive("vq.latent", config.vq.latent);
  positive("vq.base", config.vq.base);
  positive("vq.blocks", config.vq.blocks);
  positive("vq.groups", config.vq.groups);
  positive("language.width", llama.width);
  positive("language.layers", llama.layers);
  positive("language.heads", llama.heads);
  positive("language.vocabulary", llama.vocabulary);
  positive("vision.width", config.vision.width);
  positive("vision.heads", config.vision.heads);
  positive("vision.patch", config.vision.patch);
  const size_t levels = config.vq.multipliers.size();
  check(levels >= 1 && levels <= 8, Code::bad_input, name, ": model.vq.multipliers has ", levels,
        " items, 1 to 8 are possible");
  check(config.image % config.vq.downsample() == 0, Code::bad_input, name,
        ": model.image = ", config.image, " is no multiple of ", config.vq.downsample(),
        ", what the codec halves it to");
  for (const int m : config.vq.multipliers) {
    check(m > 0 && (config.vq.base * m) % config.vq.groups == 0, Code::bad_input, name,
          ": model.vq.groups = ", config.vq.groups, " does not divide ", config.vq.base * m);
  }
  check(llama.width % llama.heads == 0 && (llama.width / llama.heads) % 2 == 0, Code::bad_input,
        name, ": model.language.width = ", llama.width, " makes no even head width with ",
        llama.heads, " heads");
  check(config.vision.width % config.vision.heads == 0, Code::bad_input, name,
        ": model.vision.width = ", config.vision.width, " is no multiple of its ",
        config.vision.heads, " heads");
  check(config.image % config.vision.patch == 0, Code::bad_input, name,
        ": model.image = ", config.image,
        " is no multiple of model.vision.patch = ", config.vision.patch);
  llama.kv_heads = llama.heads;
  llama.head_width = llama.width / llama.heads;
  config.vision.image = config.image;
  config.gen_head_width = llama.width;
}

void read_edit(Section& root, Recipe& r, const std::string& name) {
  EditLayout& used = r.model.processor.edit_layout;
  complete_edit_layout(r);
  std::string layout(edit_layout_name(used));
  Section edit = root.section("edit");
  edit.read("layout", layout);
  edit.read("drop_instruction", r.edit.drop_instruction);
  edit.read("drop_all", r.edit.drop_all);
  edit.read("drop_codes", r.edit.drop_codes);
  edit.read("drop_vectors", r.edit.drop_vectors);
  edit.read("changed", r.edit.changed);
  edit.finish();
  const auto known = find_edit_layout(layout);
  check(known.has_value(), Code::bad_input, name, ": edit.layout is neither und+gen nor janus4o");
  used = *known;
}

void read_training(Section& root, Recipe& r) {
  Section stage = root.section("stage");
  stage.read("modules", r.stage.modules);
  stage.read("train", r.stage.train);
  stage.read("freeze", r.stage.freeze);
  stage.read("lr_scale", r.stage.lr_scale);
  stage.finish();
  Section lora = root.section("lora");
  lora.read("rank", r.lora.rank);
  r.lora.alpha = 2 * static_cast<double>(r.lora.rank);
  lora.read("alpha", r.lora.alpha);
  lora.read("dropout", r.lora.dropout);
  lora.read("targets", r.lora.targets);
  lora.finish();
  Section optim = root.section("optim");
  optim.read("lr", r.optim.lr);
  optim.read("beta1", r.optim.beta1);
  optim.read("beta2", r.optim.beta2);
  optim.read("eps", r.optim.eps);
  optim.read("weight_decay", r.optim.weight_decay);
  optim.read("clip", r.optim.clip);
  optim.read("ema", r.optim.ema);
  optim.finish();
  Section schedule = root.section("schedule");
  schedule.read("kind", r.schedule.kind);
  schedule.read("warmup", r.schedule.warmup);
  schedule.read("steps", r.schedule.steps);
  schedule.read("floor", r.schedule.floor);
  schedule.finish();
  Section batch = root.section("batch");
  batch.read("micro", r.batch.micro);
  batch.read("accumulate", r.batch.accumulate);
  batch.read("max_len", r.batch.max_len);
  batch.read("pack", r.batch.pack);
  batch.read("checkpoint", r.batch.checkpoint);
  batch.read("workers", r.batch.workers);
  batch.finish();
}

void read_parallel(Section section, Recipe& r, const std::string& name) {
  auto zero = static_cast<int64_t>(r.parallel.sharing);
  section.read("zero", zero);
  section.finish();
  check(
      zero >= 0 && zero <= 2, Code::bad_input, name, ": parallel.zero = ", zero,
      "; 0 (every process keeps all), 1 (a part of the optimizer's state) and 2 (of the gradients "
      "too) are known");
  r.parallel.sharing = static_cast<Sharing>(zero);
}

void read_rest(Section& root, Recipe& r, const std::string& name) {
  read_parallel(root.section("parallel"), r, name);
  Section codec = root.section("codec");
  codec.read("crop", r.codec.crop);
  codec.read("crop_until", r.codec.crop_until);
  codec.read("beta", r.codec.beta);
  codec.read("revive_until", r.codec.revive_until);
  codec.finish();
  Section loss = root.section("loss");
  std::string norm = "token";
  loss.read("norm", norm);
  check(norm == "token" || norm == "sample" || norm == "task", Code::bad_input, name,
        ": loss.norm = \"", norm, "\", one of token, sample, task is expected");
  r.loss.norm = norm == "token"    ? LossNorm::token
                : norm == "sample" ? LossNorm::sample
                                   : LossNorm::task;
  loss.read("generate", r.loss.generate);
  loss.read("understand", r.loss.understand);
  loss.read("text", r.loss.text);
  loss.read("object", r.loss.object);
  loss.read("outline", r.loss.outline);
  loss.read("subject", r.loss.subject);
  loss.read("probe", r.loss.probe);
  loss.read("probe_until", r.loss.probe_until);
  loss.finish();
  Section preference = root.section("preference");
  preference.read("beta", r.preference.beta);
  preference.read("supervised", r.preference.supervised);
  preference.finish();
  Section checkpoint = root.section("checkpoint");
  checkpoint.read("every", r.checkpoint.every);
  checkpoint.read("keep", r.checkpoint.keep);
  checkpoint.finish();
  Section cache = root.section("cache");
  cache.read("codes", r.cache.codes);
  cache.finish();
  Section eval = root.section("eval");
  eval.read("every", r.eval.every);
  eval.read("samples", r.eval.samples);
  eval.read("guidance", r.eval.guidance);
  eval.read("prompts", r.eval.prompts);
  for (Section& ask : eval.sections("ask")) {
    auto& one = r.eval.ask.emplace_back();
    ask.read("question", one.question);
    ask.read("image", one.image);
    ask.finish();
    check(!one.question.empty(), Code::bad_input, name, ": an [[eval.ask]] has no question");
  }
  eval.finish();
  check(r.eval.every > 0 || (r.eval.prompts.empty() && r.eval.ask.empty()), Code::bad_input, name,
        ": eval.prompts and eval.ask are for reports, and eval.every is 0: there are none");
  Section log = root.section("log");
  log.read("every", r.log.every);
  log.read("tensorboard", r.log.tensorboard);
  log.finish();
}

template <class Need>
void check_lora(const Recipe& r, const Need& need) {
  need(r.lora.rank >= 0 && r.lora.rank <= 4096, "lora.rank is outside 0..4096");
  if (r.lora.rank == 0) return;
  need(r.lora.alpha > 0, "lora.alpha must be positive");
  need(r.lora.dropout >= 0 && r.lora.dropout < 1, "lora.dropout is outside 0..1, 1 excluded");
  need(!r.trains_codec(), "lora is for the language model; the codec has no such layers");
  need(!r.model.init.empty(), "lora adds to a model that is there: model.init is missing");
  need(r.stage.modules.empty() && r.stage.train.empty() && r.stage.freeze.empty(),
       "with lora nothing else is trained, lora.targets says what is; leave out stage.modules, "
       "stage.train and stage.freeze");
}

template <class Need>
void check_preference(const Recipe& r, const Need& need) {
  need(r.preference.beta >= 0 && r.preference.supervised >= 0,
       "preference.beta and preference.supervised must not be negative");
  need(r.preference.beta > 0 || r.preference.supervised <= 0,
       "preference.supervised is beside a preference; preference.beta is missing");
  if (r.preference.beta <= 0) return;
  need(!r.model.init.empty(),
       "a preference is learnt from a model that is there: model.init is missing");
  need(std::all_of(r.data.begin(), r.data.end(),
                   [](const Source& source) { return source.from_file(); }),
       "of a preference every row says what is worse (\"rejected\"), which rows of the world do "
       "not");
  need(r.loss.object <= 0 && r.edit.changed == 1,
       "loss.object and edit.changed weigh places; a preference is about whole pictures");
}

void check_ranges(const Recipe& r, const std::string& name) {
  const auto need = [&](bool ok, const char* what) {
    check(ok, Code::bad_input, name, ": ", what);
  };
  const std::set<std::string> precisions = {"auto", "f32", "bf16"};
  need(precisions.contains(r.precision), "precision is none of auto, f32, bf16");
  need(r.condition_drop >= 0 && r.condition_drop <= 1, "condition_drop is outside 0..1");
  double left = 1;
  for (double share :
       {r.edit.drop_instruction, r.edit.drop_all, r.edit.drop_codes, r.edit.drop_vectors})
    need(share >= 0 && (left -= share) > -1e-9, "edit.drop_… are shares of rows, together up to 1");
  need(r.edit.changed > 0, "edit.changed must be positive");
  need(r.schedule.steps > 0, "schedule.steps must be given and positive");
  const std::set<std::string> kinds = {"constant", "linear", "cosine"};
  need(kinds.contains(r.schedule.kind), "schedule.kind is none of constant, linear, cosine");
  need(r.schedule.floor >= 0 && r.schedule.floor <= 1, "schedule.floor is outside 0..1");
  need(r.stage.modules.empty() || !stage_modules(r.stage.modules).empty(),
       "stage.modules is none of \"stage1\", \"stage2\", \"stage3\"");
  need(r.stage.modules.empty() || !r.trains_codec(),
       "stage.modules is about the language model, no stage trains the codec; stage.train chooses "
       "parts of it");
  for (const auto& [pattern, factor] : r.stage.lr_scale) {
    check(factor > 0 && std::isfinite(factor), Code::bad_input, name, ": stage.lr_scale.\"",
          pattern, "\" must be positive; stage.freeze keeps parameters as they are");
  }
  check_lora(r, need);
  check_preference(r, need);
  need(r.optim.lr > 0 && r.optim.clip > 0, "optim.lr and optim.clip must be positive");
  need(r.optim.ema >= 0 && r.optim.ema < 1, "optim.ema is outside 0..1");
  need(r.batch.micro > 0 && r.batch.micro <= 4096, "batch.micro is outside 1..4096");
  need(r.batch.accumulate > 0, "batch.accumulate must be positive");
  need(!r.batch.checkpoint || !r.trains_codec(),
       "batch.checkpoint is about the layers of the language model and the vision tower; of the "
       "codec a smaller batch.micro or codec.crop takes less");
  need(r.batch.workers >= 1 && r.batch.workers <= 256, "batch.workers is outside 1..256");
  need(r.loss.object >= 0, "loss.object is negative");
  need(r.loss.generate >= 0 && r.loss.understand >= 0 && r.loss.text >= 0 &&
           r.loss.generate + r.loss.understand + r.loss.text > 0,
       "loss.generate, loss.understand and loss.text must not be negative, nor all 0");
  need(r.loss.norm == LossNorm::task ||
           (r.loss.generate == 1 && r.loss.understand == 1 && r.loss.text == 1),
       "loss.generate, loss.understand and loss.text weigh tasks where loss.norm is \"task\"; with "
       "token and sample the weights of [[data]] decide");
  const bool files = std::any_of(r.data.begin(), r.data.end(),
                                 [](const Source& source) { return source.from_file(); });
  need(!files || (r.loss.outline <= 0 && r.loss.subject <= 0 && r.loss.probe <= 0),
       "loss.outline, loss.subject and loss.probe need what the world knows of its pictures; rows "
       "of a file come without");
  need(r.checkpoint.every > 0 && r.checkpoint.keep > 0,
       "checkpoint.every and checkpoint.keep must be positive");
  need(r.log.every > 0, "log.every must be positive");
  need(r.codec.crop >= 0 && r.codec.crop <= r.model.config.image &&
           r.codec.crop % r.model.config.vq.downsample() == 0,
       "codec.crop must be a multiple of the codec's downsampling and at most model.image");
}

toml::table parse_table(const std::string& text, const std::string& name) {
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    fail(Code::bad_input, name, ", line ", error.source().begin.line, ": ", error.description());
  }
}

void merge(toml::table& into, toml::table&& from) {
  for (auto&& [key, node] : from) {
    toml::node* present = into.get(key);
    if (present && present->is_table() && node.is_table()) {
      merge(*present->as_table(), std::move(*node.as_table()));
    } else {
      into.insert_or_assign(key, std::move(node));
    }
  }
}

toml::table merged_table(const std::string& text, const std::string& name,
                         std::span<const std::string> overrides) {
  toml::table table = parse_table(text, name);
  for (const std::string& one : overrides) {
    const size_t equals = one.find('=');
    check(equals != std::string::npos && equals > 0, Code::bad_input, "--set ", one,
          ": section.key=value is expected");
    const std::string key = one.substr(0, equals);
    const std::string value = one.substr(equals + 1);
    toml::table extra;
    try {
      extra = toml::parse(one);
    } catch (const toml::parse_error&) {
      std::ostringstream quoted;
      quoted << toml::value<std::string>(value);
      extra = parse_table(key + " = " + quoted.str(), "--set " + one);
    }
    merge(table, std::move(extra));
  }
  return table;
}

}  // namespace

Recipe parse_recipe(const std::string& text, const std::string& name,
                    std::span<const std::string> overrides, const std::filesystem::path& start) {
  const toml::table table = merged_table(text, name, overrides);
  Recipe recipe;
  Section root(&table, "", name);
  root.read("seed", recipe.seed);
  root.read("precision", recipe.precision);
  root.read("condition_drop", recipe.condition_drop);
  read_model(root.section("model"), recipe);
  const bool sized = states_sizes(table);
  if (sized) complete_config(recipe.model.config, name);
  if (!recipe.model.init.empty()) {
    const Start from = start_of(start.empty() ? std::filesystem::path(recipe.model.init) : start);
    if (!sized) recipe.model.config = from.config;
    recipe.model.processor = from.processor;
    recipe.eval.guidance = from.processor.guidance.value_or(recipe.eval.guidance);
  }
  check(sized || !recipe.model.init.empty(), Code::bad_input, name,
        ": neither model.init nor sizes (model.image, model.vq, model.language, model.vision)");
  read_data(root, recipe, name);
  read_edit(root, recipe, name);
  read_training(root, recipe);
  read_rest(root, recipe, name);
  root.finish();
  check_ranges(recipe, name);
  return recipe;
}

std::string merge_recipe(const std::string& text, const std::string& name,
                         std::span<const std::string> overrides) {
  std::ostringstream out;
  out << merged_table(text, name, overrides) << '\n';
  return out.str();
}

}  // namespace janus::train
