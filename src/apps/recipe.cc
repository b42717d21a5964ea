// See recipe.h. SPDX-License-Identifier: MIT
#include "apps/recipe.h"

#include <cstdio>

#include "base/error.h"

namespace janus {

DrawRequest Recipe::request() const {
  DrawRequest request;
  request.prompt = prompt;
  request.negative = negative;
  request.seed = seed;
  request.guidance = static_cast<float>(guidance);
  request.temperature = static_cast<float>(temperature);
  request.top_k = top_k;
  request.top_p = static_cast<float>(top_p);
  return request;
}

void Recipe::drawn_by(const std::string& name, const ModelInfo& info, bool rounded_rope) {
  model = name;
  model_hash = info.hash;
  adapters.clear();
  for (const LoraAdapter& one : info.adapters) {
    char scale[32];
    std::snprintf(scale, sizeof scale, ":%g", one.scale);
    adapters.push_back(std::filesystem::weakly_canonical(one.directory).filename().string() +
                       scale);
  }
  backend = info.backend;
  weights = info.weights;
  cache = info.cache;
  round_rope = rounded_rope;
  version = janus::version();
}

nlohmann::ordered_json Recipe::to_json() const {
  nlohmann::ordered_json json{{"prompt", prompt},
                              {"negative", negative},
                              {"seed", seed},
                              {"guidance", guidance},
                              {"temperature", temperature},
                              {"top_k", top_k},
                              {"top_p", top_p},
                              {"model", model},
                              {"model_hash", model_hash},
                              {"backend", backend},
                              {"weights", weights},
                              {"cache", cache},
                              {"round_rope", round_rope},
                              {"version", version}};
  if (!adapters.empty()) json["adapters"] = adapters;
  if (!edit.is_null()) json["edit"] = edit;
  return json;
}

std::map<std::string, std::string> Recipe::as_text() const {
  const auto replace = nlohmann::ordered_json::error_handler_t::replace;
  return {{kRecipeKey, to_json().dump(-1, ' ', false, replace)}};
}

Recipe read_recipe(const std::filesystem::path& picture) {
  const std::map<std::string, std::string> text = picture_text(picture);
  const auto found = text.find(kRecipeKey);
  check(found != text.end(), Code::bad_input, picture.string(), ": holds no recipe (no `",
        kRecipeKey, "` text, no EXIF comment); was it saved again by another program?");
  Recipe recipe;
  try {
    const auto json = nlohmann::json::parse(found->second);
    json.at("prompt").get_to(recipe.prompt);
    json.at("negative").get_to(recipe.negative);
    json.at("seed").get_to(recipe.seed);
    json.at("guidance").get_to(recipe.guidance);
    json.at("temperature").get_to(recipe.temperature);
    json.at("top_k").get_to(recipe.top_k);
    json.at("top_p").get_to(recipe.top_p);
    json.at("model").get_to(recipe.model);
    json.at("model_hash").get_to(recipe.model_hash);
    json.at("backend").get_to(recipe.backend);
    json.at("weights").get_to(recipe.weights);
    json.at("cache").get_to(recipe.cache);
    json.at("round_rope").get_to(recipe.round_rope);
    json.at("version").get_to(recipe.version);
    if (json.contains("adapters")) json["adapters"].get_to(recipe.adapters);
    if (json.contains("edit")) recipe.edit = json["edit"];
  } catch (const nlohmann::json::exception& error) {
    fail(Code::bad_input, picture.string(), ": its `", kRecipeKey,
         "` text is not a recipe of this program: ", error.what());
  }
  return recipe;
}

}  // namespace janus
