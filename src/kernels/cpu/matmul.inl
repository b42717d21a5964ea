// Matrix products over column panels. A tile keeps R rows × P panels of sums in registers and walks
// kSumBlock terms; blocks are added one after another in memory. Both walks below are made of the
// same tile, so a row has the same bits in either, beside whatever other rows.
// SPDX-License-Identifier: MIT

constexpr int kPanelVecs = kPanel / Vec::kWidth;
constexpr int kAccumulators = kRegisters * 3 / 4;  // the others hold factors
// Rows that fit in registers beside P panels.
constexpr int tile_rows(int panels) { return kAccumulators / (panels * kPanelVecs); }
constexpr int kTileRows = tile_rows(kTilePanels);
constexpr int most_rows(int panels) {
  const int rows = tile_rows(panels) < kTileRows ? tile_rows(panels) : kTileRows;
  return rows > 0 ? rows : 1;
}
// Of rows that are left, those of the next tile: as many in each as in the others, for a small tile
// waits for its sums.
inline int64_t next_tile(int64_t rows) {
  const int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  return (rows + tiles - 1) / tiles;
}
constexpr int64_t kPrefetchBytes = 1536;  // ahead in each stream; 1 to 2 KiB measured best

inline const char* panel_at(const MatmulArgs& m, int64_t panel, int64_t k) {
  const int64_t element = (panel * m.inputs + k) * kPanel;
  return static_cast<const char*>(m.panels) + element * (m.format == Format::f32 ? 4 : 2);
}

// a [n][R], each panel [n][16], c [P][c_panel] holding [R][16] each.
template <int R, int P, Format F, bool Stream>
void tile(const float* a, const char* const* panels, int64_t n, bool first, float* c,
          int64_t c_panel) {
  Vec sum[R][P * kPanelVecs];
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < P * kPanelVecs; ++j) sum[r][j] = Vec::set(0.0f);
  }
  for (int64_t k = 0; k < n; ++k) {
    Vec b[P * kPanelVecs];
    for (int j = 0; j < P * kPanelVecs; ++j) {
      b[j] = load_stored<F>(panels[j / kPanelVecs], k * kPanel + j % kPanelVecs * Vec::kWidth);
    }
    if constexpr (Stream) {
      constexpr int64_t kStep = kPanel * (F == Format::f32 ? 4 : 2);
      for (int p = 0; p < P; ++p) __builtin_prefetch(panels[p] + k * kStep + kPrefetchBytes);
    }
    for (int r = 0; r < R; ++r) {
      const Vec x = Vec::set(a[k * R + r]);
      for (int j = 0; j < P * kPanelVecs; ++j) sum[r][j] = fma(x, b[j], sum[r][j]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < P * kPanelVecs; ++j) {
      float* to = c + j / kPanelVecs * c_panel + r * kPanel + j % kPanelVecs * Vec::kWidth;
      (first ? sum[r][j] : Vec::load(to) + sum[r][j]).store(to);
    }
  }
}

template <int R, int P, bool Stream>
void tile_of_rows(int rows, Format format, const float* a, const char* const* panels, int64_t n,
                  bool first, float* c, int64_t c_panel) {
  if (rows != R) {
    if constexpr (R > 1) {
      tile_of_rows<R - 1, P, Stream>(rows, format, a, panels, n, first, c, c_panel);
    }
    return;
  }
  if (format == Format::f32) {
    tile<R, P, Format::f32, Stream>(a, panels, n, first, c, c_panel);
  } else {
    tile<R, P, Format::bf16, Stream>(a, panels, n, first, c, c_panel);
  }
}

// out [n][rows] = the transpose of n terms of each row.
void pack_rows(const float* const* from, int rows, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + Vec::kWidth <= n; i += Vec::kWidth) {
    for (int begin = 0; begin < rows; begin += Vec::kWidth) {
      const int some = rows - begin < Vec::kWidth ? rows - begin : Vec::kWidth;
      Vec square[Vec::kWidth];
      for (int r = 0; r < Vec::kWidth; ++r) {
        square[r] = r < some ? Vec::load(from[begin + r] + i) : Vec::set(0.0f);
      }
      transpose_square(square);
      for (int j = 0; j < Vec::kWidth; ++j) store(square[j], out + (i + j) * rows + begin, some);
    }
  }
  for (; i < n; ++i) {
    for (int r = 0; r < rows; ++r) out[i * rows + r] = from[r][i];
  }
}

// Terms [k, k + n) of `rows` windows from `row` on, as [n][rows]. n <= kSumBlock.
void pack_windows(const Windows& w, int64_t row, int rows, int64_t k, int64_t n, float* out) {
  alignas(64) static constexpr float kOutside[kSumBlock] = {};
  const float* image[kTileRows];
  int64_t top[kTileRows], left[kTileRows];
  bool within = w.pixel_stride == w.channels;  // whole windows, whose lines are contiguous
  for (int r = 0; r < rows; ++r) {
    const int64_t line = (row + r) / w.out_width;
    left[r] = (row + r) % w.out_width * w.stride - w.pad;
    top[r] = line % w.out_height * w.stride - w.pad;
    image[r] = w.data + line / w.out_height * w.height * w.width * w.pixel_stride;
    within = within && left[r] >= 0 && left[r] + w.kernel <= w.width;
  }
  for (const int64_t end = k + n; k < end;) {
    const int64_t tap = k / w.channels, channel = k % w.channels;
    const int64_t ky = tap / w.kernel, kx = tap % w.kernel;
    int64_t run = (within ? (w.kernel - kx) * w.channels : w.channels) - channel;
    if (run > end - k) run = end - k;
    const float* from[kTileRows];
    for (int r = 0; r < rows; ++r) {
      const int64_t y = top[r] + ky, x = left[r] + kx;
      const bool inside = y >= 0 && y < w.height && x >= 0 && x < w.width;
      from[r] = inside ? image[r] + (y * w.width + x) * w.pixel_stride + channel : kOutside;
    }
    pack_rows(from, rows, run, out);
    out += run * rows;
    k += run;
  }
}

// --- few rows: every weight passes once, P panels far apart stream side by side
// -------------------

int64_t few_scratch(const MatmulArgs& m, const MatmulPart& part) {
  constexpr int64_t kMostStreams = 4;
  return whole_lines(rows_of(part) * m.inputs) + kMostStreams * rows_of(part) * kPanel;
}

// packed: for each tile of rows [K][tile rows]; c [P][rows][16].
template <int P>
void stream_panels(const MatmulArgs& m, const MatmulPart& part, const int64_t* panel,
                   const float* packed, float* c) {
  const int64_t rows = rows_of(part);
  for (int64_t k = 0; k < m.inputs; k += kSumBlock) {
    const int64_t n = m.inputs - k < kSumBlock ? m.inputs - k : kSumBlock;
    const char* at[P];
    for (int p = 0; p < P; ++p) at[p] = panel_at(m, panel[p], k);
    for (int64_t r = 0, some; r < rows; r += some) {
      some = next_tile(rows - r);
      tile_of_rows<most_rows(P), P, true>(static_cast<int>(some), m.format,
                                          packed + r * m.inputs + k * some, at, n, k == 0,
                                          c + r * kPanel, rows * kPanel);
    }
  }
  for (int p = 0; p < P; ++p) {
    finish_panel(m, part.row_begin, rows, panel[p], c + p * rows * kPanel);
  }
}

template <int P>
void stream_part(const MatmulArgs& m, const MatmulPart& part, const float* packed, float* c) {
  const int64_t each = (part.panel_end - part.panel_begin) / P;  // panels of one stream
  for (int64_t i = 0; i < each; ++i) {
    int64_t panel[P];
    for (int p = 0; p < P; ++p) panel[p] = part.panel_begin + p * each + i;
    stream_panels<P>(m, part, panel, packed, c);
  }
  for (int64_t rest = part.panel_begin + P * each; rest < part.panel_end; ++rest) {
    stream_panels<1>(m, part, &rest, packed, c);
  }
}

void pack_few(const MatmulArgs& m, int64_t row_begin, int64_t row_end, float* scratch) {
  const int64_t rows = row_end - row_begin;
  for (int64_t r = 0, some; r < rows; r += some) {
    some = next_tile(rows - r);
    for (int64_t k = 0; k < m.inputs; k += kSumBlock) {
      const int64_t n = m.inputs - k < kSumBlock ? m.inputs - k : kSumBlock;
      pack_windows(m.x, row_begin + r, static_cast<int>(some), k, n,
                   scratch + r * m.inputs + k * some);
    }
  }
}

void matmul_few(const MatmulArgs& m, const MatmulPart& part, float* scratch) {
  const int64_t rows = rows_of(part);
  float* c = scratch + whole_lines(rows * m.inputs);
  if (rows <= tile_rows(4)) {
    stream_part<4>(m, part, scratch, c);
  } else if (rows <= tile_rows(2)) {
    stream_part<2>(m, part, scratch, c);
  } else {
    stream_part<kTilePanels>(m, part, scratch, c);
  }
}

// --- many rows: tiles of rows stay near while panels pass
// -----------------------------------------

constexpr int64_t kWideFloats = kTilePanels * kSumBlock * kPanel;

int64_t many_scratch(const MatmulArgs&, const MatmulPart& part) {
  const int64_t panels = part.panel_end - part.panel_begin;
  return kWideFloats + whole_lines(rows_of(part) * kSumBlock) + panels * rows_of(part) * kPanel;
}

// n terms of a bf16 panel in f32.
void widen_panel(const char* panel, int64_t n, float* out) {
  for (int64_t i = 0; i < n * kPanel; i += Vec::kWidth) {
    load_stored<Format::bf16>(panel, i).store(out + i);
  }
}

template <int P>
void pass_panels(const MatmulArgs& m, const MatmulPart& part, int64_t panel, int64_t k, int64_t n,
                 const float* packed, float* c, float* wide) {
  const int64_t rows = rows_of(part);
  // Widening once gains some 3 % from this many tiles on; below, each tile widens as it loads.
  constexpr int64_t kWorthwhile = 8 * kTileRows;
  const bool widen = m.format == Format::bf16 && rows > kWorthwhile;
  const char* at[P];
  for (int p = 0; p < P; ++p) {
    at[p] = panel_at(m, panel + p, k);
    if (widen) {
      widen_panel(at[p], n, wide + p * n * kPanel);
      at[p] = reinterpret_cast<const char*>(wide + p * n * kPanel);
    }
  }
  for (int64_t r = 0, some; r < rows; r += some) {
    some = next_tile(rows - r);
    tile_of_rows<kTileRows, P, false>(static_cast<int>(some), widen ? Format::f32 : m.format,
                                      packed + r * n, at, n, k == 0, c + r * kPanel, rows * kPanel);
  }
}

void matmul_many(const MatmulArgs& m, const MatmulPart& part, float* scratch) {
  const int64_t rows = rows_of(part);
  float* packed = scratch + kWideFloats;
  float* sums = packed + whole_lines(rows * kSumBlock);  // [panel][row][16]
  for (int64_t k = 0; k < m.inputs; k += kSumBlock) {
    const int64_t n = m.inputs - k < kSumBlock ? m.inputs - k : kSumBlock;
    for (int64_t r = 0, some; r < rows; r += some) {
      some = next_tile(rows - r);
      pack_windows(m.x, part.row_begin + r, static_cast<int>(some), k, n, packed + r * n);
    }
    int64_t panel = part.panel_begin;
    const auto sums_of = [&](int64_t p) { return sums + (p - part.panel_begin) * rows * kPanel; };
    for (; panel + kTilePanels <= part.panel_end; panel += kTilePanels) {
      pass_panels<kTilePanels>(m, part, panel, k, n, packed, sums_of(panel), scratch);
    }
    for (; panel < part.panel_end; ++panel) {
      pass_panels<1>(m, part, panel, k, n, packed, sums_of(panel), scratch);
    }
  }
  for (int64_t panel = part.panel_begin; panel < part.panel_end; ++panel) {
    finish_panel(m, part.row_begin, rows, panel, sums + (panel - part.panel_begin) * rows * kPanel);
  }
}

void transpose(const float* x, int64_t x_stride, int rows, int64_t cols, float* out,
               int64_t out_stride) {
  for (int begin = 0; begin < rows; begin += Vec::kWidth) {
    const int some = rows - begin < Vec::kWidth ? rows - begin : Vec::kWidth;
    const float* from = x + begin * x_stride;
    each_vector(cols, [=](int64_t c, int lanes) {
      Vec square[Vec::kWidth];
      for (int r = 0; r < Vec::kWidth; ++r) {
        square[r] = r < some ? load(from + r * x_stride + c, lanes) : Vec::set(0.0f);
      }
      transpose_square(square);
      for (int j = 0; j < lanes; ++j) store(square[j], out + (c + j) * out_stride + begin, some);
    });
  }
}
