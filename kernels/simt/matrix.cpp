// matrix.cpp: the matrix operations of a warp: fragments of 32 lanes, side by side, are whole rows of a matrix.
//
// With g = lane / 4 and t = lane % 4, a register that holds (row g, columns 2t and 2t + 1) of all 32 lanes is an 8x8
// matrix of bf16 in row order, and a pair of sums of all lanes an 8x8 matrix of floats. Products of two bf16 are
// exact in float32; what the modes change is the order and width of the sums, which hardware does not promise.
#include <cstring>

#include "device/types.h"
#include "simt/warp.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cria::simt {

namespace {

MmaMode g_mode = MmaMode::sequential;

// a: 16 x k row by row, b: k x 8 row by row, c: the two 8x8 halves of the sums.
struct Operands {
  alignas(64) float a[16][16];
  alignas(64) float b[16][8];
};

float widen(uint32_t pair, int half) {
  return half == 0 ? gpu::low_float(pair) : gpu::high_float(pair);
}

template <int K>
void gather(const Warp *warp, Operands &m) {
  for (int lane = 0; lane < kLanes; lane++) {
    int g = lane / 4, t = lane % 4;
    for (int half = 0; half < 2; half++) {
      m.a[g][2 * t + half] = widen(warp->a[0][lane], half);
      m.a[g + 8][2 * t + half] = widen(warp->a[1][lane], half);
      m.b[2 * t + half][g] = widen(warp->b[0][lane], half);
      if (K == 16) {
        m.a[g][2 * t + 8 + half] = widen(warp->a[2][lane], half);
        m.a[g + 8][2 * t + 8 + half] = widen(warp->a[3][lane], half);
        m.b[2 * t + 8 + half][g] = widen(warp->b[1][lane], half);
      }
    }
  }
}

template <int K>
void sum_sequential(const Operands &m, float *c) {
  for (int row = 0; row < 16; row++)
    for (int k = 0; k < K; k++)
      for (int n = 0; n < 8; n++) c[row * 8 + n] += m.a[row][k] * m.b[k][n];
}

template <int K>
void sum_pairwise(const Operands &m, float *c) {
  for (int row = 0; row < 16; row++) {
    float p[K][8];
    for (int k = 0; k < K; k++)
      for (int n = 0; n < 8; n++) p[k][n] = m.a[row][k] * m.b[k][n];
    for (int step = 1; step < K; step *= 2)
      for (int k = 0; k < K; k += 2 * step)
        for (int n = 0; n < 8; n++) p[k][n] += p[k + step][n];
    for (int n = 0; n < 8; n++) c[row * 8 + n] += p[0][n];
  }
}

template <int K>
void sum_float64(const Operands &m, float *c) {
  for (int row = 0; row < 16; row++) {
    double s[8];
    for (int n = 0; n < 8; n++) s[n] = double(c[row * 8 + n]);
    for (int k = 0; k < K; k++)
      for (int n = 0; n < 8; n++) s[n] += double(m.a[row][k]) * double(m.b[k][n]);
    for (int n = 0; n < 8; n++) c[row * 8 + n] = float(s[n]);
  }
}

template <int K>
void multiply_portable(Warp *warp) {
  Operands m;
  gather<K>(warp, m);
  float *c = &warp->c[0][0][0];
  switch (g_mode) {
    case MmaMode::sequential:
      sum_sequential<K>(m, c);
      break;
    case MmaMode::pairwise:
      sum_pairwise<K>(m, c);
      break;
    case MmaMode::float64:
      sum_float64<K>(m, c);
      break;
  }
}

}  // namespace

void choose_multiply(MmaMode mode) { g_mode = mode; }

void multiply_16x8x16(Warp *warp) { multiply_portable<16>(warp); }
void multiply_16x8x8(Warp *warp) { multiply_portable<8>(warp); }

// Lane i gets pair i % 4 of row i / 4: the rows as they lie.
void load_matrix(Warp *warp) { std::memcpy(warp->matrices, warp->rows, sizeof warp->matrices); }

void load_matrix_transposed(Warp *warp) {
  uint16_t in[4][8][8], out[4][8][8];
  std::memcpy(in, warp->rows, sizeof in);
  for (int m = 0; m < 4; m++)
    for (int row = 0; row < 8; row++)
      for (int column = 0; column < 8; column++) out[m][column][row] = in[m][row][column];
  std::memcpy(warp->matrices, out, sizeof out);
}

}  // namespace cria::simt
