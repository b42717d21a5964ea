// Loading: every tensor that is missing, unknown, mis-shaped or not finite is named with the likely
// cause; names of either layout come from either container; a load stays within its memory.
// SPDX-License-Identifier: MIT
#include "model/weights.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "base/error.h"
#include "io/checkpoint_files.h"
#include "model/support.h"
#include "model/synthetic.h"
#include "model/weight_names.h"

namespace janus {
namespace {

using namespace janus::testing;

// A source with some tensors taken away, added, reshaped or spoilt.
class Edited : public TensorSource {
 public:
  Edited(const Config& config, Layout names) : base_(config, names), shapes_(base_.shapes()) {}
  std::string name() const override { return "model.safetensors"; }
  std::map<std::string, std::vector<int64_t>> shapes() const override { return shapes_; }
  void read(const std::string& tensor, int64_t begin, std::span<float> out) const override {
    base_.read(tensor, begin, out);
    const int64_t at = spoilt_at - begin;
    if (tensor == spoilt && at >= 0 && at < static_cast<int64_t>(out.size())) {
      out[static_cast<size_t>(at)] = spoilt_value;
    }
  }
  void done(const std::string&, int64_t) const override {}

  std::string spoilt;
  int64_t spoilt_at = 0;
  float spoilt_value = 0;
  std::map<std::string, std::vector<int64_t>>& edit() { return shapes_; }

 private:
  SyntheticSource base_;
  std::map<std::string, std::vector<int64_t>> shapes_;
};

class Loading : public ::testing::Test {
 protected:
  const Config config_ = load_config(golden("tiny-hf"));
  Edited source_{config_, Layout::transformers};

  std::string refusal(const TensorSource& source) {
    try {
      load_weights(config_, source, *open_backend("ref"), Dtype::f32);
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(Code::bad_checkpoint));
      return error.what();
    }
    ADD_FAILURE() << "loaded";
    return "";
  }
  void expect_refusal(const TensorSource& source, const std::vector<std::string>& words) {
    const std::string text = refusal(source);
    for (const std::string& word : words) {
      EXPECT_NE(text.find(word), std::string::npos) << '"' << word << "\" is not in: " << text;
    }
  }
};

TEST_F(Loading, NamesMissingMisshapedAndUnknownTensorsTogether) {
  source_.edit().erase("model.aligner.fc1.bias");
  source_.edit()["model.language_model.norm.weight"] = {65};
  source_.edit()["model.language_model.layers.2.mlp.up_proj.weight"] = {160, 64};
  expect_refusal(source_,
                 {"model.safetensors", "3 tensors", "model.aligner.fc1.bias [64]",
                  "model.language_model.norm.weight is [65], config.json says [64]",
                  "model.language_model.layers.2.mlp.up_proj.weight [160, 64]", "another size"});
}

TEST_F(Loading, NeverTiesTheOutputMatrix) {
  source_.edit().erase("lm_head.weight");
  expect_refusal(source_, {"lm_head.weight [640, 64]", "never taken from the embeddings", "tied"});
  Edited official(config_, Layout::official);
  official.edit().erase("language_model.lm_head.weight");
  expect_refusal(official, {"language_model.lm_head.weight", "tied"});
}

TEST_F(Loading, NamesTheLikelyCause) {
  Edited lora(config_, Layout::transformers);
  lora.edit()["model.language_model.layers.0.self_attn.q_proj.lora_A.weight"] = {8, 64};
  expect_refusal(lora, {"1 tensor does", "lora_A", "merge the adapter"});
  Edited shard(config_, Layout::transformers);
  for (const char* part : {"q", "k", "v"}) {
    shard.edit().erase("model.vqmodel.encoder.mid.attn_1." + std::string(part) + ".weight");
  }
  expect_refusal(shard, {"3 tensors", "is a file of the checkpoint missing"});
  Edited stranger(config_, Layout::transformers);
  stranger.edit() = {{"transformer.h.0.weight", {4}}};
  expect_refusal(stranger, {"transformer.h.0.weight", "another model"});
  stranger.edit().clear();
  expect_refusal(stranger, {"none of its 0 tensors"});
}

TEST_F(Loading, LongListsAreCounted) {
  for (int i = 0; i < 40; ++i) source_.edit()["model.extra." + std::to_string(i)] = {1};
  expect_refusal(source_, {"40 tensors", "and 28 more"});
}

TEST_F(Loading, IgnoresWhatTheReferenceNeverUses) {
  Edited official(config_, Layout::official);
  official.edit()["vision_model.vision_tower.attn_pool.latent"] = {1, 1, 64};
  official.edit()["vision_model.vision_tower.attn_pool.mlp.fc1.weight"] = {128, 64};
  official.edit()["gen_vision_model.quantize.codebook_used"] = {65536};
  const auto backend = open_backend("ref");
  const Weights loaded = load_weights(config_, official, *backend, Dtype::f32);
  EXPECT_EQ(loaded.fingerprint, load_weights(config_, source_, *backend, Dtype::f32).fingerprint);
}

TEST_F(Loading, RefusesValuesThatAreNotFinite) {
  source_.spoilt = "model.vision_model.encoder.layers.1.self_attn.k_proj.weight";
  source_.spoilt_at = 64 * 3 + 5;
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    source_.spoilt_value = value;
    const bool nan = std::isnan(value);
    expect_refusal(source_, {source_.spoilt, "element 197", nan ? "nan" : "-inf",
                             nan ? "0 infinite numbers and 1 that" : "1 infinite numbers and 0",
                             "damaged or its training diverged"});
  }
  source_.spoilt_value = std::numeric_limits<float>::max();
  EXPECT_NO_THROW(load_weights(config_, source_, *open_backend("ref"), Dtype::f32));
}

TEST_F(Loading, SaysInWordsThatTheConfigIsOfAnotherSize) {
  Config other = config_;
  other.llama.width = 4096;
  other.llama.layers = 30;
  Edited large(other, Layout::official);
  expect_refusal(large, {"the weights are those of Janus-Pro-7B (width 4096, 30 layers)",
                         "config.json describes a model of width 64, 2 layers",
                         "take the config.json that belongs to the weights"});
  other = config_;
  other.llama.layers = 3;
  expect_refusal(Edited(other, Layout::transformers), {"those of a model of width 64, 3 layers"});
  other.llama.layers = 1;  // as if a file were missing
  const std::string text = refusal(Edited(other, Layout::transformers));
  EXPECT_EQ(text.find("the weights are those of"), std::string::npos) << text;
}

TEST_F(Loading, FingerprintSeesOneValue) {
  const auto backend = open_backend("ref");
  const uint64_t plain = load_weights(config_, source_, *backend, Dtype::f32).fingerprint;
  source_.spoilt = "model.generation_head.vision_head.bias";
  source_.spoilt_at = 255;
  source_.spoilt_value = 0.125f;
  EXPECT_NE(load_weights(config_, source_, *backend, Dtype::f32).fingerprint, plain);
}

TEST_F(Loading, ReportsProgressAndBytes) {
  std::vector<double> seen;
  const Weights weights = load_weights(config_, source_, *open_backend("ref"), Dtype::bf16,
                                       [&](double fraction) { seen.push_back(fraction); });
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_DOUBLE_EQ(seen.back(), 1);
  EXPECT_GT(weights.bytes, 1'000'000);  // 0.9 M values, most of them in two bytes
  EXPECT_LT(weights.bytes, 2'500'000);
}

TEST(Codebook, RowsHaveLengthOne) {
  const Model model = open_model(golden("tiny-hf"), open_backend("ref"));
  const Tensor codebook = model.weights().codebook.view;
  for (int64_t r = 0; r < codebook.rows(); ++r) {
    double squares = 0;
    for (int64_t i = 0; i < codebook.cols(); ++i) {
      squares += double{codebook.row(r)[i]} * codebook.row(r)[i];
    }
    EXPECT_NEAR(squares, 1, 1e-6);
  }
}

// --- files -------------------------------------------------------------------------------------

class Folder {
 public:
  explicit Folder(const std::string& name)
      : path_(std::filesystem::path(::testing::TempDir()) /
              (name + "-" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// f32 tensors of `source`, which must outlive the call.
void write_checkpoint(const std::filesystem::path& path, const TensorSource& source) {
  std::vector<TensorEntry> entries;
  for (const auto& [name, shape] : source.shapes()) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    entries.push_back({name, Dtype::f32, shape, [&source, name = name, count](const auto& sink) {
                         std::vector<float> piece;
                         for (int64_t i = 0; i < count; i += 1 << 16) {
                           piece.resize(static_cast<size_t>(std::min<int64_t>(1 << 16, count - i)));
                           source.read(name, i, piece);
                           sink(std::as_bytes(std::span(piece)));
                         }
                       }});
  }
  write_safetensors(path, entries);
}

TEST(Files, OfficialNamesInSafetensors) {
  const Folder folder("official-names");
  const StoredSource official("tiny-official", open_checkpoint_dir(golden("tiny-official")));
  write_checkpoint(folder.path() / "model.safetensors", official);
  const auto backend = std::shared_ptr<const Backend>(open_backend("ref"));
  const uint64_t wanted = open_model(golden("tiny-hf"), backend).weights().fingerprint;
  for (const char* config : {"tiny-official", "tiny-hf"}) {
    std::filesystem::copy_file(golden(config) / "config.json", folder.path() / "config.json",
                               std::filesystem::copy_options::overwrite_existing);
    EXPECT_EQ(open_model(folder.path(), backend).weights().fingerprint, wanted) << config;
  }
}

TEST(Files, RefusesSharedMemoryThatClaimsALargeModel) {
  StoredTensors tensors = read_safetensors(golden("tiny-hf") / "model.safetensors");
  StoredTensor largest = tensors.at("lm_head.weight");
  for (int i = 0; i < 100; ++i) tensors["copy." + std::to_string(i)] = largest;
  EXPECT_THROW(StoredSource("file", tensors), Error);
  StoredTensor expanded = largest;
  expanded.strides = {0, 1};
  expanded.data = expanded.data.first(64 * 4);
  const StoredSource source("file", {{"x", expanded}});
  std::vector<float> row(64);
  EXPECT_THROW(source.read("x", 0, row), Error);
}

int64_t peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  }
  return 0;
}

// The source is twice as large as what is kept of it, so pages that stayed would show.
double peak_over_packed(const std::string& backend) {
  Config config = load_config(golden("tiny-hf"));
  config.llama = {.width = 768,
                  .layers = 8,
                  .heads = 8,
                  .kv_heads = 8,
                  .head_width = 96,
                  .mlp_width = 3072,
                  .vocabulary = 12000,
                  .context = 64};
  config.gen_head_width = 768;
  const Folder folder("large");
  write_checkpoint(folder.path() / "model.safetensors",
                   SyntheticSource(config, Layout::transformers));
  LoadOptions options;
  options.backend = open_backend(backend);
  options.weights = Dtype::bf16;
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak so far was that of writing
  const StoredSource source("large", open_checkpoint_dir(folder.path()));
  const Model model = Model::from(config, source, options);
  EXPECT_GT(model.weights().bytes, 180'000'000);
  return static_cast<double>(peak_memory()) / static_cast<double>(model.weights().bytes);
}

TEST(Files, LoadingPeaksAtThePackedWeights) {
  if (kSanitized) GTEST_SKIP() << "sanitizers have memory of their own";
  for (const char* backend : {"ref", "cpu"}) {
    const double ratio = peak_over_packed(backend);
    EXPECT_GT(ratio, 1) << backend;
    EXPECT_LE(ratio, 1.15) << backend;
    RecordProperty(backend, std::to_string(ratio));
  }
}

}  // namespace
}  // namespace janus
