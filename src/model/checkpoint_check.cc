// SPDX-License-Identifier: MIT
#include "model/checkpoint_check.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/weight_names.h"

namespace janus {
namespace {

constexpr size_t kShown = 12;  // lines of one kind in a message; the rest are counted

using Shapes = std::map<std::string, std::vector<int64_t>>;

// By the first words of the names; no two kinds occur together.
Layout layout_of(const Shapes& shapes, const std::string& where) {
  const auto has = [&](const std::string& prefix) {
    const auto found = shapes.lower_bound(prefix);
    return found != shapes.end() && found->first.starts_with(prefix);
  };
  if (has("language_model.") || has("gen_vision_model.")) return Layout::official;
  if (has("model.language_model.") || has("model.vqmodel.")) return Layout::transformers;
  if (has("lm.") || has("vq.")) return Layout::gguf;
  if (has("blk.") || has("v.blk.")) return Layout::llama_cpp;
  fail(Code::bad_checkpoint, where, ": none of its ", shapes.size(),
       " tensors has a name of Janus-Pro", shapes.empty() ? "" : ", the first is ",
       shapes.empty() ? "" : shapes.begin()->first.substr(0, 80),
       "; is it another model, or does it lack the prefix \"model.\"?");
}

struct Problems {
  std::vector<std::string> missing, misshaped, unknown;
  bool head_missing = false;
  size_t count() const { return missing.size() + misshaped.size() + unknown.size(); }
};

// Where the sizes of a model are stated.
std::string sizes_of(Layout layout) {
  const bool file = layout == Layout::gguf || layout == Layout::llama_cpp;
  return file ? "its metadata" : "config.json";
}

// The language tower's size, which tells the published models apart.
struct Size {
  int64_t width = 0, layers = 0;

  std::string text() const {
    const std::string numbers =
        "width " + std::to_string(width) + ", " + std::to_string(layers) + " layers";
    if (width == 2048 && layers == 24) return "Janus-Pro-1B (" + numbers + ")";
    if (width == 4096 && layers == 30) return "Janus-Pro-7B (" + numbers + ")";
    return "a model of " + numbers;
  }
};

// As the weights of a directory have it; zeros where they do not show it.
Size size_of(const Shapes& shapes, Layout layout) {
  const std::string tower =
      layout == Layout::official ? "language_model.model." : "model.language_model.";
  Size size;
  const auto norm = shapes.find(tower + "norm.weight");
  if (norm != shapes.end() && norm->second.size() == 1) size.width = norm->second[0];
  while (true) {
    const std::string block = tower + "layers." + std::to_string(size.layers) + ".";
    const auto first = shapes.lower_bound(block);
    if (first == shapes.end() || !first->first.starts_with(block)) return size;
    ++size.layers;
  }
}

// Weights and config.json of two sizes, in words; "" where that is not what is wrong. Fewer layers
// alone may be a missing file.
std::string other_size_text(const Config& config, Layout layout, const Shapes& shapes) {
  if (layout != Layout::official && layout != Layout::transformers) return "";
  const Size stated{config.llama.width, config.llama.layers}, there = size_of(shapes, layout);
  const bool other = there.width > 0 && there.layers > 0 &&
                     (there.width != stated.width || there.layers > stated.layers);
  if (!other) return "";
  return ": the weights are those of " + there.text() + ", config.json describes " + stated.text() +
         "; take the config.json that belongs to the weights";
}

Problems compare(const Config& config, const Parts& parts, Layout layout, const Shapes& shapes) {
  Problems problems;
  std::set<std::string> known;
  for (const TensorSpec& spec : list_tensors(config, layout)) known.insert(spec.name);
  for (const TensorSpec& spec : list_tensors(config, layout, parts)) {
    const auto found = shapes.find(spec.name);
    if (found == shapes.end()) {
      problems.missing.push_back(spec.name + " " + shape_text(spec.shape));
      problems.head_missing |=
          spec.name.ends_with("lm_head.weight") || spec.name == "output.weight";
    } else if (found->second != spec.shape) {
      problems.misshaped.push_back(spec.name + " is " + shape_text(found->second) + ", " +
                                   sizes_of(layout) + " says " + shape_text(spec.shape));
    }
  }
  for (const auto& [name, shape] : shapes) {
    if (known.count(name) || is_ignored_tensor(name)) continue;
    problems.unknown.push_back(name.substr(0, 200) + " " + shape_text(shape));
  }
  return problems;
}

void list(std::string& text, const std::string& title, const std::vector<std::string>& lines,
          const std::string& cause) {
  if (lines.empty()) return;
  text += "\n" + title + " (" + cause + "):";
  for (size_t i = 0; i < std::min(lines.size(), kShown); ++i) text += "\n  " + lines[i];
  if (lines.size() > kShown) {
    text += "\n  and " + std::to_string(lines.size() - kShown) + " more";
  }
}

bool any_contains(const std::vector<std::string>& lines, const std::string& word) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(word) != std::string::npos; });
}

// `why`: what is known of the cause, or "".
std::string text_of(const Problems& p, const std::string& where, Layout layout,
                    const std::string& why) {
  const bool other_size = !p.misshaped.empty() || (!p.missing.empty() && !p.unknown.empty());
  const std::string sizes = sizes_of(layout);
  const std::string mixed = layout == Layout::llama_cpp
                                ? "are the two files from different models?"
                                : "is " + sizes + " from another size of the model?";
  std::string text = where + ": " + std::to_string(p.count()) +
                     (p.count() == 1 ? " tensor does" : " tensors do") + " not fit " + sizes + why;
  list(text, "of another shape", p.misshaped, mixed);
  list(
      text, "missing", p.missing,
      p.head_missing && p.missing.size() == 1
          ? "the output matrix is separate and never taken from the embeddings; was the file saved "
            "with tied weights?"
      : other_size ? mixed
                   : "is a file of the checkpoint missing?");
  list(text, "unknown", p.unknown,
       any_contains(p.unknown, "lora_") ? "merge the adapter into the model first"
       : other_size                     ? mixed
                                        : "does the checkpoint hold another model besides?");
  return text;
}

}  // namespace

Layout check_tensors(const Config& config, const TensorSource& source, const Parts& parts) {
  const Shapes shapes = source.shapes();
  const Layout layout = layout_of(shapes, source.name());
  const Problems problems = compare(config, parts, layout, shapes);
  if (problems.count() > 0) {
    const std::string why = other_size_text(config, layout, shapes);
    fail(Code::bad_checkpoint, text_of(problems, source.name(), layout, why));
  }
  return layout;
}

}  // namespace janus
