// See sample.h.
// SPDX-License-Identifier: MIT
#include "train/sample.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/rng.h"

namespace janus::train {
namespace {

constexpr size_t kTogether = 32;  // requests in one batch

// Positions of requests with equal length, in groups of at most kTogether; those with and without a
// picture apart.
template <class Request>
std::vector<std::vector<size_t>> by_length(const std::vector<Request>& requests) {
  std::map<std::pair<size_t, bool>, std::vector<size_t>> lengths;
  for (size_t i = 0; i < requests.size(); ++i) {
    bool shown = false;
    if constexpr (requires { requests[i].pixels; }) shown = !requests[i].pixels.empty();
    lengths[{requests[i].prompt.size(), shown}].push_back(i);
  }
  std::vector<std::vector<size_t>> groups;
  for (const auto& [length, members] : lengths) {
    for (size_t begin = 0; begin < members.size(); begin += kTogether) {
      const size_t end = std::min(begin + kTogether, members.size());
      groups.emplace_back(members.begin() + static_cast<ptrdiff_t>(begin),
                          members.begin() + static_cast<ptrdiff_t>(end));
    }
  }
  return groups;
}

torch::Tensor to_ids(const std::vector<const std::vector<int32_t>*>& rows) {
  std::vector<int64_t> flat;
  for (const auto* row : rows) flat.insert(flat.end(), row->begin(), row->end());
  return torch::tensor(flat).view({static_cast<int64_t>(rows.size()), -1});
}

// One draw from softmax(logits).   logits [C]
int64_t pick(const torch::Tensor& logits, double u) {
  const torch::Tensor sums = torch::softmax(logits, 0).to(torch::kDouble).cumsum(0);
  const double target = u * sums[-1].item<double>();
  const auto* begin = sums.data_ptr<double>();
  const auto* found = std::upper_bound(begin, begin + sums.numel(), target);
  return std::min<int64_t>(found - begin, sums.numel() - 1);
}

}  // namespace

std::vector<std::vector<int64_t>> draw_codes(Janus& net, const std::vector<DrawRequest>& requests,
                                             double guidance) {
  torch::NoGradGuard off;
  const int64_t count = net->config.image_tokens();
  std::vector<std::vector<int64_t>> codes(requests.size());
  for (const std::vector<size_t>& group : by_length(requests)) {
    const auto rows = static_cast<int64_t>(group.size());
    std::vector<const std::vector<int32_t>*> prompts;
    for (const size_t i : group) prompts.push_back(&requests[i].prompt);
    for (const size_t i : group) prompts.push_back(&requests[i].unguided);
    std::vector<LayerCache> cache(static_cast<size_t>(net->config.llama.layers));
    torch::Tensor x = net->embed_text(to_ids(prompts));
    std::vector<Philox> random;
    for (const size_t i : group) random.emplace_back(requests[i].seed, 0);
    for (int64_t step = 0; step < count; ++step) {
      const torch::Tensor hidden = net->model->language_model(x, &cache);
      const torch::Tensor logits = net->code_logits(hidden.select(1, hidden.size(1) - 1));
      const torch::Tensor with = logits.narrow(0, 0, rows);
      const torch::Tensor without = logits.narrow(0, rows, rows);
      const torch::Tensor guided = without + guidance * (with - without);
      std::vector<int64_t> next;
      for (int64_t r = 0; r < rows; ++r) {
        const auto i = static_cast<size_t>(r);
        next.push_back(pick(guided[r], random[i].uniform()));
        codes[group[i]].push_back(next.back());
      }
      const torch::Tensor fed = torch::tensor(next);
      x = net->embed_codes(torch::cat({fed, fed})).unsqueeze(1);
    }
  }
  return codes;
}

torch::Tensor decode_codes(Janus& net, const std::vector<std::vector<int64_t>>& codes) {
  torch::NoGradGuard off;
  std::vector<torch::Tensor> rows;
  for (const auto& one : codes) rows.push_back(torch::tensor(one));
  return net->model->vqmodel->decode(net->model->vqmodel->look_up(torch::stack(rows)));
}

std::vector<std::vector<int32_t>> answers(Janus& net, const std::vector<AskRequest>& requests,
                                          int32_t image, int32_t eos, int64_t longest) {
  torch::NoGradGuard off;
  const int side = net->config.image;
  std::vector<std::vector<int32_t>> replies(requests.size());
  for (const std::vector<size_t>& group : by_length(requests)) {
    const auto rows = static_cast<int64_t>(group.size());
    std::vector<const std::vector<int32_t>*> prompts;
    std::vector<float> pixels;
    for (const size_t i : group) {
      prompts.push_back(&requests[i].prompt);
      pixels.insert(pixels.end(), requests[i].pixels.begin(), requests[i].pixels.end());
    }
    const torch::Tensor ids = to_ids(prompts);
    torch::Tensor x = net->embed_text(ids);
    if (!pixels.empty()) {
      const torch::Tensor seen =
          net->embed_image(torch::from_blob(pixels.data(), {rows, 3, side, side}));
      x = x.masked_scatter((ids == image).unsqueeze(-1).expand_as(x), seen.contiguous());
    }
    std::vector<LayerCache> cache(static_cast<size_t>(net->config.llama.layers));
    std::vector<bool> ended(group.size(), false);
    for (int64_t step = 0; step < longest; ++step) {
      const torch::Tensor hidden = net->model->language_model(x, &cache);
      const torch::Tensor next =
          net->text_logits(hidden.select(1, hidden.size(1) - 1)).argmax(-1);  // [rows]
      for (size_t i = 0; i < group.size(); ++i) {
        const auto id = static_cast<int32_t>(next[static_cast<int64_t>(i)].item<int64_t>());
        if (id == eos) ended[i] = true;
        if (!ended[i]) replies[group[i]].push_back(id);
      }
      if (std::all_of(ended.begin(), ended.end(), [](bool b) { return b; })) break;
      x = net->embed_text(next).unsqueeze(1);
    }
  }
  return replies;
}

}  // namespace janus::train
