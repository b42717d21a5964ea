// See checkpoint.h.
// SPDX-License-Identifier: MIT
#include "train/checkpoint.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "io/file.h"
#include "io/safetensors.h"

namespace janus::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kBest = "best.json";

Dtype stored_type(torch::ScalarType type, const std::string& name) {
  switch (type) {
    case torch::kFloat:
      return Dtype::f32;
    case torch::kBFloat16:
      return Dtype::bf16;
    case torch::kLong:
      return Dtype::i64;
    case torch::kByte:
      return Dtype::u8;
    default:
      fail(Code::bug, "save_tensors: ", name, " has a type that is not stored");
  }
}

std::string step_name(int64_t step) {
  char text[32];
  std::snprintf(text, sizeof text, "step-%08lld", static_cast<long long>(step));
  return text;
}

// Whole checkpoints of a run, oldest first.
std::vector<fs::path> checkpoints(const fs::path& run) {
  std::vector<fs::path> all;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(run, error)) {
    const std::string name = entry.path().filename().string();
    if (name.size() == step_name(0).size() && name.starts_with("step-"))
      all.push_back(entry.path());
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

NamedTensors named_parameters(const torch::nn::Module& module) {
  NamedTensors all;
  for (const auto& item : module.named_parameters()) all[item.key()] = item.value();
  return all;
}

void save_tensors(const fs::path& path, const NamedTensors& tensors, bool bf16) {
  save_tensors(path, kept(tensors), bf16);
}

void save_tensors(const fs::path& path, const KeptTensors& tensors, bool bf16) {
  std::vector<TensorEntry> entries;
  for (const auto& [name, one] : tensors) {
    const auto type = bf16 && at::isFloatingType(one.type) ? torch::kBFloat16 : one.type;
    TensorEntry entry;
    entry.name = name;
    entry.dtype = stored_type(type, name);
    entry.shape = one.shape;
    entry.produce = [&one, type](const auto& sink) {
      const torch::Tensor values = one.whole().detach().to(type).contiguous();
      sink({static_cast<const std::byte*>(values.data_ptr()), values.nbytes()});
    };
    entries.push_back(std::move(entry));
  }
  write_safetensors(path, entries, {{"format", "pt"}});
}

void load_parts(const fs::path& path, std::span<const FilePart> parts) {
  torch::NoGradGuard off;
  const StoredTensors stored = read_safetensors(path);
  for (const auto& [name, shape, begin, into] : parts) {
    const auto found = stored.find(name);
    check(found != stored.end(), Code::bad_checkpoint, path.string(), ": ", name, " ",
          shape_text(shape), " is missing; was it written by another kind of run?");
    const StoredTensor& source = found->second;
    check(source.shape == shape, Code::bad_checkpoint, path.string(), ": ", name, " is ",
          shape_text(source.shape), ", the recipe makes it ", shape_text(shape));
    check(source.dense() && source.dtype != Dtype::i64, Code::bad_checkpoint, path.string(), ": ",
          name, " is stored in a form that no run writes");
    torch::Tensor values = torch::empty(into.sizes(), torch::kFloat);
    source.read_f32(begin, {values.data_ptr<float>(), static_cast<size_t>(values.numel())});
    into.detach().copy_(values);
  }
}

void load_tensors(const fs::path& path, const NamedTensors& into) {
  std::vector<FilePart> all;
  for (const auto& [name, tensor] : into) all.push_back({name, tensor.sizes().vec(), 0, tensor});
  load_parts(path, all);
}

void save_checkpoint(const fs::path& run, const Checkpoint& at, const NamedTensors& weights,
                     const KeptTensors& state, int64_t keep) {
  const fs::path target = run / step_name(at.step);
  const fs::path partial = run / ("partial-" + step_name(at.step));
  std::error_code error;
  fs::remove_all(partial, error);
  fs::create_directories(partial, error);
  check(!error, Code::device_failure, partial.string(), ": ", error.message());
  save_tensors(partial / "weights.safetensors", weights);
  save_tensors(partial / "optimizer.safetensors", state);
  const Json json = {{"step", at.step}, {"seed", at.seed}};
  AtomicFile file(partial / "state.json");
  file.write(json.dump(2) + "\n");
  file.commit();
  fs::remove_all(target, error);
  fs::rename(partial, target, error);
  check(!error, Code::device_failure, target.string(), ": ", error.message());
  const std::vector<fs::path> all = checkpoints(run);
  const auto best = checkpoint_of(run, best_checkpoint(run));
  for (size_t i = 0; i + static_cast<size_t>(keep) < all.size(); ++i) {
    if (all[i] != best) fs::remove_all(all[i], error);
  }
}

void mark_best(const fs::path& run, const Best& best) {
  AtomicFile file(run / kBest);
  file.write(Json({{"step", best.step}, {"worth", best.worth}}).dump() + "\n");
  file.commit();
}

std::optional<Best> best_checkpoint(const fs::path& run) {
  if (!fs::exists(run / kBest)) return {};
  try {
    const Json json = Json::parse(read_text(run / kBest));
    return Best{json.at("step").get<int64_t>(), json.at("worth").get<double>()};
  } catch (const Json::exception& error) {
    fail(Code::bad_checkpoint, (run / kBest).string(), ": ", error.what());
  }
}

std::optional<fs::path> checkpoint_of(const fs::path& run, const std::optional<Best>& best) {
  if (!best || !fs::exists(run / step_name(best->step))) return {};
  return run / step_name(best->step);
}

int64_t step_of(const fs::path& checkpoint) {
  const std::string name = checkpoint.filename().string();
  return std::strtoll(name.c_str() + name.find('-') + 1, nullptr, 10);
}

std::optional<fs::path> newest_checkpoint(const fs::path& run) {
  const std::vector<fs::path> all = checkpoints(run);
  return all.empty() ? std::nullopt : std::optional(all.back());
}

Checkpoint load_checkpoint(const fs::path& dir, const NamedTensors& weights, Optimizer& optimizer,
                           const NamedTensors& more) {
  Checkpoint state;
  try {
    const Json json = Json::parse(read_text(dir / "state.json"));
    state.step = json.at("step").get<int64_t>();
    state.seed = json.at("seed").get<uint64_t>();
  } catch (const Json::exception& error) {
    fail(Code::bad_checkpoint, (dir / "state.json").string(), ": ", error.what());
  }
  load_tensors(dir / "weights.safetensors", weights);
  optimizer.load(dir / "optimizer.safetensors");
  load_tensors(dir / "optimizer.safetensors", more);
  return state;
}

}  // namespace janus::train
