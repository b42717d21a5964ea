// Products with weights in blocks of 256 that have runs with scales of their own, q4_k and q6_k: a
// block is taken apart once for all rows that pass it, into codes of a byte and scales in f32, so
// that both types have one tile. Part of blocks.inl.
// SPDX-License-Identifier: MIT

constexpr int kCodeVec = 4 * kPanel;         // bytes of one group of a panel
constexpr int kHalfCodes = 4 * kCodeVec;     // … of 16 numbers
constexpr int kRunCodes = 2 * kHalfCodes;    // … of 32

constexpr int64_t block_bytes(Blocks blocks) {  // of one panel
  return unit_bytes(blocks) * kSuper / unit_blocks(blocks);
}

struct Runs {
  int begin, end;
};

// A block of one panel. Both types have two scales for 32 numbers: q4_k that of the codes and the
// run's least number, q6_k one for either half. Each is a product of at most 18 bits and so exact.
struct Apart {
  alignas(64) uint8_t codes[kSuper * kRunCodes];  // [8][8 groups][16][4], not negative
  alignas(64) float scales[kSuper][2][kPanel];
  const char* ahead;  // what is fetched while this block is multiplied

  // scales[run][which] = f16 · numbers
  void scale(int run, int which, const char* f16, const uint8_t* numbers) {
    for (int j = 0; j < kPanel; j += Vec::kWidth) {
      const Vec whole = Vec::load_i8(reinterpret_cast<const int8_t*>(numbers) + j);
      const Vec unit = Vec::load_f16(reinterpret_cast<const uint16_t*>(f16) + j);
      (unit * whole).store(scales[run][which] + j);
    }
  }
};

// The 6-bit numbers of 4 runs, times 16 outputs, from three fields of ggml's packed bytes.
inline void take_scales_q4_k(const char* unit, Apart& to) {
  constexpr int kFour = 4 * kPanel;  // a field of 4 runs
  const auto* packed = reinterpret_cast<const uint8_t*>(unit) + 4 * kPanel;
  const uint8_t *first = packed, *second = packed + kFour, *high = packed + 2 * kFour;
  alignas(64) uint8_t factors[2 * kFour], leasts[2 * kFour];
  for (int i = 0; i < kFour; ++i) {
    factors[i] = first[i] & 63;
    leasts[i] = second[i] & 63;
    factors[kFour + i] = static_cast<uint8_t>((high[i] & 15) | (first[i] >> 2 & 48));
    leasts[kFour + i] = static_cast<uint8_t>(high[i] >> 4 | (second[i] >> 2 & 48));
  }
  for (int run = 0; run < kSuper; ++run) {
    to.scale(run, 0, unit, factors + run * kPanel);
    to.scale(run, 1, unit + 2 * kPanel, leasts + run * kPanel);
  }
}

// Two runs, which share their bytes.
inline void take_codes_q4_k(const char* unit, int part, Apart& to) {
  constexpr int kBefore = 16 * kPanel;  // scale, least and packed numbers
  const auto* from = reinterpret_cast<const uint8_t*>(unit) + kBefore + part * kRunCodes;
  uint8_t* low = to.codes + 2 * part * kRunCodes;
  for (int i = 0; i < kRunCodes; ++i) low[i] = from[i] & 15;
  for (int i = 0; i < kRunCodes; ++i) low[kRunCodes + i] = from[i] >> 4;
}

// Where block `which` of a pair has all but its scale.
inline const uint8_t* block_of_q6_k(const char* unit, int which) {
  constexpr int64_t kOne = (unit_bytes(Blocks::q6_k) - 4 * kPanel) / 2;
  return reinterpret_cast<const uint8_t*>(unit) + 4 * kPanel + which * kOne;
}

inline void take_scales_q6_k(const char* unit, int which, Apart& to) {
  const uint8_t* factors = block_of_q6_k(unit, which);
  for (int half = 0; half < 2 * kSuper; ++half) {
    to.scale(half / 2, half % 2, unit + which * 2 * kPanel, factors + half * kPanel);
  }
}

// Four runs, which share their high bits.
inline void take_codes_q6_k(const char* unit, int which, int part, Apart& to) {
  const uint8_t* all = block_of_q6_k(unit, which) + 2 * kSuper * kPanel;
  const uint8_t* low = all + part * 2 * kRunCodes;
  const uint8_t* high = all + kSuper / 2 * kRunCodes + part * kRunCodes;
  uint8_t* codes = to.codes + 4 * part * kRunCodes;
  for (int i = 0; i < kRunCodes; ++i) {
    const uint8_t a = low[i], b = low[kRunCodes + i], two = high[i];
    codes[i] = static_cast<uint8_t>((a & 15) | (two << 4 & 48));
    codes[kRunCodes + i] = static_cast<uint8_t>((b & 15) | (two << 2 & 48));
    codes[2 * kRunCodes + i] = static_cast<uint8_t>(a >> 4 | (two & 48));
    codes[3 * kRunCodes + i] = static_cast<uint8_t>(b >> 4 | (two >> 2 & 48));
  }
}

// Sums of `groups` groups of numbers of R rows, from number `first` of x on. Meanwhile the first
// kLines lines of what follows in each panel are fetched: spread over the work, since many at once
// would wait for each other.
template <int R, int P, int kLines>
inline void add_groups(const QuantBlock* x, const uint8_t* const* codes, int first, int groups,
                       const char* const* ahead, SumsK (&sum)[R][P * kBlockVecs]) {
  constexpr int kVecs = P * kBlockVecs;
#pragma GCC unroll 4
  for (int g = 0; g < groups; g += 2) {
    CodesK a[kVecs], b[kVecs];
    for (int j = 0; j < kVecs; ++j) {
      const uint8_t* at = codes[j / kBlockVecs] + (first / 4 + g) * kCodeVec +
                          j % kBlockVecs * 4 * Vec::kWidth;
      if (j % kBlockVecs == 0) {
        if (g < kLines) __builtin_prefetch(ahead[j / kBlockVecs] + g * 64);
        if (g + 1 < kLines) __builtin_prefetch(ahead[j / kBlockVecs] + (g + 1) * 64);
      }
      a[j] = CodesK::load(at);
      b[j] = CodesK::load(at + kCodeVec);
    }
    for (int r = 0; r < R; ++r) {
      const auto one = spread4(x[r].q + first + 4 * g), two = spread4(x[r].q + first + 4 * g + 4);
      for (int j = 0; j < kVecs; ++j) sum[r][j].add(a[j], one, b[j], two);
    }
  }
}

// c += sums · their scales [P], and of q4_k the least numbers behind them.
template <int R, int P, Blocks F>
inline void add_run(const QuantBlock* x, const SumsK (&sum)[R][P * kBlockVecs],
                    const float* const* scales, float* c, int64_t c_panel) {
  for (int j = 0; j < P * kBlockVecs; ++j) {
    const int lane = j % kBlockVecs * Vec::kWidth;
    const Vec step = Vec::load(scales[j / kBlockVecs] + lane);
    const Vec below = F == Blocks::q4_k ? Vec::load(scales[j / kBlockVecs] + kPanel + lane) : step;
    for (int r = 0; r < R; ++r) {
      float* to = c + j / kBlockVecs * c_panel + r * kPanel + lane;
      Vec y = fused(sum[r][j].value(x[r]), step, Vec::load(to));
      if constexpr (F == Blocks::q4_k) y = fused(Vec::set(x[r].least), below, y);
      y.store(to);
    }
  }
}

// Some runs; x begins with the first of them.
template <int R, int P, Blocks F>
void super_tile(Runs runs, const QuantBlock* x, int64_t step, const Apart* panels, float* c,
                int64_t c_panel) {
  constexpr int kVecs = P * kBlockVecs;
  for (int run = runs.begin; run < runs.end; ++run, x += step) {
    const uint8_t* codes[P];
    const float* scales[P];
    const char* ahead[P];
    for (int p = 0; p < P; ++p) {
      ahead[p] = panels[p].ahead + run * (block_bytes(F) / kSuper);
      codes[p] = panels[p].codes + run * kRunCodes;
      scales[p] = panels[p].scales[run][0];
    }
    SumsK sum[R][kVecs];
    for (int r = 0; r < R; ++r) {
      for (int j = 0; j < kVecs; ++j) sum[r][j] = SumsK::begin(x[r].start);
    }
    constexpr int kHalf = kQuant / 2, kGroups = F == Blocks::q4_k ? kQuant / 4 : kHalf / 4;
    constexpr int kLines = F == Blocks::q4_k ? 5 : 4;  // and 3, for an eighth of a block
    add_groups<R, P, kLines>(x, codes, 0, kGroups, ahead, sum);
    add_run<R, P, F>(x, sum, scales, c, c_panel);
    if constexpr (F == Blocks::q6_k) {
      for (int r = 0; r < R; ++r) {
        for (int j = 0; j < kVecs; ++j) sum[r][j] = SumsK::begin(x[r].second);
      }
      for (int p = 0; p < P; ++p) scales[p] += kPanel;
      for (int p = 0; p < P; ++p) ahead[p] += 4 * 64;
      add_groups<R, P, 3>(x, codes, kHalf, kGroups, ahead, sum);
      add_run<R, P, F>(x, sum, scales, c, c_panel);
    }
  }
}

template <int R, int P>
void super_tile_of(int rows, Blocks format, Runs runs, const QuantBlock* x, int64_t step,
                   const Apart* panels, float* c, int64_t c_panel) {
  if (rows != R) {
    if constexpr (R > 1) {
      super_tile_of<R - 1, P>(rows, format, runs, x, step, panels, c, c_panel);
    }
    return;
  }
  if (format == Blocks::q4_k) {
    super_tile<R, P, Blocks::q4_k>(runs, x, step, panels, c, c_panel);
  } else {
    super_tile<R, P, Blocks::q6_k>(runs, x, step, panels, c, c_panel);
  }
}

// The block of P panels whose first numbers are those of block `k` of x. Of one that is streamed,
// for rows that pass at once, codes are taken apart some runs at a time in turns with products, so
// that reading goes on meanwhile; else all of them, once.
template <int P, bool kStreamed>
struct SuperChunk {
  static constexpr int64_t kBlocks = kSuper;

  SuperChunk(const BlockArgs& b, const int64_t* panel, int64_t k)
      : format(b.blocks), which(static_cast<int>(k % unit_blocks(format) / kSuper)) {
    for (int p = 0; p < P; ++p) {
      unit[p] = block_at(b, panel[p], k);
      apart[p].ahead = unit[p] + (which + 1) * block_bytes(format);
      if (format == Blocks::q4_k) {
        take_scales_q4_k(unit[p], apart[p]);
      } else {
        take_scales_q6_k(unit[p], which, apart[p]);
      }
    }
    for (int part = 0; !kStreamed && part < parts(); ++part) take(part);
  }

  void multiply(int64_t rows, const QuantBlock* x, float* c, int64_t c_panel) {
    if constexpr (!kStreamed) return pass({0, kSuper}, rows, x, c, c_panel);
    const int runs = kSuper / parts();
    for (int part = 0; part < parts(); ++part) {
      take(part);
      pass({part * runs, (part + 1) * runs}, rows, x + part * runs * rows, c, c_panel);
    }
  }

 private:
  int parts() const { return format == Blocks::q4_k ? 4 : 2; }
  void take(int part) {
    for (int p = 0; p < P; ++p) {
      if (format == Blocks::q4_k) {
        take_codes_q4_k(unit[p], part, apart[p]);
      } else {
        take_codes_q6_k(unit[p], which, part, apart[p]);
      }
    }
  }
  void pass(Runs runs, int64_t rows, const QuantBlock* x, float* c, int64_t c_panel) const {
    constexpr int kMost = block_tile_rows(P);
    for (int64_t r = 0; r < rows; r += kMost) {
      const int some = static_cast<int>(rows - r < kMost ? rows - r : kMost);
      super_tile_of<kMost, P>(some, format, runs, x + r, rows, apart, c + r * kPanel, c_panel);
    }
  }

  Blocks format;
  int which;  // of the blocks of a unit
  const char* unit[P];
  Apart apart[P];
};
template <int P>
using StreamedChunk = SuperChunk<P, true>;
template <int P>
using TakenChunk = SuperChunk<P, false>;
