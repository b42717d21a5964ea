// SPDX-License-Identifier: MIT
#include "serve/openai_images.h"

#include <charconv>

#include "io/base64.h"

namespace janus::serve {

namespace {

constexpr int kSmallest = 64, kLargest = 2048;

std::string square(int side) { return std::to_string(side) + "x" + std::to_string(side); }

// "512x512" -> 512; nothing for what is no square.
std::optional<int> side_of(const std::string& size) {
  const size_t cross = size.find('x');
  if (cross == size.npos || size.substr(0, cross) != size.substr(cross + 1)) return {};
  int side = 0;
  const char* const end = size.data() + cross;
  const auto [read, error] = std::from_chars(size.data(), end, side);
  if (error != std::errc() || read != end) return {};
  return side;
}

void read_size(Fields& fields, const Served& served, PictureForm& form) {
  const std::string size = fields.text("size").value_or("auto");
  const std::string own = square(served.info.image);
  form.size_field = own;
  if (size == "auto" || size == own) return;
  const std::optional<int> side = side_of(size);
  if (!side || *side < kSmallest || *side > kLargest) {
    throw Refusal(400, "size_not_supported",
                  "size \"" + size.substr(0, 32) + "\" cannot be delivered; auto and " + own +
                      " are as drawn, and any square from " + square(kSmallest) + " to " +
                      square(kLargest) + " is resampled from that",
                  "size");
  }
  form.width = form.height = *side;
  form.size_field = size;
}

void read_format(Fields& fields, PictureForm& form) {
  form.as_url = fields.word("response_format", {"b64_json", "url"}).value_or("b64_json") == "url";
  form.format = fields.text("output_format").value_or("png");
  const auto compression =
      static_cast<int>(fields.whole("output_compression", 0, 100).value_or(100));
  if (form.format == "png") {
    form.options.format = PictureFormat::png;
  } else if (form.format == "jpeg") {
    form.options = {PictureFormat::jpeg, std::max(1, compression)};
  } else if (form.format == "webp") {
    form.options = {PictureFormat::webp, compression == 100 ? 0 : std::max(1, compression)};
  } else {
    throw Refusal(400, "unsupported_value", "output_format must be png, jpeg or webp",
                  "output_format");
  }
}

void read_sampling(Fields& fields, const Served& served, DrawRequest& request) {
  const auto seed = fields.whole("seed", -1, kMostSeed);
  request.seed = seed && *seed >= 0 ? static_cast<uint64_t>(*seed) : served.random_seed();
  for (const char* const name : {"guidance", "guidance_scale", "cfg_scale"}) {
    const auto guidance = fields.number(name, 0, 30);
    if (guidance && !request.guidance) request.guidance = static_cast<float>(*guidance);
  }
  request.negative = fields.text("negative_prompt").value_or("");
  request.temperature = static_cast<float>(fields.number("temperature", 0, 100).value_or(1));
  request.top_k = static_cast<int>(fields.whole("top_k", 0, INT32_MAX).value_or(0));
  request.top_p = static_cast<float>(fields.number("top_p", 0, 1).value_or(1));
}

void read_harmless(Fields& fields, DrawCall& call) {
  call.quality =
      fields.word("quality", {"auto", "low", "medium", "high", "standard", "hd"}).value_or("auto");
  fields.word("style", {"vivid", "natural"});
  fields.word("moderation", {"auto", "low"});
  const std::string background =
      fields.word("background", {"auto", "opaque", "transparent"}).value_or("auto");
  if (background == "transparent") {
    throw Refusal(400, "unsupported_value",
                  "background must be auto or opaque: the model draws no "
                  "transparency",
                  "background");
  }
  fields.pass({"user", "safety_identifier", "metadata"});
}

// What all events of a stream say.
OrderedJson event_json(const DrawCall& call, const std::string& name, const std::string& file,
                       int64_t created) {
  return {{"type", name},
          {"b64_json", to_base64(file)},
          {"created_at", created},
          {"size", call.form.size_field},
          {"quality", call.quality},
          {"background", call.background},
          {"output_format", call.form.format}};
}

}  // namespace

void read_prompt(Fields& fields, DrawCall& call) {
  call.request.prompt = fields.required_text("prompt");
  if (call.request.prompt.find_first_not_of(" \t\r\n") == std::string::npos) {
    throw Refusal(400, "invalid_value", "prompt is blank; say what to draw", "prompt");
  }
}

void read_call(Fields& fields, const Served& served, DrawCall& call) {
  check_model(fields, served);
  call.request.images = static_cast<int>(fields.whole("n", 1, 10).value_or(1));
  read_size(fields, served, call.form);
  read_sampling(fields, served, call.request);
  read_format(fields, call.form);
  call.stream = fields.flag("stream").value_or(false);
  call.partials = static_cast<int>(fields.whole("partial_images", 0, served.grid()).value_or(0));
  call.previews = fields.flag("previews").value_or(false);
  read_harmless(fields, call);
}

DrawCall parse_generation(const Json& body, const Served& served) {
  Fields fields(body);
  DrawCall call;
  read_prompt(fields, call);
  read_call(fields, served, call);
  call.ignored = fields.unread();
  return call;
}

OrderedJson usage_json(const DrawUsage& usage) {
  const int64_t in = usage.text_tokens + usage.image_tokens;
  return {{"input_tokens", in},
          {"input_tokens_details",
           {{"text_tokens", usage.text_tokens}, {"image_tokens", usage.image_tokens}}},
          {"output_tokens", usage.drawn},
          {"output_tokens_details", {{"image_tokens", usage.drawn}, {"text_tokens", 0}}},
          {"total_tokens", in + usage.drawn}};
}

OrderedJson images_json(const DrawCall& call, const Served& served, int64_t created,
                        const std::vector<Drawn>& pictures, const DrawUsage& usage) {
  OrderedJson data = OrderedJson::array();
  for (const Drawn& picture : pictures) {
    OrderedJson one;
    if (picture.url.empty()) {
      one["b64_json"] = to_base64(picture.file);
    } else {
      one["url"] = picture.url;
    }
    one["seed"] = picture.seed;
    data.push_back(std::move(one));
  }
  return {{"created", created},
          {"size", call.form.size_field},
          {"drawn_size", square(served.info.image)},
          {"quality", call.quality},
          {"background", call.background},
          {"output_format", call.form.format},
          {"data", std::move(data)},
          {"usage", usage_json(usage)}};
}

OrderedJson partial_json(const DrawCall& call, const Served& served, const std::string& kind,
                         int64_t created, const Partial& partial, const std::string& file) {
  OrderedJson json = event_json(call, kind + ".partial_image", file, created);
  json["partial_image_index"] = partial.number;
  json["image_index"] = partial.index;
  json["rows_done"] = partial.rows;
  json["rows"] = served.grid();
  return json;
}

OrderedJson completed_json(const DrawCall& call, const Served& served, const std::string& kind,
                           int64_t created, int index, const Drawn& picture,
                           const DrawUsage& usage) {
  OrderedJson json = event_json(call, kind + ".completed", picture.file, created);
  if (!picture.url.empty()) {
    json.erase("b64_json");
    json["url"] = picture.url;
  }
  json["drawn_size"] = square(served.info.image);
  json["usage"] = usage_json(usage);
  json["image_index"] = index;
  json["seed"] = picture.seed;
  return json;
}

OrderedJson preview_json(const Served& served, int index, uint64_t seed, int rows,
                         const std::string& file) {
  return {{"type", "januspro.preview"}, {"b64_json", to_base64(file)},
          {"image_index", index},       {"seed", seed},
          {"rows_done", rows},          {"rows", served.grid()}};
}

}  // namespace janus::serve
