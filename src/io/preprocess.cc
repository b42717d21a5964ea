// A byte has 256 values and a picture three channels, so the rule is a table of 768 numbers.
// SPDX-License-Identifier: MIT
#include "io/preprocess.h"

#include <cmath>

#include "base/error.h"
#include "io/file.h"
#include "io/json.h"
#include "io/resize.h"

namespace janus {
namespace {

using Json = nlohmann::json;

constexpr size_t kChannels = 3;
// OPENAI_CLIP_MEAN and OPENAI_CLIP_STD, the defaults of VLMImageProcessorConfig.
constexpr std::array<double, kChannels> kClipMean = {0.48145466, 0.4578275, 0.40821073};
constexpr std::array<double, kChannels> kClipDeviation = {0.26862954, 0.26130258, 0.27577711};

class Keys {
 public:
  Keys(const Json& root, const std::string& name) : root_(root), name_(name) {
    check(root.is_object(), Code::bad_checkpoint, name, " is not an object of settings");
  }
  double number(const char* key, double otherwise, double least, double most) const {
    if (!has(key)) return otherwise;
    const Json& value = root_[key];
    require(value.is_number() && value.get<double>() >= least && value.get<double>() <= most, key);
    return value.get<double>();
  }
  std::array<double, kChannels> three(const char* key, std::array<double, kChannels> otherwise,
                                      double least, double most) const {
    if (!has(key)) return otherwise;
    const Json& list = root_[key];
    require(list.is_array() && list.size() == kChannels, key);
    std::array<double, kChannels> values{};
    for (size_t c = 0; c < kChannels; ++c) {
      require(list[c].is_number(), key);
      values[c] = list[c].get<double>();
      require(values[c] >= least && values[c] <= most, key);
    }
    return values;
  }
  bool flag(const char* key) const {
    if (!has(key)) return true;
    require(root_[key].is_boolean(), key);
    return root_[key].get<bool>();
  }

 private:
  bool has(const char* key) const { return root_.contains(key) && !root_[key].is_null(); }
  void require(bool ok, const char* key) const {
    check(ok, Code::bad_checkpoint, name_, ": '", key,
          "' has no usable value; take the file that "
          "was published with the weights");
  }

  const Json& root_;
  const std::string& name_;
};

}  // namespace

Preprocessing parse_preprocessing(const std::string& json, const std::string& name) {
  const Json root = parse_json(json, name);
  const Keys keys(root, name);
  for (const char* step : {"do_resize", "do_rescale"}) {
    check(keys.flag(step), Code::not_supported, name, ": '", step,
          "' is switched off, but the model reads pictures of one size and range");
  }
  Preprocessing rule;
  rule.rescale = keys.number("rescale_factor", rule.rescale, 0.0, 1.0);
  rule.min_side = static_cast<int>(keys.number("min_size", rule.min_side, 1.0, 1e6));
  const auto mean = keys.three("image_mean", kClipMean, 0.0, 1.0);
  const auto deviation = keys.three("image_std", kClipDeviation, 1e-6, 1e6);
  const bool normalised = keys.flag("do_normalize");
  for (size_t c = 0; c < kChannels; ++c) {
    rule.mean[c] = normalised ? static_cast<float>(mean[c]) : 0.0f;
    rule.deviation[c] = normalised ? static_cast<float>(deviation[c]) : 1.0f;
    rule.fill[c] = static_cast<uint8_t>(mean[c] * 255);
  }
  return rule;
}

Preprocessing load_preprocessing(const std::filesystem::path& dir) {
  const auto path = dir / "preprocessor_config.json";
  std::error_code ignored;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) return {};
  return parse_preprocessing(read_text(path, 1'000'000), path.string());
}

void prepare_for_reading(const Image& image, int side, const Preprocessing& rule,
                         std::span<float> out) {
  const Image fitted = fit_and_pad(image, side, rule.fill, rule.min_side);
  check(out.size() == fitted.rgb.size(), Code::bug, "a picture of ", side, " x ", side,
        " does not fill ", out.size(), " numbers");
  std::array<std::array<float, 256>, kChannels> table;
  for (size_t c = 0; c < kChannels; ++c) {
    for (size_t value = 0; value < 256; ++value) {
      const auto scaled = static_cast<float>(static_cast<double>(value) * rule.rescale);
      table[c][value] = (scaled - rule.mean[c]) / rule.deviation[c];
    }
  }
  for (size_t i = 0; i < out.size(); ++i) out[i] = table[i % kChannels][fitted.rgb[i]];
}

}  // namespace janus
