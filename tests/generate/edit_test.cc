// Edits by keeping codes: what stands, what is drawn, and what the pixels come to.
// SPDX-License-Identifier: MIT
#include "generate/edit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "generate/draw.h"
#include "generate/pixels.h"
#include "generate/sampler.h"
#include "generate/tiny.h"
#include "io/resize.h"

namespace janus {
namespace {

const Config& config() { return tiny().model.config(); }
int side() { return config().image; }
int grid() { return static_cast<int>(config().grid()); }
int cell() { return side() / grid(); }

EditRequest edit_of(const Image& image, int images = 1) {
  EditRequest request;
  request.image = image;
  request.drawing = {.prompt = "a red apple", .images = images, .seed = 5, .guidance = 5};
  return request;
}

// A mask of these pixels.
EditMask mask_of(const Image& image, const std::function<bool(int x, int y)>& redraw) {
  EditMask mask{.width = image.width, .height = image.height, .redraw = {}};
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x) mask.redraw.push_back(redraw(x, y) ? 1 : 0);
  }
  return mask;
}

std::vector<int32_t> codes_of(const Image& image) {
  Workspace space;
  OwnedTensor pixels(Dtype::f32, {1, side(), side(), 3});
  to_pixels(image, pixels.view.as({side(), side(), 3}));
  std::vector<int32_t> codes(static_cast<size_t>(config().image_tokens()));
  tiny().model.encode_image(pixels.view, space, codes);
  return codes;
}

std::vector<Picture> run(std::shared_ptr<const DrawOrder> order, int at_once = 8) {
  std::vector<Picture> pictures;
  RunningBatch batch(tiny().model, Dtype::f32, 600, false);
  std::exception_ptr failure;
  batch.join(make_drawing(
                 batch.shared(), std::move(order), at_once,
                 [&](Picture picture) { pictures.push_back(std::move(picture)); },
                 [](const Progress&) { return true; }),
             [&](const std::exception_ptr& error) { failure = error; });
  while (!batch.empty()) batch.advance();
  if (failure) std::rethrow_exception(failure);
  return pictures;
}

std::vector<Picture> edited(const EditRequest& request, int at_once = 8) {
  return run(edit_order(config(), tiny().prompts, request), at_once);
}

// The rule, told once more: a code that stands is fed like one that was drawn, so an edit that
// keeps codes which the seed draws anyway draws all the others as well.
TEST(Edit, CodesThatStandAreFedAsThoseThatAreDrawn) {
  DrawOrder order = *draw_order(config(), tiny().prompts, {edit_of(noise(8, 8, 1)).drawing});
  const Picture drawn = run(std::make_shared<const DrawOrder>(order)).front();
  // A picture whose codes are known: the codec's own reading of some noise.
  const Image image = noise(side(), side(), 3);
  const std::vector<int32_t> own = codes_of(image);
  const auto all = static_cast<int>(own.size());
  for (const int kept : {0, 1, all / 2, all - 1, all}) {
    EditRequest request = edit_of(image);
    request.keep = static_cast<float>(kept) / static_cast<float>(all);
    const Picture picture = edited(request).front();
    EXPECT_TRUE(std::equal(own.begin(), own.begin() + kept, picture.codes.begin())) << kept;
    if (kept == 0) {
      EXPECT_EQ(picture.codes, drawn.codes);
    }
    if (kept == all) {
      EXPECT_EQ(picture.image, image);
    }
  }
}

// What follows codes that stand is what a model says that was shown them step by step.
TEST(Edit, TheRestIsDrawnAfterWhatStands) {
  const Image image = noise(side(), side(), 4);
  EditRequest request = edit_of(image);
  request.drawing.temperature = 0;
  request.drawing.guidance = 1;
  request.keep = .5f;
  const Picture picture = edited(request).front();
  // By hand: the prompt, then every code in a pass of its own.
  const PromptRows rows = prompt_rows(tiny().prompts, request.drawing);
  KvCache cache(tiny().model.backend(), config().llama, Dtype::f32, 1, config().llama.context,
                KvCache::blocks_for(config().llama.context));
  KeptPrompts prompts(cache, 1, 0);
  Pass pass(tiny().model, cache, prompts);
  const int32_t sequence = cache.add();
  for (size_t i = 0; i < picture.codes.size(); ++i) {
    Workspace space(1 << 24);
    Workspace::Frame frame(space);
    pass.clear();
    if (i == 0) {
      for (size_t k = 0; k < rows.guided.size(); ++k) {
        const bool last = k + 1 == rows.guided.size();
        pass.add(sequence, fed_text(rows.guided[k]), last ? Wants::image : Wants::nothing);
      }
    } else {
      pass.add(sequence, fed_code(picture.codes[i - 1]), Wants::image);
    }
    pass.run(space, frame);
    const int32_t choice = likeliest(pass.logits(pass.rows() - 1));
    if (2 * i >= picture.codes.size()) {
      EXPECT_EQ(picture.codes[i], choice) << i;
    }
  }
}

TEST(Edit, AMaskRedrawsWhatItTouchesAndNothingFar) {
  const Image image = noise(side(), side(), 6);
  const std::vector<int32_t> own = codes_of(image);
  EditRequest request = edit_of(image, 3);
  request.drawing.temperature = 3;
  // Pixels of one cell and one more to its right.
  const int x0 = cell(), y0 = 2 * cell();
  const auto inside = [&](int x, int y) {
    return x >= x0 && x <= x0 + cell() && y >= y0 && y < y0 + cell();
  };
  request.mask = mask_of(image, inside);
  const std::vector<Picture> pictures = edited(request);
  bool any_differs = false;
  for (const Picture& picture : pictures) {
    for (int i = 0; i < static_cast<int>(own.size()); ++i) {
      const int row = i / grid(), column = i % grid();
      const auto at = static_cast<size_t>(i);
      if (row == 2 && (column == 1 || column == 2)) {
        any_differs = any_differs || picture.codes[at] != own[at];
      } else {
        EXPECT_EQ(picture.codes[at], own[at]) << i;
      }
    }
    for (int y = 0; y < side(); ++y) {
      for (int x = 0; x < side(); ++x) {
        const int dx = std::max({x0 - x, x - x0 - cell(), 0});
        const int dy = std::max({y0 - y, y - y0 - cell() + 1, 0});
        if (dx * dx + dy * dy < cell() * cell()) continue;
        const size_t at = (static_cast<size_t>(y) * side() + x) * 3;
        ASSERT_TRUE(std::equal(&image.rgb[at], &image.rgb[at] + 3, &picture.image.rgb[at]))
            << x << ' ' << y;
      }
    }
  }
  EXPECT_TRUE(any_differs);
  EXPECT_NE(pictures[0].codes, pictures[1].codes);
}

// Alone, beside others, in groups, and with its prompt in pieces: the same.
TEST(Edit, DoesNotDependOnWhatRunsBeside) {
  EditRequest request = edit_of(noise(90, 60, 7), 3);
  request.mask = mask_of(request.image, [](int x, int y) { return (x / 9 + y / 7) % 3 == 0; });
  const std::vector<Picture> together = edited(request);
  const std::vector<Picture> one_by_one = edited(request, 1);
  ASSERT_EQ(together.size(), 3u);
  for (size_t i = 0; i < together.size(); ++i) {
    EXPECT_EQ(together[i].codes, one_by_one[i].codes);
    EXPECT_EQ(together[i].image, one_by_one[i].image);
    EditRequest alone = request;
    alone.drawing.images = 1;
    alone.drawing.seed = together[i].seed;
    EXPECT_EQ(edited(alone).front().image, together[i].image);
  }
}

TEST(Edit, OutpaintingMovesThePictureHalfAFrame) {
  const Image image = noise(side(), side(), 8);
  const int by = grid() / 2 * cell();
  const auto pixel = [](const Image& of, int x, int y) {
    const size_t at = (static_cast<size_t>(y) * of.width + x) * 3;
    return std::vector<uint8_t>(&of.rgb[at], &of.rgb[at] + 3);
  };
  for (const Outpaint to : {Outpaint::left, Outpaint::right, Outpaint::top, Outpaint::bottom}) {
    EditRequest request = edit_of(image);
    request.outpaint = to;
    const Original original = original_of(config(), request);
    EXPECT_EQ(original.kept(), config().image_tokens() - grid() / 2 * grid());
    const Picture picture = edited(request).front();
    int kept = 0;
    for (int y = 0; y < side(); ++y) {
      for (int x = 0; x < side(); ++x) {
        const int fx = to == Outpaint::left ? x - by : to == Outpaint::right ? x + by : x;
        const int fy = to == Outpaint::top ? y - by : to == Outpaint::bottom ? y + by : y;
        const bool is_old = fx >= 0 && fy >= 0 && fx < side() && fy < side();
        EXPECT_EQ(original.redraw[static_cast<size_t>(y) * side() + x], is_old ? 0 : 1);
        if (!is_old) continue;
        ASSERT_EQ(pixel(original.image, x, y), pixel(image, fx, fy));
        const int from_seam =
            std::min({to == Outpaint::left ? fx : side(), to == Outpaint::top ? fy : side(),
                      to == Outpaint::right ? side() - 1 - fx : side(),
                      to == Outpaint::bottom ? side() - 1 - fy : side()});
        if (from_seam < cell()) continue;
        ASSERT_EQ(pixel(picture.image, x, y), pixel(image, fx, fy));
        ++kept;
      }
    }
    EXPECT_EQ(kept, (side() - by - cell()) * side());
  }
}

// The share of what is drawn against the distance to the nearest redrawn pixel, found by trying
// all.
TEST(Edit, TheSeamIsOneCellWide) {
  EditRequest request = edit_of(noise(side(), side(), 9));
  request.mask =
      mask_of(request.image, [](int x, int y) { return x * 7 % 31 == 3 && y % 23 == 5; });
  const Original original = original_of(config(), request);
  const std::vector<float> share = drawn_share(original, grid());
  for (int y = 0; y < side(); ++y) {
    for (int x = 0; x < side(); ++x) {
      double least = cell();
      for (int v = 0; v < side(); ++v) {
        for (int u = 0; u < side(); ++u) {
          if (original.redraw[static_cast<size_t>(v) * side() + u] == 0) continue;
          least = std::min(least, std::hypot(u - x, v - y));
        }
      }
      ASSERT_NEAR(share[static_cast<size_t>(y) * side() + x], 1 - least / cell(), 1e-6);
    }
  }
}

TEST(Edit, AMaskIsScaledAsItsPictureIs) {
  EditRequest request = edit_of(noise(3 * side() + 40, 3 * side(), 10));
  // One pixel, in the middle square.
  request.mask = mask_of(request.image, [](int x, int y) { return x == 20 + 31 && y == 62; });
  const Original original = original_of(config(), request);
  EXPECT_EQ(original.image, cover_and_crop(request.image, side()));
  EXPECT_EQ(std::count(original.redraw.begin(), original.redraw.end(), 1), 1);
  EXPECT_EQ(original.redraw[static_cast<size_t>(62 / 3) * side() + 31 / 3], 1);
  EXPECT_EQ(original.kept(), config().image_tokens() - 1);
}

TEST(Edit, WhatCannotBeIsRefused) {
  const auto refused = [](const EditRequest& request, const std::string& words) {
    try {
      original_of(config(), request);
      ADD_FAILURE() << words << " is not refused";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::bad_input);
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  const EditRequest good = edit_of(noise(20, 10, 1));
  EditRequest bad = good;
  bad.image = {};
  refused(bad, "no pixels");
  bad = good;
  bad.keep = 1.5f;
  refused(bad, "keep is 1.5");
  bad.keep = std::nanf("");
  refused(bad, "keep is nan");
  bad = good;
  bad.mask = mask_of(noise(10, 20, 1), [](int, int) { return true; });
  refused(bad, "the mask has 10 x 20 pixels and the picture 20 x 10");
  bad.mask = mask_of(good.image, [](int, int) { return false; });
  refused(bad, "redraws nothing");
  bad.mask = mask_of(good.image, [](int x, int) { return x < 2; });  // outside the middle square
  refused(bad, "redraws nothing");
  bad.mask = mask_of(good.image, [](int, int) { return true; });
  bad.outpaint = Outpaint::left;
  refused(bad, "two edits");
}

}  // namespace
}  // namespace janus
