// See rows.h.
// SPDX-License-Identifier: MIT
#include "train/rows.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"
#include "generate/prompt.h"
#include "io/image.h"
#include "io/preprocess.h"
#include "io/processor_config.h"
#include "io/special_tokens.h"
#include "train/checkpoint.h"
#include "train/net.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::string_view kMark = "<image>";

// A model ready to be asked for losses.
struct Judge {
  Config config;
  PromptBuilder prompts;
  Preprocessing preprocessing;
  Janus net;
};

Judge load_judge(const fs::path& dir) {
  const Config config = load_config(dir);
  check(config.layout == Layout::transformers, Code::not_supported, dir.string(),
        ": losses are computed on checkpoints in the transformers layout");
  const ProcessorConfig processor = load_processor_config(dir);
  Judge judge = {config,
                 PromptBuilder(Tokenizer::load(dir / "tokenizer.json"), config.vision.tokens(),
                               processor.system_prompt),
                 load_preprocessing(dir), Janus(config)};
  load_tensors(dir / "model.safetensors", named_parameters(*judge.net));
  return judge;
}

// Replaces every mark by the placeholder of the template and counts them.
int64_t place_images(std::string& text) {
  int64_t count = 0;
  for (size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at)) {
    text.replace(at, kMark.size(), kImageToken);
    at += kImageToken.size();
    ++count;
  }
  return count;
}

std::vector<Message> messages_of(const Json& row) {
  std::vector<Message> messages;
  for (const Json& item : row.at("messages")) {
    const std::string role = item.at("role");
    check(role == "user" || role == "assistant", Code::bad_input, "role \"", role,
          "\" is neither user nor assistant");
    Message message;
    message.role = role == "user" ? Role::user : Role::assistant;
    message.text = item.at("content");
    message.images = place_images(message.text);
    messages.push_back(std::move(message));
  }
  check(!messages.empty(), Code::bad_input, "no messages");
  return messages;
}

double sum_of_losses(const torch::Tensor& logits, const torch::Tensor& labels) {
  return torch::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum).item<double>();
}

RowLoss generate_loss(Judge& judge, const Json& row) {
  const std::vector<Message> messages = messages_of(row);
  const std::vector<int64_t> codes = row.at("target_codes");
  check(static_cast<int64_t>(codes.size()) == judge.config.image_tokens(), Code::bad_input,
        codes.size(), " target_codes, the model draws ", judge.config.image_tokens());
  for (const int64_t code : codes) {
    check(code >= 0 && code < judge.config.vq.codes, Code::bad_input, "target code ", code,
          " is outside 0..", judge.config.vq.codes - 1);
  }
  DrawRow drawn;
  drawn.prompt = judge.prompts.draw(messages.front().text);
  const Inputs inputs = draw_inputs({&drawn, 1}, judge.config, judge.prompts.ids());
  const torch::Tensor wanted = torch::tensor(codes);
  const torch::Tensor logits =
      judge.net->code_logits(judge.net->decode_at(inputs, judge.net->embed_codes(wanted)));
  return {0, "generate", wanted.numel(), sum_of_losses(logits, wanted)};
}

// Every picture of the row, prepared for reading.   -> [n, 3, S, S]
torch::Tensor pictures_of(const Judge& judge, const Json& row, const fs::path& folder) {
  const int64_t side = judge.config.vision.image;
  std::vector<torch::Tensor> pictures;
  for (const Json& path : row.value("images", Json::array())) {
    const torch::Tensor pixels = torch::empty({side, side, 3});
    prepare_for_reading(load_image(folder / path.get<std::string>()), static_cast<int>(side),
                        judge.preprocessing,
                        {pixels.data_ptr<float>(), static_cast<size_t>(pixels.numel())});
    pictures.push_back(pixels.permute({2, 0, 1}).contiguous());
  }
  return pictures.empty() ? torch::empty({0, 3, side, side}) : torch::stack(pictures);
}

RowLoss understand_loss(Judge& judge, const Json& row, const fs::path& folder) {
  const std::vector<Message> messages = messages_of(row);
  std::optional<std::string> system;
  if (row.contains("system")) system = row.at("system").get<std::string>();
  AskRow taught;
  taught.dialogue = teach(judge.prompts, messages, system);
  const Inputs inputs = ask_inputs({&taught, 1}, judge.config, judge.prompts.ids());
  check(!inputs.labels.empty(), Code::bad_input, "no reply to compute a loss on");
  const torch::Tensor pictures = pictures_of(judge, row, folder);
  int64_t marks = 0;
  for (const Message& message : messages) marks += message.images;
  check(marks == pictures.size(0), Code::bad_input, marks, " <image> marks for ", pictures.size(0),
        " images");
  const torch::Tensor vectors = pictures.size(0) > 0
                                    ? judge.net->embed_image(pictures).flatten(0, 1)
                                    : torch::empty({0, judge.config.llama.width});
  const torch::Tensor logits = judge.net->text_logits(judge.net->decode_at(inputs, vectors));
  return {0, row.at("task"), static_cast<int64_t>(inputs.labels.size()),
          sum_of_losses(logits, torch::tensor(inputs.labels))};
}

}  // namespace

void row_losses(const fs::path& model, const fs::path& data,
                const std::function<void(const RowLoss&)>& report) {
  torch::NoGradGuard off;
  Judge judge = load_judge(model);
  std::ifstream in(data);
  check(in.good(), Code::bad_input, data.string(), " cannot be read");
  std::string line;
  for (int64_t number = 0; std::getline(in, line); ++number) {
    try {
      const Json row = Json::parse(line);
      const std::string task = row.at("task");
      check(task == "generate" || task == "understand" || task == "text", Code::bad_input,
            "task \"", task, "\" is none of generate, understand, text");
      RowLoss loss = task == "generate" ? generate_loss(judge, row)
                                        : understand_loss(judge, row, data.parent_path());
      loss.row = number;
      report(loss);
    } catch (const Json::exception& error) {
      fail(Code::bad_input, data.string(), ", line ", number + 1, ": ", error.what());
    } catch (const Error& error) {
      fail(error.code(), data.string(), ", line ", number + 1, ": ", error.what());
    }
  }
}

}  // namespace janus::train
