// See recompute.h. SPDX-License-Identifier: MIT
#include "train/recompute.h"

#include <ATen/autocast_mode.h>

#include <optional>
#include <utility>
#include <vector>

#include "train/dense.h"

namespace janus::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The precision that a thread computes in, set for a while. Casts of weights are not shared: the
// first run makes them without gradients, and another thread's second run must not get those.
class Autocast {
 public:
  explicit Autocast(bool enabled)
      : enabled_(at::autocast::is_autocast_enabled(at::kCPU)),
        cached_(at::autocast::is_autocast_cache_enabled()) {
    at::autocast::set_autocast_enabled(at::kCPU, enabled);
    at::autocast::set_autocast_cache_enabled(false);
  }
  ~Autocast() {
    at::autocast::set_autocast_enabled(at::kCPU, enabled_);
    at::autocast::set_autocast_cache_enabled(cached_);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool enabled_, cached_;
};

thread_local bool in_second_run = false;

struct SecondRun {
  SecondRun() { in_second_run = true; }
  ~SecondRun() { in_second_run = false; }
};

// What the second run needs besides the input.
struct Work : torch::CustomClassHolder {
  std::function<torch::Tensor(const torch::Tensor&)> run;
  variable_list weights;  // that ask for gradients
  std::optional<torch::Generator> random;
  bool autocast = false;
};

struct Recomputed : torch::autograd::Function<Recomputed> {
  static torch::Tensor forward(AutogradContext* context, const c10::intrusive_ptr<Work>& work,
                               const torch::Tensor& x, const at::TensorList&) {
    context->save_for_backward({x});
    context->saved_data["work"] = c10::IValue::make_capsule(work);
    const Autocast precision(work->autocast);
    return work->run(x);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto capsule = context->saved_data["work"].toCapsule();
    const auto& work = static_cast<const Work&>(*capsule);
    const torch::Tensor given = context->get_saved_variables()[0];
    const torch::Tensor x = given.detach().set_requires_grad(given.requires_grad());
    variable_list inputs = work.weights;
    if (x.requires_grad()) inputs.push_back(x);
    torch::Tensor y;
    {
      const torch::AutoGradMode on(true);
      const Autocast precision(work.autocast);
      std::optional<Dropout> dropout;
      if (work.random) dropout.emplace(work.random->clone());
      y = work.run(x);
    }
    variable_list found;
    {
      const SecondRun second;
      found = torch::autograd::grad({y}, inputs, grads, std::nullopt, false, true);
    }
    variable_list all(2);  // of the work, which has none, and of x; then of the weights
    if (x.requires_grad()) {
      all[1] = found.back();
      found.pop_back();
    }
    all.insert(all.end(), found.begin(), found.end());
    return all;
  }
};

// Parameters and factors of additions, as far as they are trained.
variable_list trained_weights(const torch::nn::Module& layer) {
  variable_list all;
  const auto add = [&all](const torch::Tensor& weight) {
    if (weight.defined() && weight.requires_grad()) all.push_back(weight);
  };
  for (const torch::Tensor& weight : layer.parameters()) add(weight);
  for (const auto& module : layer.modules()) {
    if (const auto* dense = module->as<DenseImpl>()) {
      add(dense->addition.a);
      add(dense->addition.b);
    }
  }
  return all;
}

}  // namespace

bool recomputing() { return in_second_run; }

torch::Tensor recomputed(const torch::nn::Module& layer,
                         std::function<torch::Tensor(const torch::Tensor&)> run,
                         const torch::Tensor& x) {
  if (!torch::GradMode::is_enabled()) return run(x);
  auto work = c10::make_intrusive<Work>();
  work->run = std::move(run);
  work->weights = trained_weights(layer);
  work->random = Dropout::state();
  work->autocast = at::autocast::is_autocast_enabled(at::kCPU);
  return Recomputed::apply(work, x, at::TensorList(work->weights));
}

}  // namespace janus::train
