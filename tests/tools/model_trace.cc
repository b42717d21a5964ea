// Runs every pass of a model on given inputs and writes all taps, for the parity suite: no
// tokenizer and no picture reader between the reference and the numbers.
//   model_trace CHECKPOINT BACKEND f32|bf16 INPUTS.safetensors OUT.safetensors
// INPUTS: input_ids [T] I64, image_rows [n·P] I64 (where the picture's rows go), pixel_values
// [n,3,S,S], cond_ids, uncond_ids, codes [I], greedy [K] (only its length), guidance [1],
// encode_pixels [1,3,S,S].
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstring>
#include <iostream>

#include "base/error.h"
#include "io/safetensors.h"
#include "kernels/open.h"
#include "model/model.h"

namespace janus {
namespace {

struct Values {
  std::vector<float> data;
  Tensor view;
  explicit Values(std::initializer_list<int64_t> shape)
      : data(static_cast<size_t>(Tensor(nullptr, Dtype::f32, shape).count())),
        view(data.data(), Dtype::f32, shape) {}
};

class Inputs {
 public:
  explicit Inputs(const std::string& path) : tensors_(read_safetensors(path)) {}
  std::vector<int32_t> ids(const std::string& name) const {
    const StoredTensor& t = tensors_.at(name);
    std::vector<int64_t> wide(static_cast<size_t>(t.count()));
    std::memcpy(wide.data(), t.data.data(), t.data.size());
    return {wide.begin(), wide.end()};
  }
  float number(const std::string& name) const {
    float value = 0;
    tensors_.at(name).read_f32(0, {&value, 1});
    return value;
  }
  // [n, 3, S, S] -> [n, S, S, 3]
  Values pictures(const std::string& name) const {
    const StoredTensor& t = tensors_.at(name);
    const int64_t n = t.shape.at(0), side = t.shape.at(2), area = side * side;
    std::vector<float> planes(static_cast<size_t>(t.count()));
    t.read_f32(0, planes);
    Values result({n, side, side, 3});
    for (int64_t p = 0; p < n * area; ++p) {
      for (int64_t c = 0; c < 3; ++c) {
        result.view.row(p)[c] = planes[static_cast<size_t>((p / area * 3 + c) * area + p % area)];
      }
    }
    return result;
  }

 private:
  StoredTensors tensors_;
};

int32_t argmax(const float* row, int64_t count) {
  return static_cast<int32_t>(std::max_element(row, row + count) - row);
}

class Tracer {
 public:
  Tracer(const Model& model, const Inputs& inputs, Dtype cache)
      : model_(model), in_(inputs), cache_dtype_(cache), width_(model.config().llama.width) {}

  void ask() {
    const std::vector<int32_t> ids = in_.ids("input_ids"), rows = in_.ids("image_rows");
    const auto count = static_cast<int64_t>(ids.size());
    const int64_t vocabulary = model_.config().llama.vocabulary;
    const size_t wanted = in_.ids("greedy").size();
    Values pixels = in_.pictures("pixel_values");
    Values x({count, width_}), vision({static_cast<int64_t>(rows.size()), width_});
    Values logits({count, vocabulary});
    model_.embed_text(ids, x.view);
    model_.read_images(pixels.view, space_, vision.view, &trace);
    for (size_t i = 0; i < rows.size(); ++i) {
      model_.backend().copy(vision.view.slice(static_cast<int64_t>(i), 1),
                            x.view.slice(rows[i], 1));
    }
    KvCache cache = make_cache(count + static_cast<int64_t>(wanted));
    const int32_t sequence = cache.add();
    run(cache, sequence, x.view, &trace);
    model_.text_logits(x.view, logits.view);
    trace.add("logits", logits.view, {count, vocabulary});
    std::vector<int32_t> greedy = {argmax(logits.view.row(count - 1), vocabulary)};
    while (greedy.size() < wanted) {
      model_.embed_text(std::span(greedy).last(1), x.view.slice(0, 1));
      run(cache, sequence, x.view.slice(0, 1), nullptr);
      model_.text_logits(x.view.slice(0, 1), logits.view.slice(0, 1));
      greedy.push_back(argmax(logits.view.row(0), vocabulary));
    }
    trace.add_ids("greedy_ids", greedy, {static_cast<int64_t>(greedy.size())});
  }

  // Both rows in one step; prompts may differ in length.
  void draw() {
    const std::vector<int32_t> codes = in_.ids("codes");
    const auto steps = static_cast<int64_t>(codes.size());
    const int64_t many = model_.config().vq.codes;
    const float guidance = in_.number("guidance");
    Values last({2, width_}), pair({2, many}), cond({steps, many}), uncond({steps, many});
    Values guided({steps, many});
    KvCache cache = make_cache(256 + steps);
    for (int64_t r = 0; r < 2; ++r) {
      const std::vector<int32_t> prompt = in_.ids(r == 0 ? "cond_ids" : "uncond_ids");
      Values x({static_cast<int64_t>(prompt.size()), width_});
      model_.embed_text(prompt, x.view);
      run(cache, cache.add(), x.view, nullptr);
      model_.backend().copy(x.view.slice(x.view.rows() - 1, 1), last.view.slice(r, 1));
    }
    std::vector<int32_t> greedy;
    for (int64_t i = 0; i < steps; ++i) {
      if (i > 0) step(cache, codes[static_cast<size_t>(i - 1)], last.view);
      model_.image_logits(last.view, space_, pair.view);
      for (int64_t c = 0; c < many; ++c) {
        const float a = cond.view.row(i)[c] = pair.view.row(0)[c];
        const float b = uncond.view.row(i)[c] = pair.view.row(1)[c];
        guided.view.row(i)[c] = b + guidance * (a - b);
      }
      greedy.push_back(argmax(guided.view.row(i), many));
    }
    trace.add("gen.logits.cond", cond.view, {steps, many});
    trace.add("gen.logits.uncond", uncond.view, {steps, many});
    trace.add("gen.logits.guided", guided.view, {steps, many});
    trace.add_ids("gen.greedy_ids", greedy, {steps});
    Values pixels({1, model_.config().image, model_.config().image, 3});
    model_.decode_image(codes, space_, pixels.view, &trace);
  }

  void encode() {
    Values pixels = in_.pictures("encode_pixels");
    std::vector<int32_t> codes(static_cast<size_t>(model_.config().image_tokens()));
    model_.encode_image(pixels.view, space_, codes, &trace);
  }

  Trace trace;

 private:
  KvCache make_cache(int64_t positions) const {
    return KvCache(model_.backend(), model_.config().llama, cache_dtype_, 2, positions,
                   2 * KvCache::blocks_for(positions));
  }
  void run(KvCache& cache, int32_t sequence, Tensor x, Trace* to) {
    const auto first = static_cast<int32_t>(cache.extend(sequence, x.rows()));
    std::vector<int32_t> sequences(static_cast<size_t>(x.rows()), sequence), positions;
    for (int32_t i = 0; i < x.rows(); ++i) positions.push_back(first + i);
    model_.forward(x, {sequences, positions, cache.blocks(), cache.blocks_per_sequence()}, cache,
                   space_, to);
  }
  void step(KvCache& cache, int32_t code, Tensor last) {
    const std::vector<int32_t> codes(2, code), sequences = {0, 1};
    const std::vector<int32_t> positions = {static_cast<int32_t>(cache.extend(0, 1)),
                                            static_cast<int32_t>(cache.extend(1, 1))};
    model_.embed_codes(codes, space_, last);
    model_.forward(last, {sequences, positions, cache.blocks(), cache.blocks_per_sequence()}, cache,
                   space_);
  }

  const Model& model_;
  const Inputs& in_;
  Dtype cache_dtype_;
  int64_t width_;
  Workspace space_;
};

void run(const std::vector<std::string>& args) {
  check(args.size() == 5, Code::bad_input,
        "usage: model_trace CHECKPOINT BACKEND f32|bf16 INPUTS.safetensors OUT.safetensors");
  LoadOptions options;
  options.checkpoint = args[0];
  options.backend = open_backend(args[1]);
  options.weights = args[2] == "bf16" ? Dtype::bf16 : Dtype::f32;
  const Model model = Model::load(options);
  const Inputs inputs(args[3]);
  Tracer tracer(model, inputs, options.weights);
  tracer.ask();
  tracer.draw();
  tracer.encode();
  tracer.trace.save(args[4]);
}

}  // namespace
}  // namespace janus

int main(int argc, char** argv) {
  try {
    janus::run({argv + 1, argv + argc});
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "model_trace: " << error.what() << '\n';
    return 1;
  }
}
