// `januspro info`: what is in a checkpoint and what it takes in memory, without loading its
// weights. SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/command.h"
#include "apps/quality_record.h"
#include "base/error.h"
#include "base/free_memory.h"
#include "generate/load.h"
#include "generate/plan.h"
#include "kernels/open.h"
#include "model/checkpoint_check.h"
#include "model/gguf_names.h"
#include "model/storage.h"
#include "model/weight_names.h"

namespace janus {

namespace {

// Numbers of each group of tensors, by the type they are stored in; and all together.
struct Stored {
  nlohmann::ordered_json groups = nlohmann::ordered_json::object();
  std::set<std::string> types;
  int64_t parameters = 0, bytes = 0;

  Stored(const Config& config, const Parts& parts, Layout layout, const TensorSource& source,
         const StoredTensors& tensors) {
    for (const FieldTensors& field : list_fields(config, parts)) {
      const std::string group(tensor_group(field.of(Layout::transformers).front().name));
      for (const TensorSpec& tensor : field.of(layout)) {
        const std::string type(traits(source.stored(tensor.name).value_or(Dtype::f32)).name);
        types.insert(type);
        nlohmann::ordered_json& count = groups[group][type];
        count = (count.is_null() ? 0 : count.get<int64_t>()) + tensor.count();
        parameters += tensor.count();
      }
    }
    for (const auto& [name, tensor] : tensors) {
      bytes += std::ssize(tensor.data);
    }
  }
};

// A prompt of usual length, and the longest answer that ask gives unless told otherwise.
constexpr int64_t kUsualPrompt = 32;
constexpr int64_t kUsualAnswer = 512;

class InfoVerb {
 public:
  InfoVerb(CLI::App& app);
  void run();

 private:
  nlohmann::ordered_json describe(const Checkpoint& checkpoint) const;
  nlohmann::ordered_json memory(const Checkpoint& checkpoint, const Config& config) const;
  nlohmann::ordered_json line(const Setup& setup, bool draws, int64_t pictures) const;
  Dtype type_of(const std::string& flag, Dtype otherwise) const;

  ModelFlags flags_;
  std::vector<int64_t> pictures_ = {1, 4, 8, 16};
  int64_t context_ = 0;
  std::string named_;
  bool json_ = false;
};

InfoVerb::InfoVerb(CLI::App& app) {
  app.add_option("MODEL", named_, "Checkpoint directory, .gguf or pulled model, as -m");
  app.add_flag("--json", json_, "One JSON object");
  app.add_option(
         "--images", pictures_,
         "Pictures drawn side by side, or asked about in one question as far as the context "
         "goes, one line each")
      ->delimiter(',')
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option(
         "--context", context_,
         "Tokens of prompt and answer or picture (default: a short prompt, an answer of 512)")
      ->check(CLI::Range(1, 1 << 24));
  flags_.add_model(app);
  flags_.add_backend(app);
  flags_.add_storage(app);
  flags_.add_memory(app);
  app.footer("Example:\n  januspro info Janus-Pro-1B --type bf16 --images 1,8 --memory 8G");
}

Dtype InfoVerb::type_of(const std::string& flag, Dtype otherwise) const {
  return dtype_named(flag).value_or(otherwise);
}

// In a question: their vectors and the marks around them.
int64_t tokens_of_pictures(const Config& config, int64_t pictures) {
  return pictures * (config.vision.tokens() + 2);
}

// One line of the table: what that work takes, and whether it fits.
nlohmann::ordered_json InfoVerb::line(const Setup& setup, bool draws, int64_t pictures) const {
  const Config& config = setup.config;
  MemoryPlan plan;
  int64_t context = context_;
  if (draws) {
    const int64_t codes = config.image_tokens() - 1;
    if (context == 0) context = kUsualPrompt + codes;
    const BatchShape shape = batch_shape(config, pictures, std::max<int64_t>(1, context - codes));
    context = shape.positions;
    plan = plan_shape(setup, shape, pictures);
  } else {
    const int64_t read = tokens_of_pictures(config, pictures);
    const int64_t prompt = kUsualPrompt + read;
    if (context == 0) context = prompt + kUsualAnswer;
    context = std::clamp(context, read + 1, int64_t{config.llama.context});
    const int64_t side = config.vision.image;
    plan = plan_shape(setup, AnswerShape{std::min(prompt, context), context, pictures,
                                         pictures * side * side * 3});
  }
  return {{"work", draws ? "draw" : "ask"},
          {"weights_type", traits(setup.weights).name},
          {"cache_type", traits(setup.cache).name},
          {"pictures", pictures},
          {"context", context},
          {"weights", plan.weights},
          {"cache", plan.cache},
          {"scratch", plan.scratch},
          {"pixels", plan.pictures},
          {"program", plan.program},
          {"total", plan.total()},
          {"fits", plan.fits()}};
}

nlohmann::ordered_json InfoVerb::memory(const Checkpoint& checkpoint, const Config& config) const {
  check(context_ <= config.llama.context, Code::bad_input, "--context ", context_,
        " is more than the model's context of ", config.llama.context);
  const std::shared_ptr<const Backend> backend =
      open_backend(flags_.backend_name(), flags_.threads, flags_.isa);
  const std::shared_ptr<const TensorSource> source = checkpoint.source();
  nlohmann::ordered_json lines = nlohmann::ordered_json::array();
  nlohmann::ordered_json memory{{"backend", backend->name()}, {"threads", backend->threads()}};
  for (const Parts& half : {kReadingParts, kDrawingParts}) {
    if (!half.within(checkpoint.parts())) continue;
    for (const Dtype type : kWeightTypes) {
      if (type_of(flags_.type, type) != type) continue;
      if (flags_.type == "auto" && !has_whole_rows(config, type)) continue;
      const Dtype cache = type_of(flags_.cache, cache_type(type));
      const Setup setup = make_setup(config, backend, type, cache, half, flags_.memory, {}, source);
      memory["limit"] = plan_loading(setup).limit;
      for (const int64_t pictures : pictures_) {
        const bool too_many = tokens_of_pictures(config, pictures) >= config.llama.context;
        if (half.draws() || !too_many) lines.push_back(line(setup, half.draws(), pictures));
      }
    }
  }
  memory["plans"] = lines;
  return memory;
}

nlohmann::ordered_json InfoVerb::describe(const Checkpoint& checkpoint) const {
  const Config config = checkpoint.config();
  const Parts parts = checkpoint.parts();
  const StoredTensors tensors = checkpoint.tensors();
  const auto source = checkpoint.source();
  const Layout layout = check_tensors(config, *source, parts);
  const Stored stored(config, parts, layout, *source, tensors);
  const LlamaConfig& llama = config.llama;
  const VisionConfig& vision = config.vision;
  const VqConfig& vq = config.vq;
  nlohmann::ordered_json values{{"path", checkpoint.path().string()},
                                {"layout", layout_name(config.layout)},
                                {"tensors", tensors.size()},
                                {"parameters", stored.parameters},
                                {"bytes", stored.bytes},
                                {"packed", checkpoint.packed()},
                                {"types", stored.types},
                                {"stored", stored.groups},
                                {"language",
                                 {{"width", llama.width},
                                  {"layers", llama.layers},
                                  {"heads", llama.heads},
                                  {"kv_heads", llama.kv_heads},
                                  {"head_width", llama.head_width},
                                  {"mlp_width", llama.mlp_width},
                                  {"vocabulary", llama.vocabulary},
                                  {"context", llama.context}}},
                                {"vision",
                                 {{"image", vision.image},
                                  {"patch", vision.patch},
                                  {"tokens", vision.tokens()},
                                  {"width", vision.width},
                                  {"layers", vision.layers},
                                  {"heads", vision.heads}}}};
  if (parts.draws()) {
    values["codec"] = {{"image", config.image},    {"tokens", config.image_tokens()},
                       {"codes", vq.codes},        {"code_width", vq.code_width},
                       {"base_channels", vq.base}, {"latent", vq.latent}};
  }
  if (const auto quality = checkpoint.quality()) {
    values["quality"] = parse_quality(*quality, checkpoint.name() + ": its quality");
  }
  values["memory"] = memory(checkpoint, config);
  return values;
}

// What each work would take, one a line.
void print_plans(const nlohmann::ordered_json& plans) {
  char text[200];
  std::snprintf(text, sizeof text, "\n%-5s %-8s %-5s %8s %8s %10s %10s %10s %10s %10s  %s\n",
                "work", "weights", "cache", "pictures", "context", "weights", "cache", "scratch",
                "pixels", "in all", "fits");
  print(text);
  for (const nlohmann::ordered_json& plan : plans) {
    const auto size = [&](const char* key) { return size_text(plan[key].get<int64_t>()); };
    const auto word = [&](const char* key) { return plan[key].get<std::string>(); };
    std::snprintf(text, sizeof text, "%-5s %-8s %-5s %8lld %8lld %10s %10s %10s %10s %10s  %s\n",
                  word("work").c_str(), word("weights_type").c_str(), word("cache_type").c_str(),
                  plan["pictures"].get<long long>(), plan["context"].get<long long>(),
                  size("weights").c_str(), size("cache").c_str(), size("scratch").c_str(),
                  size("pixels").c_str(), size("total").c_str(),
                  plan["fits"].get<bool>() ? "yes" : "no");
    print(text);
  }
}

// key  value, one a line; groups as key.key.
void print_table(const nlohmann::ordered_json& values, const std::string& prefix) {
  for (const auto& [key, value] : values.items()) {
    if (value.is_object()) {
      print_table(value, prefix + key + ".");
      continue;
    }
    if (key == "plans") {
      print_plans(value);
      continue;
    }
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    const bool is_size = value.is_number() && (key == "bytes" || key == "limit");
    if (is_size) text += "  (" + size_text(value.get<int64_t>()) + ")";
    std::string name = prefix + key;
    name.resize(std::max<size_t>(name.size() + 2, 28), ' ');
    print(name + text + "\n");
  }
}

void print_quality(const nlohmann::ordered_json& lines) {
  if (lines.empty()) return;
  print("\n" + quality_heading(lines[0]));
  for (const nlohmann::ordered_json& line : lines) print(quality_row(line));
}

void InfoVerb::run() {
  if (!named_.empty() && !flags_.model.empty()) {
    throw UsageError("info: give the model once, by its name or with -m");
  }
  if (!named_.empty()) flags_.model = named_;
  const nlohmann::ordered_json values = describe(flags_.checkpoint());
  if (json_) return print(json_line(values));
  nlohmann::ordered_json table = values;
  table.erase("quality");
  print_table(table, "");
  if (values.contains("quality")) print_quality(values["quality"]);
}

}  // namespace

Run add_info(CLI::App& app, const Interrupt&) {
  const auto verb = std::make_shared<InfoVerb>(app);
  return [verb] { verb->run(); };
}

}  // namespace janus
