// See preference.h. SPDX-License-Identifier: MIT
#include "train/preference.h"

#include <vector>

#include "train/checkpoint.h"
#include "train/dense.h"
#include "train/drawing.h"
#include "train/precision.h"
#include "train/stage.h"

namespace janus::train {
namespace {

// The same network as it is now; what does not learn is shared with it.
Janus copy_of(const Recipe& recipe, const Janus& net) {
  torch::NoGradGuard off;
  Janus copy(net->config);
  NamedTensors own = named_parameters(*copy);
  for (const auto& [name, weight] : named_parameters(*net)) {
    own.at(name).set_data(is_trained(recipe, name) ? weight.detach().clone() : weight.detach());
  }
  return copy;
}

// Sum of log p over the targets of each row.   logits [M, C], labels [M], row [M] -> [rows]
torch::Tensor sums(const torch::Tensor& logits, const torch::Tensor& labels,
                   const torch::Tensor& row, int64_t rows) {
  const torch::Tensor each =
      torch::cross_entropy_loss(logits.to(torch::kFloat), labels, {}, at::Reduction::None);
  return torch::zeros({rows}).index_add(0, row, -each);
}

// Which row each target is of, `count` targets a row.
torch::Tensor rows_of(const std::vector<int64_t>& counts) {
  std::vector<int64_t> all;
  for (size_t row = 0; row < counts.size(); ++row) {
    all.insert(all.end(), static_cast<size_t>(counts[row]), static_cast<int64_t>(row));
  }
  return torch::tensor(all);
}

template <class Row>
torch::Tensor counted_of(std::span<const Row> rows, const Shares& shares) {
  std::vector<float> all;
  for (const Row& row : rows) all.push_back(static_cast<float>(shares.of(targets_of(row))));
  return torch::tensor(all);
}

}  // namespace

Preference::Preference(const Recipe& recipe, const Janus& net, const SpecialIds& ids)
    : recipe_(recipe), net_(net), ids_(ids) {
  if (recipe.lora.rank == 0) copy_ = copy_of(recipe, net);
}

torch::Tensor Preference::loss_of(const std::function<Pairs(Janus& net)>& log_p,
                                  const torch::Tensor& counted, const Shares& shares,
                                  Figures& figures) {
  const Precision precision(recipe_);
  const Pairs now = log_p(net_);
  Pairs before;
  {
    const torch::NoGradGuard off;
    const WithoutAdditions plain;
    before = log_p(copy_ ? *copy_ : net_);
  }
  const auto all = static_cast<double>(shares.rows());
  const torch::Tensor gained = now.chosen - before.chosen;
  const torch::Tensor margin =
      recipe_.preference.beta * (gained - (now.rejected - before.rejected));
  const torch::Tensor loss = -torch::log_sigmoid(margin).sum() / all;
  const auto mean = [&](const torch::Tensor& each) { return each.sum().item<double>() / all; };
  figures["preference_loss"] += loss.item<double>();
  figures["preferred"] += mean((margin > 0).to(torch::kFloat));
  figures["margin"] += mean(margin);
  figures["chosen_gain"] += mean(gained);  // in nats a row
  return loss - recipe_.preference.supervised * (counted * now.chosen).sum();
}

torch::Tensor Preference::of(std::span<const DrawRow> rows, const Shares& shares, CodeCache* kept,
                             Figures& figures) {
  const torch::Tensor chosen = codes_of(net_, rows, kept);
  const torch::Tensor rejected = rejected_codes(net_, rows, kept);
  const torch::Tensor sources = source_codes(net_, rows, kept);
  const Inputs inputs = draw_inputs(rows, recipe_.model.config, ids_, recipe_.packed_length());
  const torch::Tensor row = rows_of(std::vector<int64_t>(rows.size(), chosen.size(1)));
  const auto log_p = [&](Janus& net, const torch::Tensor& codes) {
    const torch::Tensor hidden = net->decode_at(inputs, draw_vectors(net, codes, sources, rows));
    return sums(net->code_logits(hidden), codes.flatten(), row, std::ssize(rows));
  };
  return loss_of(
      [&](Janus& net) {
        return Pairs{log_p(net, chosen), log_p(net, rejected)};
      },
      counted_of(rows, shares), shares, figures);
}

torch::Tensor Preference::of(std::span<const AskRow> rows, const Shares& shares, Figures& figures) {
  std::vector<AskRow> worse;  // without pictures, which are the same
  for (const AskRow& row : rows) worse.emplace_back().dialogue = *row.rejected;
  const torch::Tensor pixels = stack_pixels(rows, recipe_.model.config.vision.image);
  const auto log_p = [&](Janus& net, std::span<const AskRow> asked, const torch::Tensor& seen) {
    const Inputs inputs = ask_inputs(asked, recipe_.model.config, ids_, recipe_.packed_length());
    std::vector<int64_t> counts;
    for (const AskRow& row : asked) counts.push_back(targets_of(row).count);
    return sums(net->text_logits(net->decode_at(inputs, seen)), torch::tensor(inputs.labels),
                rows_of(counts), std::ssize(asked));
  };
  const auto both = [&](Janus& net) {
    torch::Tensor seen;  // stays undefined where no row has a picture
    if (pixels.size(0) > 0) seen = net->embed_image(pixels).flatten(0, 1);
    return Pairs{log_p(net, rows, seen), log_p(net, worse, seen)};
  };
  return loss_of(both, counted_of(rows, shares), shares, figures);
}

}  // namespace janus::train
