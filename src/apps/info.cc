// `januspro info`: what is in a checkpoint and what it takes in memory, without loading its
// weights. SPDX-License-Identifier: MIT
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/command.h"
#include "base/error.h"
#include "kernels/open.h"
#include "model/checkpoint_check.h"
#include "model/gguf_names.h"
#include "model/kv_cache.h"
#include "model/weight_names.h"

namespace janus {

namespace {

// Numbers of each group of tensors, by the type they are stored in; and all together.
struct Stored {
  nlohmann::ordered_json groups = nlohmann::ordered_json::object();
  std::set<std::string> types;
  int64_t parameters = 0, bytes = 0;

  Stored(const Config& config, const Parts& parts, Layout layout, const StoredTensors& tensors) {
    for (const FieldTensors& field : list_fields(config, parts)) {
      const std::string group(tensor_group(field.of(Layout::transformers).front().name));
      for (const TensorSpec& tensor : field.of(layout)) {
        const std::string type(traits(tensors.at(tensor.name).dtype).name);
        nlohmann::ordered_json& count = groups[group][type];
        count = (count.is_null() ? 0 : count.get<int64_t>()) + tensor.count();
        parameters += tensor.count();
      }
    }
    for (const auto& [name, tensor] : tensors) {
      types.emplace(traits(tensor.dtype).name);
      bytes += std::ssize(tensor.data);
    }
  }
};

// Keys and values of pictures drawn side by side: two rows each, behind a prompt of usual length.
constexpr int64_t kUsualPrompt = 32;

class InfoVerb {
 public:
  InfoVerb(CLI::App& app);
  void run();

 private:
  nlohmann::ordered_json describe(const Checkpoint& checkpoint) const;
  nlohmann::ordered_json memory(const Config& config, int64_t parameters) const;

  ModelFlags flags_;
  std::string named_;
  bool json_ = false;
};

InfoVerb::InfoVerb(CLI::App& app) {
  app.add_option("MODEL", named_, "Checkpoint directory, .gguf or pulled model, as -m");
  app.add_flag("--json", json_, "One JSON object");
  flags_.add_model(app);
  flags_.add_backend(app);
  app.footer("Example:\n  januspro info Janus-Pro-1B");
}

nlohmann::ordered_json InfoVerb::memory(const Config& config, int64_t parameters) const {
  const auto backend = open_backend(flags_.backend_name(), flags_.threads, flags_.isa);
  nlohmann::ordered_json plan{{"backend", backend->name()}, {"threads", backend->threads()}};
  const int64_t positions = kUsualPrompt + config.image_tokens() - 1;
  for (const Dtype type : {Dtype::f32, Dtype::bf16}) {
    const auto room = [&](int64_t blocks) {
      return KvCache::bytes(*backend, config.llama, type, blocks);
    };
    nlohmann::ordered_json part{{"weights", parameters * traits(type).bytes},
                                {"token", room(1) / kKvBlock}};
    for (const int64_t pictures : {1, 4, 8, 16}) {
      part["pictures_" + std::to_string(pictures)] =
          room(2 * pictures * KvCache::blocks_for(positions));
    }
    plan[std::string(traits(type).name)] = part;
  }
  return plan;
}

nlohmann::ordered_json InfoVerb::describe(const Checkpoint& checkpoint) const {
  const Config config = checkpoint.config();
  const Parts parts = checkpoint.parts();
  const StoredTensors tensors = checkpoint.tensors();
  const Layout layout = check_tensors(config, *checkpoint.source(), parts);
  const Stored stored(config, parts, layout, tensors);
  const LlamaConfig& llama = config.llama;
  const VisionConfig& vision = config.vision;
  const VqConfig& vq = config.vq;
  nlohmann::ordered_json values{{"path", checkpoint.path().string()},
                                {"layout", layout_name(config.layout)},
                                {"tensors", tensors.size()},
                                {"parameters", stored.parameters},
                                {"bytes", stored.bytes},
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
  values["memory"] = memory(config, stored.parameters);
  return values;
}

// key  value, one a line; groups as key.key.
void print_table(const nlohmann::ordered_json& values, const std::string& prefix) {
  for (const auto& [key, value] : values.items()) {
    if (value.is_object()) {
      print_table(value, prefix + key + ".");
      continue;
    }
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    const bool is_size = value.is_number() && (key == "bytes" || key == "weights" ||
                                               key == "token" || key.starts_with("pictures"));
    if (is_size) text += "  (" + size_text(value.get<int64_t>()) + ")";
    std::string name = prefix + key;
    name.resize(std::max<size_t>(name.size() + 2, 28), ' ');
    print(name + text + "\n");
  }
}

void InfoVerb::run() {
  if (!named_.empty() && !flags_.model.empty()) {
    throw UsageError("info: give the model once, by its name or with -m");
  }
  if (!named_.empty()) flags_.model = named_;
  const nlohmann::ordered_json values = describe(flags_.checkpoint());
  if (json_) return print(json_line(values));
  print_table(values, "");
}

}  // namespace

Run add_info(CLI::App& app, const Interrupt&) {
  const auto verb = std::make_shared<InfoVerb>(app);
  return [verb] { verb->run(); };
}

}  // namespace janus
