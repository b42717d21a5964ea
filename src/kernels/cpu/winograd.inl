// 3×3 convolutions of stride 1 with a quarter of the multiplications: four by four outputs at once,
// from a window of six by six. Winograd's F(4×4, 3×3) with points 0, ±1, ±2, ∞; Lavin and Gray,
// "Fast algorithms for convolutional neural networks", 2016, section 4.3.
//
// Every number of a transformed window (36, "spots") meets the same number of the transformed
// filter, so the sums over channels are 36 products [tiles, C]·[C, O]: made of the tile of
// matmul.inl, in its order of addition. A tile's outputs thus depend on its own window alone.
// SPDX-License-Identifier: MIT

constexpr int kSide = kTileSide + 2;  // of a window
static_assert(kSide * kSide == kTileSpots);

// Bᵀ, G and Aᵀ along one line of a window, a filter and the products.
inline void window_line(const Vec (&d)[kSide], Vec (&t)[kSide]) {
  const Vec minus4 = Vec::set(-4.0f), four = Vec::set(4.0f), minus5 = Vec::set(-5.0f);
  const Vec even = fma(minus4, d[2], d[4]), odd = fma(minus4, d[1], d[3]);
  const Vec near = d[4] - d[2], far = (d[3] - d[1]) * Vec::set(2.0f);
  t[0] = fma(four, d[0], fma(minus5, d[2], d[4]));
  t[1] = even + odd;
  t[2] = even - odd;
  t[3] = near + far;
  t[4] = near - far;
  t[5] = fma(four, d[1], fma(minus5, d[3], d[5]));
}

inline void filter_line(const Vec (&g)[3], Vec (&t)[kSide]) {
  const Vec sixth = Vec::set(-1.0f / 6), twelfth = Vec::set(1.0f / 12);
  const Vec outer = g[0] + g[2];
  const Vec ends = fma(g[2], Vec::set(1.0f / 6), g[0] * Vec::set(1.0f / 24));
  t[0] = g[0] * Vec::set(0.25f);
  t[1] = (outer + g[1]) * sixth;
  t[2] = (outer - g[1]) * sixth;
  t[3] = fma(g[1], twelfth, ends);
  t[4] = ends - g[1] * twelfth;
  t[5] = g[2];
}

inline void output_line(const Vec (&m)[kSide], Vec (&y)[kTileSide]) {
  const Vec near = m[1] + m[2], near_odd = m[1] - m[2];
  const Vec far = m[3] + m[4], far_odd = m[3] - m[4];
  y[0] = m[0] + near + far;
  y[1] = fma(Vec::set(2.0f), far_odd, near_odd);
  y[2] = fma(Vec::set(4.0f), far, near);
  y[3] = fma(Vec::set(8.0f), far_odd, near_odd) + m[5];
}

// to [36][C][16] = the transformed filters of one panel of the weight.
template <Format F>
void filters_of_panel(const MatmulArgs& m, int64_t panel, float* to) {
  const int64_t channels = m.x.channels;
  const char* from = panel_at(m, panel, 0);
  for (int64_t c = 0; c < channels; ++c) {
    for (int j = 0; j < kPanel; j += Vec::kWidth) {
      Vec half[kSide][3];
      for (int x = 0; x < 3; ++x) {
        Vec g[3], t[kSide];
        for (int y = 0; y < 3; ++y) {
          g[y] = load_stored<F>(from, ((y * 3 + x) * channels + c) * kPanel + j);
        }
        filter_line(g, t);
        for (int y = 0; y < kSide; ++y) half[y][x] = t[y];
      }
      for (int y = 0; y < kSide; ++y) {
        Vec t[kSide];
        filter_line(half[y], t);
        for (int x = 0; x < kSide; ++x) {
          t[x].store(to + ((y * kSide + x) * channels + c) * kPanel + j);
        }
      }
    }
  }
}

void winograd_filters(const MatmulArgs& m, int64_t panel, float* to) {
  if (m.format == Format::f32) {
    filters_of_panel<Format::f32>(m, panel, to);
  } else {
    filters_of_panel<Format::bf16>(m, panel, to);
  }
}

// Where the outputs of a tile lie; the last ones of a line or column may reach beyond the image.
struct TilePlace {
  int64_t image, top, left;
};

inline TilePlace place_of_tile(const Windows& w, int64_t tile) {
  const int64_t across = (w.out_width + kTileSide - 1) / kTileSide;
  const int64_t down = (w.out_height + kTileSide - 1) / kTileSide;
  return {tile / (across * down), tile / across % down * kTileSide, tile % across * kTileSide};
}

// The pixels of a tile's window; outside of the image a step of 0 stays on zeros.
struct WindowPixels {
  const float* pixel[kTileSpots];
  int64_t step[kTileSpots];
};

void find_pixels(const Windows& w, int64_t tile, WindowPixels& window) {
  alignas(64) static constexpr float kOutside[16] = {};
  const TilePlace place = place_of_tile(w, tile);
  for (int i = 0; i < kTileSpots; ++i) {
    const int64_t y = place.top - w.pad + i / kSide, x = place.left - w.pad + i % kSide;
    const bool inside = y >= 0 && y < w.height && x >= 0 && x < w.width;
    const int64_t at = (place.image * w.height + y) * w.width + x;
    window.pixel[i] = inside ? w.data + at * w.pixel_stride : kOutside;
    window.step[i] = inside ? 1 : 0;
  }
}

// out [36][rows][kWidth]: row `row` becomes some channels of one transformed window.
void transform_window(const WindowPixels& window, int64_t channel, int lanes, int rows, int row,
                      float* out) {
  Vec half[kSide][kSide];
  for (int x = 0; x < kSide; ++x) {
    Vec d[kSide], t[kSide];
    for (int y = 0; y < kSide; ++y) {
      const int i = y * kSide + x;
      d[y] = load(window.pixel[i] + window.step[i] * channel, lanes);
    }
    window_line(d, t);
    for (int y = 0; y < kSide; ++y) half[y][x] = t[y];
  }
  for (int y = 0; y < kSide; ++y) {
    Vec t[kSide];
    window_line(half[y], t);
    for (int x = 0; x < kSide; ++x) {
      t[x].store(out + ((y * kSide + x) * rows + row) * Vec::kWidth);
    }
  }
}

constexpr int64_t kStagedFloats = kTileSpots * kTileRows * Vec::kWidth;

// out [36][C][rows] = the windows of `rows` tiles from `tile` on.
void pack_tiles(const Windows& w, int64_t tile, int rows, float* staged, float* out) {
  WindowPixels windows[kTileRows];
  for (int r = 0; r < rows; ++r) find_pixels(w, tile + r, windows[r]);
  each_vector(w.channels, [&](int64_t c, int lanes) {
    for (int r = 0; r < rows; ++r) transform_window(windows[r], c, lanes, rows, r, staged);
    for (int spot = 0; spot < kTileSpots; ++spot) {
      const float* from[kTileRows];
      for (int r = 0; r < rows; ++r) from[r] = staged + (spot * rows + r) * Vec::kWidth;
      pack_rows(from, rows, lanes, out + (spot * w.channels + c) * rows);
    }
  });
}

// Sixteen outputs of one vector of channels. products: spot s of this tile at s·spot_stride.
void finish_tile(const MatmulArgs& m, const TilePlace& place, int64_t channel,
                 const float* products, int64_t spot_stride) {
  const int64_t rest = m.outputs - channel;
  const int lanes = rest < Vec::kWidth ? static_cast<int>(rest) : Vec::kWidth;
  const Vec bias = m.bias ? load(m.bias + channel, lanes) : Vec::set(0.0f);
  Vec half[kTileSide][kSide];
  for (int x = 0; x < kSide; ++x) {
    Vec column[kSide], y[kTileSide];
    for (int i = 0; i < kSide; ++i) column[i] = Vec::load(products + (i * kSide + x) * spot_stride);
    output_line(column, y);
    for (int i = 0; i < kTileSide; ++i) half[i][x] = y[i];
  }
  for (int i = 0; i < kTileSide && place.top + i < m.x.out_height; ++i) {
    Vec y[kTileSide];
    output_line(half[i], y);
    const int64_t line = (place.image * m.x.out_height + place.top + i) * m.x.out_width;
    for (int j = 0; j < kTileSide && place.left + j < m.x.out_width; ++j) {
      float* to = m.out + (line + place.left + j) * m.out_stride + channel;
      Vec sum = y[j] + bias;
      if (m.finish == Finish::add) sum = load(to, lanes) + sum;
      store(sum, to, lanes);
    }
  }
}

int64_t winograd_scratch(const MatmulArgs& m, int64_t tiles) {
  return kStagedFloats + whole_lines(kTileSpots * m.x.channels * tiles) +
         kTilePanels * kTileSpots * tiles * kPanel;
}

// Sums over channels of all spots for P panels: sums [36][P][tiles][16].
template <int P>
void multiply_spots(const MatmulArgs& m, const float* filters, int64_t panel, int64_t tiles,
                    const float* packed, float* sums) {
  const int64_t channels = m.x.channels;
  for (int spot = 0; spot < kTileSpots; ++spot) {
    for (int64_t k = 0; k < channels; k += kSumBlock) {
      const int64_t n = channels - k < kSumBlock ? channels - k : kSumBlock;
      const char* at[P];
      for (int p = 0; p < P; ++p) {
        const int64_t line = ((panel + p) * kTileSpots + spot) * channels + k;
        at[p] = reinterpret_cast<const char*>(filters + line * kPanel);
      }
      for (int64_t r = 0; r < tiles; r += kTileRows) {
        const int64_t some = tiles - r < kTileRows ? tiles - r : kTileRows;
        const float* rows = packed + (r * kTileSpots + spot * some) * channels + k * some;
        tile_of_rows<kTileRows, P, false>(static_cast<int>(some), Format::f32, rows, at, n, k == 0,
                                          sums + (spot * P * tiles + r) * kPanel, tiles * kPanel);
      }
    }
  }
}

// filters: of all panels, [O/16][36][C][16].
void winograd_tiles(const MatmulArgs& m, const float* filters, int64_t begin, int64_t end,
                    float* scratch) {
  const int64_t tiles = end - begin;
  float* packed = scratch + kStagedFloats;  // per tile of rows [36][C][rows]
  float* sums = packed + whole_lines(kTileSpots * m.x.channels * tiles);
  for (int64_t r = 0; r < tiles; r += kTileRows) {
    const int64_t some = tiles - r < kTileRows ? tiles - r : kTileRows;
    pack_tiles(m.x, begin + r, static_cast<int>(some), scratch,
               packed + r * kTileSpots * m.x.channels);
  }
  const int64_t panels = (m.outputs + kPanel - 1) / kPanel;
  for (int64_t panel = 0; panel < panels;) {
    const int width = panels - panel >= kTilePanels ? kTilePanels : 1;
    if (width == kTilePanels) {
      multiply_spots<kTilePanels>(m, filters, panel, tiles, packed, sums);
    } else {
      multiply_spots<1>(m, filters, panel, tiles, packed, sums);
    }
    for (int64_t t = 0; t < tiles; ++t) {
      const TilePlace place = place_of_tile(m.x, begin + t);
      for (int64_t o = 0; o < width * kPanel; o += Vec::kWidth) {
        const int64_t channel = panel * kPanel + o;
        if (channel >= m.outputs) break;
        const float* products = sums + (o / kPanel * tiles + t) * kPanel + o % kPanel;
        finish_tile(m, place, channel, products, width * tiles * kPanel);
      }
    }
    panel += width;
  }
}
