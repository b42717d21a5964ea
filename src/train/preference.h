// Of two drawings of a prompt, or two replies to a question, one is to become likelier than the
// other, measured from what the model gave both before: direct preference optimisation, Rafailov et
// al. 2023 (arXiv 2305.18290, equation 7). Of a pair
//
//   -log sigmoid(beta ((log p(chosen) - log p0(chosen)) - (log p(rejected) - log p0(rejected))))
//
// p0 is the model that the recipe starts from; log p sums over all codes of a picture, edits among
// them, and over all replies of a conversation, of which only the last differs. Every pair of a
// step counts the same. preference.supervised adds the plain loss of what is chosen, which keeps
// that from becoming less likely as long as the other does so faster.
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "train/code_cache.h"
#include "train/data.h"
#include "train/inputs.h"
#include "train/net.h"
#include "train/shares.h"
#include "train/task.h"

namespace janus::train {

class Preference {
 public:
  // `net` as the training begins, with its adapter if it has one: p0 is then the network without
  // it, else a copy of what learns.
  Preference(const Recipe& recipe, const Janus& net, const SpecialIds& ids);

  // The rows' part of the step's loss. `shares`: of the step, what is rejected left out.
  torch::Tensor of(std::span<const DrawRow> rows, const Shares& shares, CodeCache* kept,
                   Figures& figures);
  torch::Tensor of(std::span<const AskRow> rows, const Shares& shares, Figures& figures);

 private:
  struct Pairs {
    torch::Tensor chosen, rejected;  // log p, [rows]
  };
  // `log_p`: of the rows' pairs under a network. `counted`: what a target of each row counts.
  torch::Tensor loss_of(const std::function<Pairs(Janus& net)>& log_p, const torch::Tensor& counted,
                        const Shares& shares, Figures& figures);

  Recipe recipe_;
  Janus net_;
  std::optional<Janus> copy_;  // p0 where no adapter learns
  SpecialIds ids_;
};

}  // namespace janus::train
