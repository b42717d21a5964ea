// What the language tower promises whatever the backend: bits do not depend on where a prompt is
// cut, on neighbours in the step or on shared beginnings; and a step allocates nothing.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "base/error.h"
#include "model/backends.h"
#include "model/support.h"
#include "model/synthetic.h"

namespace janus {
namespace {

using namespace janus::testing;

// Grouped heads and widths that are no multiple of any vector.
Config odd_config() {
  Config c = load_config(golden("tiny-hf"));
  c.llama = {.width = 52,
             .layers = 2,
             .heads = 6,
             .kv_heads = 2,
             .head_width = 10,
             .mlp_width = 75,
             .vocabulary = 101,
             .context = 400};
  return c;
}

class Forward : public ::testing::TestWithParam<NamedBackend> {
 protected:
  static Model make(int threads = 0) {
    LoadOptions options;
    options.backend = GetParam().open(threads);
    options.weights = Dtype::f32;
    const Config config = odd_config();
    return Model::from(config, SyntheticSource(config, Layout::official), options);
  }
  static Values embed(const Model& model, int64_t from, int64_t count) {
    std::vector<int32_t> ids;
    for (int64_t i = from; i < from + count; ++i) {
      ids.push_back(static_cast<int32_t>((37 * i + 11) % 101));
    }
    Values x({count, model.config().llama.width});
    model.embed_text(ids, x.view);
    return x;
  }
  // Hidden states of tokens 0 … count-1 of one text, run in pieces of these sizes (the last is
  // repeated).
  static std::vector<float> run_cut(const Model& model, Dtype cache_dtype, int64_t count,
                                    std::vector<int64_t> pieces) {
    KvCache cache = cache_for(model, 1, count, cache_dtype);
    const int32_t sequence = cache.add();
    Workspace space;
    Values x = embed(model, 0, count);
    for (int64_t at = 0, i = 0; at < count; ++i) {
      const int64_t size =
          std::min(count - at, pieces[std::min<size_t>(static_cast<size_t>(i), pieces.size() - 1)]);
      run_rows(model, cache, sequence, space, x.view.slice(at, size));
      at += size;
    }
    return x.data;
  }
};

TEST_P(Forward, CutsOfAPromptDoNotChangeABit) {
  const Model model = make();
  constexpr int64_t kCount = 150;
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
    const std::vector<float> whole = run_cut(model, dtype, kCount, {kCount});
    for (const std::vector<int64_t>& pieces :
         std::vector<std::vector<int64_t>>{{1}, {64}, {63, 1}, {65, 7}, {100, 17, 3}, {149, 1}}) {
      EXPECT_EQ(run_cut(model, dtype, kCount, pieces), whole) << pieces[0];
    }
  }
}

TEST_P(Forward, ThreadsDoNotChangeABit) {
  EXPECT_EQ(run_cut(make(1), Dtype::f32, 80, {80}), run_cut(make(2), Dtype::f32, 80, {80}));
}

// Sequences of different length in one step, each at its own place.
TEST_P(Forward, NeighboursDoNotChangeABit) {
  const Model model = make();
  const std::vector<int64_t> lengths = {70, 1, 33, 128, 5};
  const auto width = static_cast<size_t>(model.config().llama.width);
  KvCache cache = cache_for(model, 5, 140);
  Workspace space;
  std::vector<std::vector<float>> alone;
  for (size_t s = 0; s < lengths.size(); ++s) {
    KvCache own = cache_for(model, 1, 140);
    const int32_t sequence = own.add();
    Values x = embed(model, static_cast<int64_t>(s), lengths[s]);
    run_rows(model, own, sequence, space, x.view);
    Values next = embed(model, 200 + static_cast<int64_t>(s), 1);
    run_rows(model, own, sequence, space, next.view);
    alone.push_back(next.data);
  }
  std::vector<int32_t> sequences, positions;
  Values together({static_cast<int64_t>(lengths.size()), static_cast<int64_t>(width)});
  for (size_t s = 0; s < lengths.size(); ++s) {
    const int32_t sequence = cache.add();
    Values x = embed(model, static_cast<int64_t>(s), lengths[s]);
    run_rows(model, cache, sequence, space, x.view);
    Values next = embed(model, 200 + static_cast<int64_t>(s), 1);
    std::copy(next.data.begin(), next.data.end(),
              together.data.begin() + static_cast<std::ptrdiff_t>(s * width));
    sequences.push_back(sequence);
  }
  for (const int32_t sequence : sequences) {
    positions.push_back(static_cast<int32_t>(cache.extend(sequence, 1)));
  }
  const Rows rows{sequences, positions, cache.blocks(), cache.blocks_per_sequence()};
  model.forward(together.view, rows, cache, space);
  for (size_t s = 0; s < lengths.size(); ++s) {
    const auto begin = together.data.begin() + static_cast<std::ptrdiff_t>(s * width);
    EXPECT_EQ(std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(width)), alone[s]) << s;
  }
}

// A fork goes on as a sequence that ran the beginning itself, and so does its parent.
TEST_P(Forward, ForkIsACopy) {
  const Model model = make();
  Workspace space;
  for (const int64_t shared : {1, 64, 100}) {
    KvCache cache = cache_for(model, 3, 160);
    const int32_t parent = cache.add();
    Values prompt = embed(model, 0, shared);
    run_rows(model, cache, parent, space, prompt.view);
    const int32_t child = cache.fork(parent);
    const int32_t late = cache.fork(child);
    std::vector<std::vector<float>> results;
    for (const int32_t sequence : {child, parent, late}) {
      Values own = embed(model, 10 * sequence, 30);
      run_rows(model, cache, sequence, space, own.view);
      results.push_back(own.data);
    }
    size_t next = 0;
    for (const int32_t sequence : {child, parent, late}) {
      KvCache fresh = cache_for(model, 1, 160);
      const int32_t only = fresh.add();
      Values begin = embed(model, 0, shared);
      run_rows(model, fresh, only, space, begin.view);
      Values own = embed(model, 10 * sequence, 30);
      run_rows(model, fresh, only, space, own.view);
      EXPECT_EQ(results[next++], own.data) << shared << ' ' << sequence;
    }
  }
}

TEST_P(Forward, TruncatedSequenceGoesOnAsIfNothingHadFollowed) {
  const Model model = make();
  Workspace space;
  KvCache cache = cache_for(model, 2, 160);
  const int32_t sequence = cache.add();
  Values prompt = embed(model, 0, 90);
  run_rows(model, cache, sequence, space, prompt.view);
  const int32_t witness = cache.fork(sequence);
  Values wrong = embed(model, 50, 40);
  run_rows(model, cache, sequence, space, wrong.view);
  cache.truncate(sequence, 90);
  Values a = embed(model, 90, 20), b = embed(model, 90, 20);
  run_rows(model, cache, sequence, space, a.view);
  run_rows(model, cache, witness, space, b.view);
  EXPECT_EQ(a.data, b.data);
}

TEST_P(Forward, AStepAllocatesNothing) {
  const Model model = make();
  Workspace space;
  KvCache cache = cache_for(model, 1, 200);
  const int32_t sequence = cache.add();
  const auto width = static_cast<int64_t>(model.config().llama.width);
  Values x({1, width}), logits({1, model.config().vq.codes});
  const auto step = [&](int32_t code) {
    model.embed_codes(std::span(&code, 1), space, x.view);
    run_rows(model, cache, sequence, space, x.view);
    model.image_logits(x.view, space, logits.view);
  };
  step(1);
  const int64_t before = Buffer::allocations(), held = space.bytes();
  for (int32_t code = 2; code < 150; ++code) step(code);
  EXPECT_EQ(Buffer::allocations(), before);
  EXPECT_EQ(space.bytes(), held);
}

// Pictures decoded together have the bits of pictures decoded alone.
TEST_P(Forward, PicturesDoNotChangeTheirNeighbours) {
  const Model model = open_model(golden("tiny-hf"), GetParam().open());
  Workspace space;
  std::vector<int32_t> codes;
  for (int i = 0; i < 2 * 64; ++i) codes.push_back((91 * i + 7) % 256);
  Values all({2, 64, 64, 3}), one({1, 64, 64, 3});
  model.decode_image(codes, space, all.view);
  std::vector<int32_t> again(2 * 64);
  model.encode_image(all.view, space, again);
  for (int64_t i = 0; i < 2; ++i) {
    model.decode_image(std::span(codes).subspan(static_cast<size_t>(64 * i), 64), space, one.view);
    EXPECT_TRUE(std::equal(one.data.begin(), one.data.end(), all.view.row(i * 64 * 64))) << i;
    std::vector<int32_t> own(64);
    model.encode_image(one.view, space, own);
    EXPECT_TRUE(std::equal(own.begin(), own.end(), again.begin() + 64 * i)) << i;
  }
}

TEST_P(Forward, RefusesCodesOutsideTheCodebook) {
  const Model model = open_model(golden("tiny-hf"), GetParam().open());
  Workspace space;
  Values pixels({1, 64, 64, 3});
  for (const int32_t wrong : {-1, 256}) {
    std::vector<int32_t> codes(64, 3);
    codes[5] = wrong;
    EXPECT_THROW(model.decode_image(codes, space, pixels.view), Error) << wrong;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Forward, ::testing::ValuesIn(all_backends()), backend_name);

}  // namespace
}  // namespace janus
