// Pictures without the language tower: the codec both ways, and cheap looks at unfinished drawings.
// On the caller's thread, beside what the engine runs; the backend takes turns.
// SPDX-License-Identifier: MIT
#include "api/parts.h"
#include "base/error.h"
#include "generate/edit.h"
#include "generate/pixels.h"
#include "io/resize.h"

namespace janus {

std::vector<int32_t> Engine::encode(const Image& image) {
  const Model& model = parts_->model;
  parts_->check_encodes();
  check_picture(image);
  const int side = model.config().image;
  OwnedTensor pixels(Dtype::f32, {side, side, 3});
  to_pixels(cover_and_crop(image, side), pixels.view);
  std::vector<int32_t> codes(static_cast<size_t>(model.config().image_tokens()));
  Workspace space;
  model.encode_image(pixels.view.as({1, side, side, 3}), space, codes);
  return codes;
}

Image Engine::decode(std::span<const int32_t> codes) {
  const Config& config = parts_->model.config();
  parts_->check_draws();
  check(std::ssize(codes) == config.image_tokens(), Code::bad_input, "a picture has ",
        config.image_tokens(), " codes; ", codes.size(), " are given");
  for (const int32_t code : codes) {
    check(code >= 0 && code < config.vq.codes, Code::bad_input, "code ", code,
          " is not in the codec's book of ", config.vq.codes);
  }
  const int side = config.image;
  OwnedTensor pixels(Dtype::f32, {1, side, side, 3});
  Workspace space;
  parts_->model.decode_image(codes, space, pixels.view);
  return to_image(pixels.view.as({side, side, 3}));
}

void Engine::prepare_preview(const std::filesystem::path& folder,
                             const std::function<bool()>& wanted) {
  const std::lock_guard turn(parts_->preview_fit);
  if (parts_->preview) return;  // set by who has the turn alone
  std::optional<PreviewMap> map;
  if (auto kept = parts_->checkpoint.preview()) {
    map = PreviewMap::of(std::move(*kept), parts_->model.config());
  }
  const std::filesystem::path file =
      folder.empty() ? folder : folder / ("preview-" + parts_->info.hash + ".safetensors");
  if (!map && !file.empty()) map = PreviewMap::load(file, parts_->model);
  const bool is_new = !map;
  if (is_new) {
    map = PreviewMap::fit(parts_->model, [&] {
      check(!wanted || wanted(), Code::cancelled, "fitting the preview was stopped");
    });
  }
  const auto shared = std::make_shared<const PreviewMap>(std::move(*map));
  {
    const std::lock_guard lock(parts_->preview_set);
    parts_->preview = shared;
  }
  if (!is_new || file.empty()) return;
  std::error_code ignored;  // save() says what is wrong with the folder
  std::filesystem::create_directories(folder, ignored);
  shared->save(file);
}

Image Engine::preview(std::span<const int32_t> codes) const {
  std::shared_ptr<const PreviewMap> map;
  {
    const std::lock_guard lock(parts_->preview_set);
    map = parts_->preview;
  }
  check(map != nullptr, Code::bad_input, "preview() was called before prepare_preview()");
  return map->show(parts_->model, codes);
}

}  // namespace janus
