// Whole works of the model at published 1B sizes, on demand, to be run in turns with a rival:
//
//   bench_works [threads] [isa] [type]
//
// Reads lines, each the name of a work: `siglip` (one picture through the vision tower and its
// adaptor), `prompt` (600 rows through kLayers layers of the language tower), `vq` (576 codes to
// pixels). Answers each with the seconds it took: wall, and processor time of all threads. Weights
// are synthetic, held in f32 or the type named; time does not depend on their values.
// bench/peers/alternate.py drives.
// SPDX-License-Identifier: MIT
#include <functional>
#include <iostream>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "kernels/open.h"
#include "model/model.h"
#include "model/synthetic.h"
#include "stopwatch.h"

namespace janus {
namespace {

constexpr int kLayers = 4;  // of 24, to fit a small machine; the others are alike
constexpr int kPrompt = 600;

Config published_sizes() {
  Config config;
  config.llama.width = 2048;
  config.llama.layers = kLayers;
  config.llama.heads = config.llama.kv_heads = 16;
  config.llama.head_width = 128;
  config.llama.mlp_width = 5632;
  config.llama.vocabulary = 1024;  // the head is no part of a prompt's cost
  config.gen_head_width = config.llama.width;
  return config;
}

class Works {
 public:
  Works(int threads, const std::string& isa, Dtype type) : model_(load(threads, isa, type)) {}

  bool run(const std::string& name) {
    const Config& config = model_.config();
    if (name == "siglip") {
      const int64_t side = config.vision.image;
      const OwnedTensor pixels(Dtype::f32, {1, side, side, 3});
      const OwnedTensor out(Dtype::f32, {config.vision.tokens(), config.llama.width});
      report(name, [&] { model_.read_images(pixels.view, space_, out.view); });
    } else if (name == "prompt") {
      prompt();
    } else if (name == "vq") {
      std::vector<int32_t> codes(static_cast<size_t>(config.image_tokens()));
      std::iota(codes.begin(), codes.end(), 0);
      const OwnedTensor pixels(Dtype::f32, {1, config.image, config.image, 3});
      report(name, [&] { model_.decode_image(codes, space_, pixels.view); });
    } else {
      return false;
    }
    return true;
  }

 private:
  static Model load(int threads, const std::string& isa, Dtype type) {
    LoadOptions options;
    options.backend = open_backend("cpu", threads, isa);
    options.weights = type;
    const Config config = published_sizes();
    return Model::from(config, SyntheticSource(config, Layout::transformers), options);
  }

  void prompt() {
    const LlamaConfig& llama = model_.config().llama;
    const int64_t blocks = KvCache::blocks_for(kPrompt);
    KvCache cache(model_.backend(), llama, Dtype::f32, 1, kPrompt, blocks);
    const int32_t sequence = cache.add();
    cache.extend(sequence, kPrompt);
    const std::vector<int32_t> sequences(kPrompt, sequence);
    std::vector<int32_t> positions(kPrompt), ids(kPrompt);
    std::iota(positions.begin(), positions.end(), 0);
    std::iota(ids.begin(), ids.end(), 0);
    const OwnedTensor x(Dtype::f32, {kPrompt, llama.width});
    model_.embed_text(ids, x.view);
    const Rows rows{sequences, positions, cache.blocks(), cache.blocks_per_sequence()};
    report("prompt", [&] { model_.forward(x.view, rows, cache, space_); });
  }

  static void report(const std::string& name, const std::function<void()>& work) {
    const Stopwatch watch;
    work();
    watch.answer(name);
  }

  Model model_;
  Workspace space_;
};

}  // namespace
}  // namespace janus

int main(int argc, char** argv) {
  try {
    const auto type = janus::dtype_named(argc > 3 ? argv[3] : "f32");
    janus::check(type.has_value(), janus::Code::bad_input, "no type ", argv[3]);
    janus::Works works(argc > 1 ? std::stoi(argv[1]) : 0, argc > 2 ? argv[2] : "", *type);
    for (std::string name; std::getline(std::cin, name);) {
      if (!works.run(name)) std::cout << name << " unknown" << std::endl;
    }
    return 0;
  } catch (const std::exception& e) {
    std::cerr << "bench_works: " << e.what() << "\n";
    return 1;
  }
}
