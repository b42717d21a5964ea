// What ends every product: sums become outputs.
// SPDX-License-Identifier: MIT

// Sums of one panel [rows][16] become outputs.
inline void finish_panel(const MatmulArgs& m, int64_t row, int64_t rows, int64_t panel, const float* c) {
  for (int j = 0; j < kPanel; j += Vec::kWidth) {
    const int64_t o = panel * kPanel + j;
    if (o >= m.outputs) return;
    const int lanes = m.outputs - o < Vec::kWidth ? static_cast<int>(m.outputs - o) : Vec::kWidth;
    const Vec bias = m.bias ? load(m.bias + o, lanes) : Vec::set(0.0f);
    for (int64_t r = 0; r < rows; ++r) {
      float* to = m.out + (row + r) * m.out_stride + o;
      Vec y = Vec::load(c + r * kPanel + j);
      if (m.bias) y = y + bias;
      if (m.finish == Finish::add || m.finish == Finish::add_gelu) y = load(to, lanes) + y;
      if (m.finish == Finish::gelu || m.finish == Finish::add_gelu) y = gelu(y);
      store(y, to, lanes);
    }
  }
}

constexpr int64_t whole_lines(int64_t floats) { return (floats + 15) / 16 * 16; }
inline int64_t rows_of(const MatmulPart& part) { return part.row_end - part.row_begin; }
