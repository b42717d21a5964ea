// SPDX-License-Identifier: MIT
#include "model/model.h"

#include "base/error.h"
#include "model/bridge.h"
#include "model/llama.h"
#include "model/siglip.h"
#include "model/vq.h"

namespace janus {

namespace {

void require(bool loaded, const char* part, const char* work) {
  check(loaded, Code::bad_input, "the model was loaded without its ", part, ", which ", work,
        " needs; load all of it");
}

}  // namespace

struct Model::Loaded {
  Config config;
  Parts parts;
  std::shared_ptr<const Backend> backend;
  Weights weights;
  RopeTable rope;

  Llama llama() const { return {*backend, config.llama, weights, rope}; }
  Siglip siglip() const { return {*backend, config.vision, weights}; }
  Bridge bridge() const { return {*backend, weights}; }
  Vq vq() const { return {*backend, config.vq, weights}; }
};

Model Model::load(const LoadOptions& options) {
  return load(Checkpoint(options.checkpoint), options);
}

Model Model::load(const Checkpoint& checkpoint, const LoadOptions& options) {
  checkpoint.require(options.parts);
  return from(checkpoint.config(), *checkpoint.source(), options);
}

Model Model::from(const Config& config, const TensorSource& source, const LoadOptions& options) {
  check(options.backend != nullptr, Code::bug, "model: no backend to load for");
  auto loaded = std::make_shared<Loaded>();
  loaded->config = config;
  loaded->parts = options.parts;
  loaded->backend = options.backend;
  loaded->weights = load_weights(config, source, *options.backend, options.weights,
                                 options.on_progress, options.parts);
  add_adapters(config, options.adapters, *options.backend, options.parts, loaded->weights);
  if (options.parts.language) loaded->rope = make_rope_table(config.llama, options.round_rope);
  Model model;
  model.loaded_ = std::move(loaded);
  return model;
}

const Config& Model::config() const { return loaded_->config; }
const Parts& Model::parts() const { return loaded_->parts; }
const Backend& Model::backend() const { return *loaded_->backend; }
const Weights& Model::weights() const { return loaded_->weights; }

void Model::read_images(Tensor pixels, Workspace& space, Tensor out, Trace* trace,
                        const Between& between) const {
  require(parts().reading, "vision tower", "reading pictures");
  const VisionConfig& vision = config().vision;
  check(pixels.rank == 4 && pixels.shape[1] == vision.image && pixels.shape[2] == vision.image,
        Code::bug, "read_images: pixels ", shape_text(pixels), ", the model reads ", vision.image,
        " by ", vision.image);
  const int64_t n = pixels.shape[0];
  Workspace::Frame frame(space);
  const Tensor rows = frame.take({n * vision.tokens(), vision.width});
  loaded_->siglip().encode(pixels, space, rows, trace, between);
  loaded_->bridge().adapt_vision(rows, space, out);
  tap(trace, "aligner.out", out, {n, vision.tokens(), config().llama.width});
}

void Model::embed_text(std::span<const int32_t> ids, Tensor out) const {
  require(parts().language, "language tower", "reading text");
  loaded_->bridge().embed_text(ids, out);
}

void Model::embed_codes(std::span<const int32_t> codes, Workspace& space, Tensor out) const {
  require(parts().drawing, "drawing half", "drawing");
  loaded_->bridge().embed_codes(codes, space, out);
}

void Model::forward(Tensor x, const Rows& rows, KvCache& cache, Workspace& space,
                    Trace* trace) const {
  require(parts().language, "language tower", "every pass");
  loaded_->llama().forward(x, rows, cache, space, trace);
}

void Model::text_logits(Tensor hidden, Tensor out) const {
  require(parts().reading, "text head", "answering");
  loaded_->bridge().text_logits(hidden, out);
}

void Model::image_logits(Tensor hidden, Workspace& space, Tensor out) const {
  require(parts().drawing, "drawing half", "drawing");
  loaded_->bridge().image_logits(hidden, space, out);
}

namespace {

// Pictures [begin, begin + count) of [n, S, S, 3].
Tensor some_pictures(Tensor pixels, int64_t begin, int64_t count) {
  const auto [n, h, w, c] = pixels.shape;
  return pixels.slice(begin * h * w, count * h * w).as({count, h, w, c});
}

}  // namespace

// A trace wants all pictures in one piece; otherwise memory is kept to that of one published one.
void Model::decode_image(std::span<const int32_t> codes, Workspace& space, Tensor pixels,
                         Trace* trace, const Between& between) const {
  require(parts().decoder, "codec's decoder", "turning codes into pixels");
  const int64_t n = pixels.shape[0], each = config().image_tokens(), grid = config().grid();
  check(static_cast<int64_t>(codes.size()) == n * each, Code::bug, "decode_image: ", codes.size(),
        " codes for ", n, " pictures of ", each);
  const Vq vq = loaded_->vq();
  const int64_t at_once = trace ? n : std::min(n, vq.pictures_at_once(grid));
  for (int64_t i = 0; i < n; i += at_once) {
    const int64_t count = std::min(at_once, n - i);
    const auto some =
        codes.subspan(static_cast<size_t>(i * each), static_cast<size_t>(count * each));
    vq.decode(some, grid, space, some_pictures(pixels, i, count), trace, between);
  }
}

void Model::encode_image(Tensor pixels, Workspace& space, std::span<int32_t> codes, Trace* trace,
                         const Between& between) const {
  require(parts().encoder, "codec's encoder", "turning pixels into codes");
  const int64_t n = pixels.shape[0], each = config().image_tokens(), grid = config().grid();
  check(pixels.rank == 4 && pixels.shape[1] == config().image &&
            pixels.shape[2] == config().image && static_cast<int64_t>(codes.size()) == n * each,
        Code::bug, "encode_image: pixels ", shape_text(pixels), ", ", codes.size(), " codes; ",
        each, " a picture of ", config().image, " by ", config().image);
  const Vq vq = loaded_->vq();
  const int64_t at_once = trace ? n : std::min(n, vq.pictures_at_once(grid));
  for (int64_t i = 0; i < n; i += at_once) {
    const int64_t count = std::min(at_once, n - i);
    const auto some =
        codes.subspan(static_cast<size_t>(i * each), static_cast<size_t>(count * each));
    vq.encode(some_pictures(pixels, i, count), grid, space, some, trace, between);
  }
  if (trace) trace->add_ids("vq.ids", codes, {static_cast<int64_t>(codes.size())});
}

}  // namespace janus
