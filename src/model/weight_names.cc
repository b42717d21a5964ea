// SPDX-License-Identifier: MIT
#include "model/weight_names.h"

#include <utility>

#include "model/gguf_names.h"

namespace janus {
namespace {

// A name in both layouts.
struct Name {
  std::string official;
  std::string transformers;

  Name operator+(const std::string& suffix) const {
    return {official + suffix, transformers + suffix};
  }
  Name operator+(const Name& suffix) const {
    return {official + suffix.official, transformers + suffix.transformers};
  }
};

Name number(int i) { return {"." + std::to_string(i), "." + std::to_string(i)}; }

// Shapes in a .gguf are those of the transformers layout.
FieldTensors in_all_layouts(std::vector<TensorSpec> official,
                            std::vector<TensorSpec> transformers) {
  std::vector<TensorSpec> gguf, llama_cpp;
  for (const TensorSpec& tensor : transformers) {
    gguf.push_back({gguf_name(tensor.name), tensor.shape});
    const std::string name = llama_cpp_name(tensor.name);
    if (!name.empty()) llama_cpp.push_back({name, tensor.shape});
  }
  return {{std::move(official), std::move(transformers), std::move(gguf), std::move(llama_cpp)}};
}

FieldTensors one(const Name& name, const std::vector<int64_t>& shape) {
  return in_all_layouts({{name.official, shape}}, {{name.transformers, shape}});
}

void append(FieldTensors& to, const FieldTensors& more) {
  for (size_t layout = 0; layout < to.by_layout.size(); ++layout) {
    auto& list = to.by_layout[layout];
    list.insert(list.end(), more.by_layout[layout].begin(), more.by_layout[layout].end());
  }
}

// Walks the model with short words for the recurring kinds of fields.
class Walk {
 public:
  Walk(const Config& config, WeightVisitor& visitor) : config_(config), visitor_(visitor) {}

  void language(Weights& w);
  void text_head(Weights& w);
  void vision(Weights& w);
  void aligner(Weights& w);
  void drawing(Weights& w);
  void codec(Weights& w, bool encoding, bool decoding);

 private:
  void llama_block(LlamaBlock& b, const Name& at);
  void vision_block(VisionBlock& b, const Name& at);
  void vision_qkv(Weight& field, const Name& at);
  void projector(std::vector<Weight>& layers, const Name& at, int depth, int inputs);
  void residual(VqResidual& r, const Name& at, int64_t in, int64_t out);
  void attention(VqAttention& a, const Name& at, int64_t channels);
  void middle(VqMiddle& m, const Name& at, int64_t channels);
  void encoder(VqTower& t, const Name& at);
  void decoder(VqTower& t, const Name& at);
  int64_t level(VqLevel& l, const Name& at, const Name& blocks, int64_t in, int64_t out, int count,
                bool attend);

  void rms_norm(Norm& field, const Name& at, int64_t width) {
    visitor_.plain(field.weight, 0, width, one(at + ".weight", {width}));
  }
  void norm(Norm& field, const Name& at, int64_t width) {
    visitor_.plain(field.weight, 0, width, one(at + ".weight", {width}));
    visitor_.plain(field.bias, 0, width, one(at + ".bias", {width}));
  }
  void linear(Weight& field, const Name& at, int64_t out, int64_t in) {
    visitor_.matrix(field, out, in, one(at + ".weight", {out, in}), one(at + ".bias", {out}));
  }
  void linear_without_bias(Weight& field, const Name& at, int64_t out, int64_t in) {
    visitor_.matrix(field, out, in, one(at + ".weight", {out, in}), {});
  }
  void conv(Conv& field, const Name& at, int64_t out, int64_t in, int kernel) {
    field.kernel = kernel;
    visitor_.conv(field, out, in, one(at + ".weight", {out, in, kernel, kernel}),
                  one(at + ".bias", {out}));
  }
  void conv3(Conv& field, const Name& at, int64_t out, int64_t in) {
    field.pad_before = field.pad_after = 1;
    conv(field, at, out, in, 3);
  }

  const Config& config_;
  WeightVisitor& visitor_;
};

void Walk::llama_block(LlamaBlock& b, const Name& at) {
  const LlamaConfig& c = config_.llama;
  const int64_t d = c.width, f = c.mlp_width;
  const int64_t q = int64_t{c.heads} * c.head_width, kv = int64_t{c.kv_heads} * c.head_width;
  rms_norm(b.attention_norm, at + ".input_layernorm", d);
  FieldTensors qkv = one(at + ".self_attn.q_proj.weight", {q, d});
  append(qkv, one(at + ".self_attn.k_proj.weight", {kv, d}));
  append(qkv, one(at + ".self_attn.v_proj.weight", {kv, d}));
  visitor_.matrix(b.qkv, q + 2 * kv, d, qkv, {});
  linear_without_bias(b.out, at + ".self_attn.o_proj", d, q);
  rms_norm(b.mlp_norm, at + ".post_attention_layernorm", d);
  FieldTensors gate_up = one(at + ".mlp.gate_proj.weight", {f, d});
  append(gate_up, one(at + ".mlp.up_proj.weight", {f, d}));
  visitor_.matrix(b.gate_up, 2 * f, d, gate_up, {});
  linear_without_bias(b.down, at + ".mlp.down_proj", d, f);
}

void Walk::language(Weights& w) {
  const LlamaConfig& c = config_.llama;
  const Name model{"language_model.model", "model.language_model"};
  visitor_.table(w.embed_text, c.vocabulary, c.width,
                 one(model + ".embed_tokens.weight", {c.vocabulary, c.width}));
  w.blocks.resize(static_cast<size_t>(c.layers));
  for (int i = 0; i < c.layers; ++i) {
    llama_block(w.blocks[static_cast<size_t>(i)], model + ".layers" + number(i));
  }
  rms_norm(w.final_norm, model + ".norm", c.width);
}

void Walk::text_head(Weights& w) {
  const LlamaConfig& c = config_.llama;
  linear_without_bias(w.text_head, {"language_model.lm_head", "lm_head"}, c.vocabulary, c.width);
}

// Fused in the official layout, three tensors in the others.
void Walk::vision_qkv(Weight& field, const Name& at) {
  const int64_t d = config_.vision.width;
  std::vector<TensorSpec> weight, bias;
  for (const char* part : {".q_proj", ".k_proj", ".v_proj"}) {
    const std::string name = at.transformers + ".self_attn" + part;
    weight.push_back({name + ".weight", {d, d}});
    bias.push_back({name + ".bias", {d}});
  }
  const std::string fused = at.official + ".attn.qkv";
  visitor_.matrix(field, 3 * d, d, in_all_layouts({{fused + ".weight", {3 * d, d}}}, weight),
                  in_all_layouts({{fused + ".bias", {3 * d}}}, bias));
}

void Walk::vision_block(VisionBlock& b, const Name& at) {
  const VisionConfig& c = config_.vision;
  norm(b.norm1, at + Name{".norm1", ".layer_norm1"}, c.width);
  vision_qkv(b.qkv, at);
  linear(b.proj, at + Name{".attn.proj", ".self_attn.projection_layer"}, c.width, c.width);
  norm(b.norm2, at + Name{".norm2", ".layer_norm2"}, c.width);
  linear(b.fc1, at + ".mlp.fc1", c.mlp_width, c.width);
  linear(b.fc2, at + ".mlp.fc2", c.width, c.mlp_width);
}

void Walk::vision(Weights& w) {
  const VisionConfig& c = config_.vision;
  const Name tower{"vision_model.vision_tower", "model.vision_model"};
  w.patch_embed.stride = c.patch;
  conv(w.patch_embed, tower + Name{".patch_embed.proj", ".embeddings.patch_embedding"}, c.width, 3,
       c.patch);
  const FieldTensors position = in_all_layouts(
      {{tower.official + ".pos_embed", {1, c.tokens(), c.width}}},
      {{tower.transformers + ".embeddings.position_embedding.weight", {c.tokens(), c.width}}});
  visitor_.plain(w.position_embed, c.tokens(), c.width, position);
  w.vision_blocks.resize(static_cast<size_t>(c.layers));
  for (int i = 0; i < c.layers; ++i) {
    vision_block(w.vision_blocks[static_cast<size_t>(i)],
                 tower + Name{".blocks", ".encoder.layers"} + number(i));
  }
  norm(w.vision_norm, tower + Name{".norm", ".post_layernorm"}, c.width);
}

// The official list counts the activations between its layers as well.
void Walk::projector(std::vector<Weight>& layers, const Name& at, int depth, int inputs) {
  layers.resize(static_cast<size_t>(depth));
  for (int i = 0; i < depth; ++i) {
    const Name layer{".layers." + std::to_string(2 * i),
                     i == 0 ? ".fc1" : ".hidden_layers." + std::to_string(i - 1)};
    linear(layers[static_cast<size_t>(i)], at + layer, config_.llama.width,
           i == 0 ? inputs : config_.llama.width);
  }
}

void Walk::aligner(Weights& w) {
  projector(w.aligner, {"aligner", "model.aligner"}, config_.aligner_depth, config_.vision.width);
}

void Walk::drawing(Weights& w) {
  const VqConfig& vq = config_.vq;
  visitor_.table(
      w.embed_code, vq.codes, vq.code_width,
      one({"gen_embed.weight", "model.generation_embeddings.weight"}, {vq.codes, vq.code_width}));
  projector(w.gen_aligner, {"gen_aligner", "model.generation_aligner"}, config_.gen_aligner_depth,
            vq.code_width);
  linear(w.gen_hidden, {"gen_head.output_mlp_projector", "model.generation_head.proj_out"},
         config_.gen_head_width, config_.llama.width);
  linear(w.gen_logits, {"gen_head.vision_head", "model.generation_head.vision_head"}, vq.codes,
         config_.gen_head_width);
}

void Walk::residual(VqResidual& r, const Name& at, int64_t in, int64_t out) {
  norm(r.norm1, at + ".norm1", in);
  conv3(r.conv1, at + ".conv1", out, in);
  norm(r.norm2, at + ".norm2", out);
  conv3(r.conv2, at + ".conv2", out, out);
  if (in != out) conv(r.shortcut, at + ".nin_shortcut", out, in, 1);
}

void Walk::attention(VqAttention& a, const Name& at, int64_t channels) {
  norm(a.norm, at + ".norm", channels);
  FieldTensors weight, bias;
  for (const char* part : {".q", ".k", ".v"}) {
    append(weight, one(at + part + ".weight", {channels, channels, 1, 1}));
    append(bias, one(at + part + ".bias", {channels}));
  }
  visitor_.matrix(a.qkv, 3 * channels, channels, weight, bias);
  visitor_.matrix(a.proj, channels, channels,
                  one(at + ".proj_out.weight", {channels, channels, 1, 1}),
                  one(at + ".proj_out.bias", {channels}));
}

void Walk::middle(VqMiddle& m, const Name& at, int64_t channels) {
  residual(m.first, at + Name{".mid.0", ".mid.block_1"}, channels, channels);
  attention(m.attention, at + Name{".mid.1", ".mid.attn_1"}, channels);
  residual(m.second, at + Name{".mid.2", ".mid.block_2"}, channels, channels);
}

// Residuals of one level, the first of which changes the channels, and attention after each where
// the level has it. Returns the channels that come out.
int64_t Walk::level(VqLevel& l, const Name& at, const Name& blocks, int64_t in, int64_t out,
                    int count, bool attend) {
  l.residuals.resize(static_cast<size_t>(count));
  l.attentions.resize(static_cast<size_t>(attend ? count : 0));
  for (int j = 0; j < count; ++j) {
    residual(l.residuals[static_cast<size_t>(j)], at + blocks + number(j), j == 0 ? in : out, out);
    if (attend) attention(l.attentions[static_cast<size_t>(j)], at + ".attn" + number(j), out);
  }
  return out;
}

void Walk::encoder(VqTower& t, const Name& at) {
  const VqConfig& c = config_.vq;
  const auto levels = static_cast<int>(c.multipliers.size());
  int64_t channels = c.base;
  conv3(t.conv_in, at + ".conv_in", channels, 3);
  t.levels.resize(static_cast<size_t>(levels));
  for (int i = 0; i < levels; ++i) {
    VqLevel& l = t.levels[static_cast<size_t>(i)];
    const Name here = at + Name{".conv_blocks", ".down"} + number(i);
    const bool last = i == levels - 1;
    channels = level(l, here, {".res", ".block"}, channels,
                     int64_t{c.base} * c.multipliers[static_cast<size_t>(i)], c.blocks, last);
    if (last) continue;
    l.resample.stride = 2;
    l.resample.pad_after = 1;
    conv(l.resample, here + ".downsample.conv", channels, channels, 3);
  }
  middle(t.middle, at, channels);
  norm(t.norm_out, at + ".norm_out", channels);
  conv3(t.conv_out, at + ".conv_out", c.latent, channels);
}

void Walk::decoder(VqTower& t, const Name& at) {
  const VqConfig& c = config_.vq;
  const auto levels = static_cast<int>(c.decoder_multipliers.size());
  int64_t channels = int64_t{c.base} * c.decoder_multipliers.back();
  conv3(t.conv_in, at + ".conv_in", channels, c.latent);
  middle(t.middle, at, channels);
  t.levels.resize(static_cast<size_t>(levels));
  for (int i = 0; i < levels; ++i) {
    VqLevel& l = t.levels[static_cast<size_t>(i)];
    const Name here = at + Name{".conv_blocks", ".up"} + number(i);
    const int multiplier = c.decoder_multipliers[static_cast<size_t>(levels - 1 - i)];
    channels = level(l, here, {".res", ".block"}, channels, int64_t{c.base} * multiplier,
                     c.blocks + 1, i == 0);
    if (i < levels - 1) conv3(l.resample, here + ".upsample.conv", channels, channels);
  }
  norm(t.norm_out, at + ".norm_out", channels);
  conv3(t.conv_out, at + ".conv_out", 3, channels);
}

// The book of codes is needed both ways.
void Walk::codec(Weights& w, bool encoding, bool decoding) {
  const VqConfig& c = config_.vq;
  const Name vq{"gen_vision_model", "model.vqmodel"};
  visitor_.plain(w.codebook, c.codes, c.code_width,
                 one(vq + ".quantize.embedding.weight", {c.codes, c.code_width}));
  if (encoding) conv(w.quant, vq + ".quant_conv", c.code_width, c.latent, 1);
  if (decoding) conv(w.post_quant, vq + ".post_quant_conv", c.latent, c.code_width, 1);
  if (encoding) encoder(w.encoder, vq + ".encoder");
  if (decoding) decoder(w.decoder, vq + ".decoder");
}

class Lister : public WeightVisitor {
 public:
  void matrix(Weight&, int64_t, int64_t, const FieldTensors& weight,
              const FieldTensors& bias) override {
    add(weight);
    add(bias);
  }
  void conv(Conv&, int64_t, int64_t, const FieldTensors& weight,
            const FieldTensors& bias) override {
    add(weight);
    add(bias);
  }
  void table(Table&, int64_t, int64_t, const FieldTensors& weight) override { add(weight); }
  void plain(OwnedTensor&, int64_t, int64_t, const FieldTensors& weight) override { add(weight); }

  std::vector<FieldTensors> fields;

 private:
  void add(const FieldTensors& field) {
    if (!field.of(Layout::official).empty()) fields.push_back(field);
  }
};

}  // namespace

int64_t TensorSpec::count() const {
  int64_t result = 1;
  for (const int64_t size : shape) result *= size;
  return result;
}

// The order decides the fingerprint of a model.
void visit_weights(const Config& config, Weights& weights, WeightVisitor& visitor,
                   const Parts& parts) {
  Walk walk(config, visitor);
  if (parts.language) walk.language(weights);
  if (parts.reading) {
    walk.text_head(weights);
    walk.vision(weights);
    walk.aligner(weights);
  }
  if (parts.drawing) walk.drawing(weights);
  if (parts.encoder || parts.decoder) walk.codec(weights, parts.encoder, parts.decoder);
}

std::vector<FieldTensors> list_fields(const Config& config, const Parts& parts) {
  Weights weights;
  Lister lister;
  visit_weights(config, weights, lister, parts);
  return std::move(lister.fields);
}

std::vector<TensorSpec> list_tensors(const Config& config, Layout layout, const Parts& parts) {
  std::vector<TensorSpec> tensors;
  for (const FieldTensors& field : list_fields(config, parts)) {
    tensors.insert(tensors.end(), field.of(layout).begin(), field.of(layout).end());
  }
  return tensors;
}

bool is_ignored_tensor(const std::string& name) {
  return name.starts_with("vision_model.vision_tower.attn_pool.") ||
         name == "gen_vision_model.quantize.codebook_used";
}

}  // namespace janus
