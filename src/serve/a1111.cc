// SPDX-License-Identifier: MIT
#include "serve/a1111.h"

#include "base/sha256.h"
#include "io/base64.h"
#include "io/image.h"
#include "serve/openai_edits.h"

namespace janus::serve {

namespace {

constexpr int kSmallest = 64, kLargest = 2048, kMostPictures = 10;
constexpr const char* kSampler = "Default";

std::string short_hash(const Served& served) { return served.info.hash.substr(0, 10); }

// These clients send a width and a height always and take no refusal of them: a square is drawn,
// scaled to cover what they want, and its middle cut out.
SdCall read_call(Fields& fields, const Json& body, const Served& served) {
  SdCall call;
  call.parameters = body;
  DrawRequest& request = call.draw.request;
  request.prompt = fields.text("prompt").value_or("");
  request.negative = fields.text("negative_prompt").value_or("");
  const auto seed = fields.whole("seed", -1, kMostSeed);
  request.seed = seed && *seed >= 0 ? static_cast<uint64_t>(*seed) : served.random_seed();
  request.guidance = static_cast<float>(fields.number("cfg_scale", 0, 30).value_or(5));
  call.batch_size = static_cast<int>(fields.whole("batch_size", 1, kMostPictures).value_or(1));
  const auto rounds = fields.whole("n_iter", 1, kMostPictures).value_or(1);
  if (call.batch_size * rounds > kMostPictures) {
    throw Refusal(400, "invalid_value", "batch_size times n_iter is more than 10", "n_iter");
  }
  request.images = call.batch_size * static_cast<int>(rounds);
  PictureForm& form = call.draw.form;
  form.width = static_cast<int>(fields.whole("width", kSmallest, kLargest).value_or(512));
  form.height = static_cast<int>(fields.whole("height", kSmallest, kLargest).value_or(512));
  call.send_images = fields.flag("send_images").value_or(true);
  if (const Json* const steps = fields.find("steps"); steps && steps->is_number_integer()) {
    call.steps = steps->get<int64_t>();
  }
  return call;
}

// These clients take no refusal of a mask's size either: the nearest pixel counts.
EditMask scaled_to(const EditMask& mask, const Image& image) {
  EditMask scaled{.width = image.width, .height = image.height, .redraw = {}};
  scaled.redraw.reserve(image.rgb.size() / 3);
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      const int64_t from = y * mask.height / image.height * mask.width;
      scaled.redraw.push_back(
          mask.redraw[static_cast<size_t>(from + x * mask.width / image.width)]);
    }
  }
  return scaled;
}

}  // namespace

SdCall parse_txt2img(const Json& body, const Served& served) {
  Fields fields(body);
  return read_call(fields, body, served);
}

SdCall parse_img2img(const Json& body, const Served& served) {
  Fields fields(body);
  SdCall call = read_call(fields, body, served);
  const Json* const images = fields.find("init_images");
  if (!images || !images->is_array() || images->empty() || !images->front().is_string()) {
    throw Refusal(400, "invalid_value", "init_images must be a list with a picture in base64",
                  "init_images");
  }
  EditRequest edit;
  const std::string file =
      file_of_base64(images->front().get_ref<const std::string&>(), "init_images[0]");
  edit.image = read_picture(file, "init_images[0]", served.max_pixels);
  edit.keep = static_cast<float>(1 - fields.number("denoising_strength", 0, 1).value_or(.75));
  OrderedJson how{{"image_sha256", sha256_hex(file)}};
  if (const auto mask = fields.text("mask"); mask && !mask->empty()) {
    const std::string painted = file_of_base64(*mask, "mask");
    edit.mask = scaled_to(white_mask(read_picture(painted, "mask", served.max_pixels)), edit.image);
    if (fields.whole("inpainting_mask_invert", 0, 1).value_or(0) == 1) {
      for (uint8_t& pixel : edit.mask->redraw) pixel = pixel == 0 ? 1 : 0;
    }
    how["mask_sha256"] = sha256_hex(painted);
  } else {
    how["keep"] = edit.keep;
  }
  begin_with(call.draw, served, std::move(edit), std::move(how));
  if (!fields.flag("include_init_images").value_or(false)) {
    call.parameters["init_images"] = nullptr;
    call.parameters["mask"] = nullptr;
  }
  return call;
}

std::string infotext(const SdCall& call, const Served& served, uint64_t seed) {
  const DrawRequest& request = call.draw.request;
  std::string text = request.prompt;
  if (!request.negative.empty()) text += "\nNegative prompt: " + request.negative;
  text += "\nSteps: " + std::to_string(served.info.image_tokens) + ", Sampler: " + kSampler;
  text += ", CFG scale: " + OrderedJson(request.guidance.value_or(5)).dump();
  text += ", Seed: " + std::to_string(seed);
  text += ", Size: " + std::to_string(call.draw.form.width) + "x" +
          std::to_string(call.draw.form.height);
  return text + ", Model hash: " + short_hash(served) + ", Model: " + served.name;
}

OrderedJson txt2img_json(const SdCall& call, const Served& served, const std::string& time,
                         const std::vector<Drawn>& pictures) {
  const DrawRequest& request = call.draw.request;
  OrderedJson images = OrderedJson::array(), seeds = OrderedJson::array(),
              prompts = OrderedJson::array(), texts = OrderedJson::array();
  for (const Drawn& picture : pictures) {
    if (call.send_images) images.push_back(to_base64(picture.file));
    seeds.push_back(picture.seed);
    prompts.push_back(request.prompt);
    texts.push_back(infotext(call, served, picture.seed));
  }
  const OrderedJson info = {{"prompt", request.prompt},
                            {"all_prompts", std::move(prompts)},
                            {"negative_prompt", request.negative},
                            {"seed", request.seed},
                            {"all_seeds", std::move(seeds)},
                            {"width", call.draw.form.width},
                            {"height", call.draw.form.height},
                            {"sampler_name", kSampler},
                            {"cfg_scale", request.guidance.value_or(5)},
                            {"steps", call.steps},
                            {"batch_size", call.batch_size},
                            {"sd_model_name", served.name},
                            {"sd_model_hash", short_hash(served)},
                            {"infotexts", std::move(texts)},
                            {"job_timestamp", time}};
  return {{"images", std::move(images)}, {"parameters", call.parameters}, {"info", dump(info)}};
}

OrderedJson sd_model_json(const Served& served) {
  return {{"title", served.name + " [" + short_hash(served) + "]"},
          {"model_name", served.name},
          {"hash", short_hash(served)},
          {"sha256", nullptr},
          {"filename", served.name},
          {"config", nullptr}};
}

OrderedJson sd_options_json(const Served& served) {
  return {{"sd_model_checkpoint", served.name + " [" + short_hash(served) + "]"},
          {"sd_checkpoint_hash", short_hash(served)},
          {"samples_format", "png"},
          {"sd_vae", "None"},
          {"CLIP_stop_at_last_layers", 1}};
}

OrderedJson progress_json(const SdProgress& progress) {
  const bool idle = progress.images == 0;
  OrderedJson json = {{"progress", idle ? 0.0 : progress.share},
                      {"eta_relative", progress.seconds_left},
                      {"state",
                       {{"skipped", false},
                        {"interrupted", progress.interrupted},
                        {"stopping_generation", false},
                        {"job", idle ? "" : "txt2img"},
                        {"job_count", progress.images},
                        {"job_timestamp", "0"},
                        {"job_no", 0},
                        {"sampling_step", progress.step},
                        {"sampling_steps", progress.steps}}},
                      {"current_image", nullptr},
                      {"textinfo", nullptr}};
  if (!progress.picture.empty()) json["current_image"] = to_base64(progress.picture);
  return json;
}

}  // namespace janus::serve
