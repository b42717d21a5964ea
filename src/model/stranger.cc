// SPDX-License-Identifier: MIT
#include "model/stranger.h"

#include "base/error.h"

namespace janus {
namespace {

struct Stranger {
  std::string_view begin;  // of its kind; the first row that fits counts
  std::string_view name;
};

constexpr Stranger kStrangers[] = {
    {"janusflow", "JanusFlow, which draws by rectified flow with another codec"},
    {"llava", "LLaVA, which reads pictures and cannot draw"},
    {"mlp", "LLaVA, which reads pictures and cannot draw"},
    {"ldp", "MobileVLM, which reads pictures and cannot draw"},
    {"qwen2_vl", "Qwen2-VL, which reads pictures and cannot draw"},
    {"qwen2vl", "Qwen2-VL, which reads pictures and cannot draw"},
    {"qwen2_5_vl", "Qwen2.5-VL, which reads pictures and cannot draw"},
    {"qwen2.5vl", "Qwen2.5-VL, which reads pictures and cannot draw"},
    {"qwen3_vl", "Qwen3-VL, which reads pictures and cannot draw"},
    {"qwen3vl", "Qwen3-VL, which reads pictures and cannot draw"},
    {"deepseek_vl", "DeepSeek-VL, which reads pictures and cannot draw"},
    {"deepseekocr", "DeepSeek-OCR, which reads pictures and cannot draw"},
    {"stable-diffusion", "Stable Diffusion or another pipeline of diffusers"},
    {"sd", "Stable Diffusion"},
    {"flux", "FLUX, a diffusion model"},
    {"chameleon", "Chameleon"},
    {"emu3", "Emu3"},
    {"clip", "a vision tower alone"},
    {"siglip", "a vision tower alone"},
    {"llama", "a plain LLaMA language model, without eyes and without a codec"},
    {"mistral", "a language model of Mistral, without eyes and without a codec"},
    {"qwen", "a language model of Qwen, without eyes and without a codec"},
    {"gemma", "Gemma"},
    {"phi", "a language model of the Phi family"},
    {"deepseek", "a language model of DeepSeek, without eyes and without a codec"},
};

}  // namespace

void refuse_stranger(const std::string& where, std::string_view kind, const std::string& evidence) {
  std::string_view name = "another model";
  for (const Stranger& stranger : kStrangers) {
    if (!kind.starts_with(stranger.begin)) continue;
    name = stranger.name;
    break;
  }
  fail(Code::not_supported, where, ": this is ", name, " (", evidence,
       "); only Janus-Pro and Janus-1.3B run here: take deepseek-ai/Janus-Pro-1B or -7B, or their "
       "copies under deepseek-community");
}

void refuse_strange_folder(const std::filesystem::path& folder) {
  std::error_code ignored;
  const auto has = [&](const char* name) {
    return std::filesystem::exists(folder / name, ignored);
  };
  for (const char* sign : {"model_index.json", "unet", "vae"}) {
    if (has(sign)) {
      refuse_stranger(folder.string(), "stable-diffusion", std::string("it has ") + sign);
    }
  }
  for (std::filesystem::directory_iterator entry(folder, ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    check(entry->path().extension() != ".gguf", Code::bad_input, folder.string(),
          ": is a directory that holds ", entry->path().filename().string(),
          "; name the file itself");
  }
}

}  // namespace janus
