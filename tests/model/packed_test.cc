// A .gguf that holds what a backend packs: mapped it is the same model to the bit, and so it is
// taken apart for whoever wants it otherwise; what does not fit its shapes is refused.
// SPDX-License-Identifier: MIT
#include "model/packed_source.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/temp_dir.h"
#include "kernels/panels.h"
#include "model/backends.h"
#include "model/checkpoint.h"
#include "model/footprint.h"
#include "model/passes.h"
#include "model/save.h"
#include "model/save_packed.h"
#include "model/support.h"
#include "model/weight_names.h"

namespace janus {
namespace {

using namespace janus::testing;

namespace fs = std::filesystem;

constexpr Dtype kTypes[] = {Dtype::f32, Dtype::bf16, Dtype::q8_0, Dtype::q4_0};

void convert(const fs::path& from, const fs::path& to, std::optional<Dtype> type,
             const Backend* packing = nullptr) {
  const Checkpoint checkpoint(from);
  const auto source = checkpoint.source();
  const ModelToSave model{
      .name = "tiny",
      .config = checkpoint.config(),
      .source = *source,
      .stored = [&](const std::string& name) { return source->stored(name).value(); },
      .tokenizer_json = checkpoint.tokenizer_json(),
      .processor = checkpoint.processor(),
      .preview = {},
      .preview_shape = {}};
  save_gguf(to, model, {.type = type, .packing = packing, .on_progress = {}});
}

void pack(const fs::path& from, const fs::path& to, Dtype type) {
  convert(from, to, type, open_backend("cpu").get());
}

// Bytes of every matrix, convolution and table, in the order of visiting.
class Collector : public WeightVisitor {
 public:
  std::vector<const Buffer*> buffers;

  void matrix(Weight& w, int64_t, int64_t, const FieldTensors&, const FieldTensors&) override {
    buffers.push_back(&w.data);
  }
  void conv(Conv& c, int64_t, int64_t, const FieldTensors&, const FieldTensors&) override {
    buffers.push_back(&c.weight.data);
  }
  void table(Table& t, int64_t, int64_t, const FieldTensors&) override {
    buffers.push_back(&t.rows.buffer);
  }
  void plain(OwnedTensor&, int64_t, int64_t, const FieldTensors&) override {}
};

std::vector<const Buffer*> buffers_of(const Model& model) {
  Collector collector;
  visit_weights(model.config(), const_cast<Weights&>(model.weights()), collector, model.parts());
  return collector.buffers;
}

bool same_bytes(const Buffer& a, const Buffer& b) {
  return a.bytes() == b.bytes() &&
         std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0;
}

Model open_parts(const fs::path& path, std::shared_ptr<const Backend> backend, Dtype type,
                 const Parts& parts) {
  LoadOptions options;
  options.checkpoint = path;
  options.backend = std::move(backend);
  options.weights = type;
  options.parts = parts;
  return Model::load(options);
}

class PackedModel : public ::testing::TestWithParam<NamedBackend> {};

INSTANTIATE_TEST_SUITE_P(Backends, PackedModel, ::testing::ValuesIn(all_backends()), backend_name);

// Every byte that loading the plain file gives; on cpu without one that was copied.
TEST_P(PackedModel, IsThePlainOne) {
  const TempDir dir;
  const std::shared_ptr<const Backend> backend = GetParam().open(1);
  const bool maps = !backend->packing().empty();
  for (const Dtype type : kTypes) {
    convert(golden("tiny-hf"), dir / "plain.gguf", type);
    pack(golden("tiny-hf"), dir / "packed.gguf", type);
    for (const Parts& parts : {Parts{}, kReadingParts, kDrawingParts, kDecoderParts}) {
      const Model plain = open_parts(dir / "plain.gguf", backend, type, parts);
      const Model packed = open_parts(dir / "packed.gguf", backend, type, parts);
      EXPECT_EQ(packed.weights().fingerprint, plain.weights().fingerprint);
      EXPECT_EQ(packed.weights().bytes, plain.weights().bytes);
      EXPECT_EQ(plain.weights().mapped_bytes, 0);
      const auto one = buffers_of(plain), other = buffers_of(packed);
      ASSERT_EQ(one.size(), other.size());
      // Of parts whose fingerprint is not stated all values are read, and nothing is mapped.
      const bool stated = parts.draws() || parts == kReadingParts;
      int64_t lent = 0;
      for (size_t i = 0; i < one.size(); ++i) {
        EXPECT_TRUE(same_bytes(*one[i], *other[i])) << traits(type).name << ' ' << i;
        lent += other[i]->lent() ? other[i]->bytes() : 0;
        if (maps && stated) {
          EXPECT_TRUE(other[i]->lent()) << traits(type).name << ' ' << i;
        }
      }
      EXPECT_EQ(lent, packed.weights().mapped_bytes);
      const auto source = Checkpoint(dir / "packed.gguf").source();
      const ModelBytes told = model_bytes(packed.config(), *backend, type, parts, source.get());
      EXPECT_EQ(told.mapped, lent);
      EXPECT_GE(told.all, packed.weights().bytes);
    }
  }
}

// The map outlives the checkpoint it was opened by.
TEST_P(PackedModel, ComputesTheBitsOfThePlainOne) {
  const TempDir dir;
  const std::shared_ptr<const Backend> backend = GetParam().open(2);
  const Reference ask(golden("ask.safetensors")), draw(golden("draw.safetensors"));
  std::ifstream codes_file(golden("codes.json"));
  const auto codes = nlohmann::json::parse(codes_file).get<std::vector<int32_t>>();
  convert(golden("tiny-hf"), dir / "plain.gguf", Dtype::q8_0);
  pack(golden("tiny-hf"), dir / "packed.gguf", Dtype::q8_0);
  const Model plain = open_model(dir / "plain.gguf", backend, Dtype::q8_0);
  const Model packed = open_model(dir / "packed.gguf", backend, Dtype::q8_0);
  fs::remove(dir / "packed.gguf");
  const auto same = [&](const Trace& a, const Trace& b) {
    ASSERT_EQ(a.entries().size(), b.entries().size());
    for (const auto& [tap, entry] : a.entries()) {
      EXPECT_EQ(entry.bytes, b.entries().at(tap).bytes) << tap;
    }
  };
  same(trace_ask(plain, ask, 611), trace_ask(packed, ask, 611));
  same(trace_draw(plain, draw, codes, 5), trace_draw(packed, draw, codes, 5));
}

// Held in another type than it was packed in, what differs is taken apart and packed anew.
TEST(Packed, IsHeldInAnyType) {
  const TempDir dir;
  const std::shared_ptr<const Backend> backend = open_backend("cpu");
  for (const Dtype stored : {Dtype::q8_0, Dtype::bf16}) {
    convert(golden("tiny-hf"), dir / "plain.gguf", stored);
    pack(golden("tiny-hf"), dir / "packed.gguf", stored);
    for (const Dtype held : kTypes) {
      const Model plain = open_model(dir / "plain.gguf", backend, held);
      const Model packed = open_model(dir / "packed.gguf", backend, held);
      EXPECT_EQ(packed.weights().fingerprint, plain.weights().fingerprint);
      const auto one = buffers_of(plain), other = buffers_of(packed);
      for (size_t i = 0; i < one.size(); ++i) {
        EXPECT_TRUE(same_bytes(*one[i], *other[i])) << traits(held).name << ' ' << i;
      }
    }
  }
}

std::map<std::string, std::vector<std::byte>> bytes_of_tensors(const fs::path& path) {
  std::map<std::string, std::vector<std::byte>> result;
  for (const auto& [name, tensor] : GgufFile(path).tensors()) {
    result[name].assign(tensor.data.begin(), tensor.data.end());
  }
  return result;
}

// Converting it back gives the tensors of the plain file, and packing those the same file again.
TEST(Packed, ComesApartAgain) {
  const TempDir dir;
  for (const Dtype type : kTypes) {
    convert(golden("tiny-official"), dir / "plain.gguf", type);
    pack(golden("tiny-official"), dir / "packed.gguf", type);
    convert(dir / "packed.gguf", dir / "back.gguf", {});
    EXPECT_TRUE(bytes_of_tensors(dir / "back.gguf") == bytes_of_tensors(dir / "plain.gguf"));
    pack(dir / "back.gguf", dir / "again.gguf", type);
    EXPECT_TRUE(bytes_of_tensors(dir / "again.gguf") == bytes_of_tensors(dir / "packed.gguf"));
  }
}

TEST(Packed, TensorsBeginAtWholeLines) {
  const TempDir dir;
  pack(golden("tiny-hf"), dir / "a.gguf", Dtype::q8_0);
  const GgufFile file(dir / "a.gguf");
  EXPECT_EQ(file.whole("general.alignment"), 64);
  const StoredTensors tensors = file.tensors();
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data.data()) % 64, 0) << name;
  }
  const StoredTensor& qkv = tensors.at("lm.layers.0.self_attn.q_proj.packed");
  EXPECT_EQ(qkv.dtype, Dtype::i8);
  EXPECT_FALSE(tensors.contains("lm.layers.0.self_attn.k_proj.weight"));
  EXPECT_FALSE(tensors.contains("lm.layers.0.self_attn.q_proj.weight"));
}

TEST(Packed, WantsATypeThatIsHeld) {
  const TempDir dir;
  try {
    pack(golden("tiny-hf"), dir / "a.gguf", Dtype::f16);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::not_supported);
  }
  EXPECT_THROW(convert(golden("tiny-hf"), dir / "a.gguf", Dtype::bf16, open_backend("ref").get()),
               Error);
}

// --- what does not fit -------------------------------------------------------------------------

// A packed file with something else in its header or tensors.
class Damaged : public ::testing::Test {
 protected:
  Damaged() {
    const Checkpoint checkpoint(golden("tiny-hf"));
    config_ = checkpoint.config();
    config_.layout = Layout::gguf;
    convert(golden("tiny-hf"), dir_ / "plain.gguf", Dtype::q8_0);
    source_ = Checkpoint(dir_ / "plain.gguf").source();
    name_ = std::string(kPanelPacking);
    backend_ = open_backend("cpu");
    const PackedEntries entries(config_, *source_, *backend_, Dtype::q8_0, {});
    for (const TensorEntry& entry : entries.entries()) {
      if (entry.name.ends_with(".packed")) names_.push_back(entry.name);
    }
  }

  // Writes the file as the members and `change` have it, and says why it is refused.
  std::string error(Code code, const std::function<void(std::vector<TensorEntry>&)>& change = {},
                    uint32_t alignment = 64) {
    const PackedEntries packed(config_, *source_, *backend_, Dtype::q8_0, {});
    std::vector<TensorEntry> entries = packed.entries();
    GgufMetadata right, metadata;
    packed.add_metadata(right);
    metadata.text("general.architecture", "janus");
    if (change || own_keys_) {
      metadata.text(kPackingKey, name_);
      metadata.whole(kPackingVersionKey, version_);
      metadata.texts(kPackedTensorsKey, names_);
      std::vector<std::string> types = types_;
      if (types.empty()) {
        for (const std::string& name : names_) types.push_back(type_of(name));
      }
      metadata.texts(kPackedTypesKey, types);
    } else {
      packed.add_metadata(metadata);
    }
    if (change) change(entries);
    write_gguf(dir_ / "a.gguf", metadata, entries, alignment);
    const GgufFile file(dir_ / "a.gguf");
    try {
      const PackedSource source(file, config_, file.tensors());
      return "";
    } catch (const Error& refusal) {
      EXPECT_EQ(refusal.code(), code) << refusal.what();
      return refusal.what();
    }
  }

  static TensorEntry& named(std::vector<TensorEntry>& entries, const std::string& name) {
    return *std::find_if(entries.begin(), entries.end(),
                         [&](const TensorEntry& entry) { return entry.name == name; });
  }

  // By what the rule of storage says of the tiny model.
  static std::string type_of(const std::string& name) {
    const bool blocks = name.starts_with("lm.layers") || name.starts_with("vision.encoder") ||
                        name.starts_with("aligner") || name.starts_with("gen_aligner.hidden") ||
                        name.starts_with("lm_head");
    return blocks ? "q8_0" : "bf16";
  }

  static void zeros(TensorEntry& entry) {
    entry.produce = [bytes = entry.bytes()](const auto& sink) {
      sink(std::vector<std::byte>(static_cast<size_t>(bytes)));
    };
  }

  const std::string qkv_ = "lm.layers.0.self_attn.q_proj.packed";
  TempDir dir_;
  Config config_;
  std::unique_ptr<const TensorSource> source_;
  std::shared_ptr<const Backend> backend_;
  bool own_keys_ = false;
  std::string name_;
  int64_t version_ = kPanelVersion;
  std::vector<std::string> names_, types_;
};

void expect_has(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST_F(Damaged, WholeItIsRead) {
  EXPECT_EQ(error(Code::bug), "");
  own_keys_ = true;
  EXPECT_EQ(error(Code::bug), "");
}

TEST_F(Damaged, AnotherPackingOrANewerOne) {
  own_keys_ = true;
  version_ = kPanelVersion + 1;
  const std::string newer = error(Code::not_supported);
  expect_has(newer, "packed as \"panels16\", version 2; this program knows");
  expect_has(newer, "convert the original again (januspro convert SRC DST.gguf --layout native)");
  version_ = kPanelVersion;
  name_ = "tiles32";
  expect_has(error(Code::not_supported), "packed as \"tiles32\", version 1");
}

TEST_F(Damaged, SizesThatAreNotThoseOfTheModel) {
  const auto shape = [&](std::vector<int64_t> sizes, Dtype type = Dtype::i8) {
    return error(Code::bad_checkpoint, [&](std::vector<TensorEntry>& entries) {
      TensorEntry& entry = named(entries, qkv_);
      entry.shape = std::move(sizes);
      entry.dtype = type;
      zeros(entry);
    });
  };
  const int64_t panels = count_panels((4 + 4 + 4) * 16), bytes = bytes_of_panel(Dtype::q8_0, 64);
  EXPECT_EQ(shape({panels, bytes}), "");
  expect_has(shape({panels - 1, bytes}),
             qkv_ + " is i8 [11, 1088], packed as q8_0 it must be i8 [12, 1088]");
  expect_has(shape({panels, bytes - 64}), "it must be");
  expect_has(shape({panels * bytes}), "it must be");
  expect_has(shape({panels, bytes}, Dtype::i32), "is i32");
  // The same bytes as another type.
  own_keys_ = true;
  types_.clear();
  for (const std::string& name : names_) types_.push_back(name == qkv_ ? "q4_0" : type_of(name));
  expect_has(error(Code::bad_checkpoint), "packed as q4_0 it must be i8 [12, 576]");
}

TEST_F(Damaged, TypesAndNamesThatFitNothing) {
  own_keys_ = true;
  const std::vector<std::string> names = names_;
  const auto listed = [&](const std::string& name, const std::string& type) {
    names_ = names;
    types_.clear();
    for (const std::string& one : names_) types_.push_back(type_of(one));
    names_.push_back(name);
    types_.push_back(type);
    return error(Code::bad_checkpoint);
  };
  expect_has(listed("lm.layers.9.self_attn.q_proj.packed", "q8_0"), "which is not there");
  expect_has(listed("packing.fingerprint", "q8_0"), "no matrix of the model");
  expect_has(listed(qkv_, "q8_0"), "which is not there");  // the second time
  expect_has(listed("", ""), "lists");
  names_ = names;
  types_.assign(names.size(), "i64");
  expect_has(error(Code::bad_checkpoint), "of i64");
  types_.assign(names.size() - 1, "q8_0");
  expect_has(error(Code::bad_checkpoint), "types");
}

// Rows of 8 are no whole blocks, and convolutions are never blocks.
TEST_F(Damaged, BlocksWhereThereAreNone) {
  own_keys_ = true;
  for (const char* name : {"gen_aligner.fc1.packed", "vq.decoder.conv_in.packed"}) {
    types_.clear();
    for (const std::string& one : names_) types_.push_back(one == name ? "q8_0" : type_of(one));
    expect_has(error(Code::bad_checkpoint), name);
  }
}

TEST_F(Damaged, ATensorThatIsThereTwice) {
  expect_has(error(Code::bad_checkpoint,
                   [&](std::vector<TensorEntry>& entries) {
                     TensorEntry twice = named(entries, "lm.norm.weight");
                     twice.name = "lm.layers.0.self_attn.k_proj.weight";
                     zeros(twice);
                     entries.push_back(twice);
                   }),
             "holds lm.layers.0.self_attn.k_proj.weight twice");
}

TEST_F(Damaged, PlacesBetweenLines) {
  // At 32 bytes the second of two tensors that are no whole lines lies between them.
  expect_has(error(
                 Code::bad_checkpoint,
                 [&](std::vector<TensorEntry>& entries) {
                   TensorEntry odd = named(entries, "lm.norm.weight");
                   odd.name = "a";
                   odd.shape = {8};
                   zeros(odd);
                   entries.insert(entries.begin(), odd);
                 },
                 32),
             "does not begin at a multiple of 64 bytes");
}

TEST_F(Damaged, WithoutItsFingerprint) {
  expect_has(error(Code::bad_checkpoint,
                   [&](std::vector<TensorEntry>& entries) {
                     std::erase_if(entries, [](const TensorEntry& entry) {
                       return entry.name == kFingerprintTensor;
                     });
                   }),
             "has no packing.fingerprint");
}

}  // namespace
}  // namespace janus
