// See processes.h. SPDX-License-Identifier: MIT
#include "train/processes.h"

#include <algorithm>

#include "base/error.h"
#include "train/link.h"
#include "train/roll_call.h"

namespace janus::train {

Processes::Processes() = default;

Processes::Processes(const Place& place, const Log& log) : place_(place) {
  if (place.size == 1) return;
  Joined joined = join(place, log);
  link_ = std::move(joined.link);
  roll_call_ = std::move(joined.roll_call);
}

Processes::~Processes() = default;

void Processes::sum(torch::Tensor& values) {
  if (alone()) return;
  link_->sum(values);
  sent_ += 2 * values.nbytes() * (size() - 1) / size();
}

void Processes::sum(std::vector<double>& values) {
  if (alone()) return;
  torch::Tensor all = torch::tensor(values, torch::kDouble);
  sum(all);
  std::copy_n(all.data_ptr<double>(), values.size(), values.begin());
}

torch::Tensor Processes::sum_part(const torch::Tensor& values) {
  if (alone()) return values;
  torch::Tensor mine = values.view({size(), -1});
  torch::Tensor all = torch::empty_like(mine);
  link_->exchange(all, mine);
  sent_ += values.nbytes() * (size() - 1) / size();
  torch::Tensor sum = all[0].clone();
  for (int rank = 1; rank < size(); ++rank) sum.add_(all[rank]);
  return sum;
}

void Processes::gather(const torch::Tensor& part, torch::Tensor& whole) {
  torch::Tensor mine = part.contiguous();
  if (alone()) {
    whole.copy_(mine);
    return;
  }
  link_->gather(whole, mine);
  sent_ += static_cast<int64_t>(mine.nbytes()) * (size() - 1);
}

void Processes::from_first(torch::Tensor& values) {
  if (alone()) return;
  link_->from_first(values);
  if (leads()) sent_ += static_cast<int64_t>(values.nbytes());
}

double Processes::from_first(double value) {
  torch::Tensor values = torch::tensor({value}, torch::kDouble);
  from_first(values);
  return values.item<double>();
}

bool Processes::any(bool mine) {
  std::vector<double> count = {mine ? 1.0 : 0.0};
  sum(count);
  return count[0] > 0;
}

std::vector<std::string> Processes::texts(const std::string& mine) {
  if (alone()) return {mine};
  torch::Tensor lengths = torch::empty({size()}, torch::kLong);
  gather(torch::tensor({static_cast<int64_t>(mine.size())}, torch::kLong), lengths);
  const auto longest = lengths.max().item<int64_t>();
  std::vector<std::string> all(static_cast<size_t>(size()));
  if (longest == 0) return all;
  torch::Tensor bytes = torch::zeros({longest}, torch::kByte);
  std::copy(mine.begin(), mine.end(), bytes.data_ptr<uint8_t>());
  torch::Tensor whole = torch::empty({size() * longest}, torch::kByte);
  gather(bytes, whole);
  for (size_t rank = 0; rank < all.size(); ++rank) {
    const auto* begin = whole.data_ptr<uint8_t>() + static_cast<int64_t>(rank) * longest;
    all[rank].assign(begin, begin + lengths[static_cast<int64_t>(rank)].item<int64_t>());
  }
  return all;
}

void Processes::meet() { any(false); }

void Processes::same(const std::string& what, const std::string& mine) {
  const std::vector<std::string> all = texts(mine);
  const auto other = std::ranges::find_if(all, [&](const auto& text) { return text != all[0]; });
  check(other == all.end(), Code::bad_input, "process ", other - all.begin(), " of ", size(),
        " has another ", what,
        " than process 0: they must be started alike, and see the same files");
}

void Processes::explain(const Deserted& what) {
  const std::string who = roll_call_ ? roll_call_->who_is_missing() : what.what();
  fail(Code::device_failure, who);
}

void Processes::leave(const std::string& reason) {
  if (roll_call_) roll_call_->leave(reason);
}

void Processes::part() {
  if (alone()) return;
  meet();
  roll_call_.reset();
}

}  // namespace janus::train
