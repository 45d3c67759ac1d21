// matrix.cpp: the matrix operations of a warp: fragments of 32 lanes, side by side, are whole rows of a matrix.
//
// With g = lane / 4 and t = lane % 4, a register that holds (row g, columns 2t and 2t + 1) of all 32 lanes is an 8x8
// matrix of bf16 in row order, and a pair of sums of all lanes an 8x8 matrix of floats. Products of two bf16 are
// exact in float32; what the modes change is the order and width of the sums, which hardware does not promise.
#include <cstring>

#include "simt/warp.h"

namespace cria::simt {

namespace {

// Eight numbers side by side: a row of an 8x8 matrix. Without AVX2 the compiler makes two of four.
typedef float Row __attribute__((vector_size(32)));
typedef double WideRow __attribute__((vector_size(64)));
typedef uint32_t Bits __attribute__((vector_size(32)));
typedef uint16_t Halves __attribute__((vector_size(16)));

#define CRIA_SIMT_INLINE [[gnu::always_inline]] inline

CRIA_SIMT_INLINE void widen(const void *from, Row &to) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  Bits bits = __builtin_convertvector(halves, Bits) << 16;
  std::memcpy(&to, &bits, sizeof to);
}

// a: 16 x K by rows, b: K x 8 by rows.
template <int K>
struct Operands {
  alignas(64) float a[16][K];
  Row b[K];
};

template <int K>
CRIA_SIMT_INLINE void gather_rows(const uint32_t (&a)[4][kLanes], Operands<K> &m) {
  for (int i = 0; i < K / 4; i++)
    for (int g = 0; g < 8; g++) {
      Row row;
      widen(&a[i][4 * g], row);
      std::memcpy(&m.a[g + i % 2 * 8][i / 2 * 8], &row, sizeof row);
    }
}

template <int K>
CRIA_SIMT_INLINE void sum_sequential(const Operands<K> &m, Row *c) {
  for (int first = 0; first < 16; first += 8) {
    Row sums[8];
    for (int i = 0; i < 8; i++) sums[i] = c[first + i];
#pragma GCC unroll 16
    for (int k = 0; k < K; k++)
#pragma GCC unroll 8
      for (int i = 0; i < 8; i++) sums[i] += m.a[first + i][k] * m.b[k];
    for (int i = 0; i < 8; i++) c[first + i] = sums[i];
  }
}

template <int K>
CRIA_SIMT_INLINE void sum_pairwise(const Operands<K> &m, Row *c) {
  for (int i = 0; i < 16; i++) {
    Row p[K];
    for (int k = 0; k < K; k++) p[k] = m.a[i][k] * m.b[k];
    for (int step = 1; step < K; step *= 2)
      for (int k = 0; k < K; k += 2 * step) p[k] += p[k + step];
    c[i] += p[0];
  }
}

template <int K>
CRIA_SIMT_INLINE void sum_float64(const Operands<K> &m, Row *c) {
  WideRow b[K];
  for (int k = 0; k < K; k++) b[k] = __builtin_convertvector(m.b[k], WideRow);
  for (int i = 0; i < 16; i++) {
    WideRow sum = __builtin_convertvector(c[i], WideRow);
    for (int k = 0; k < K; k++) sum += double(m.a[i][k]) * b[k];
    c[i] = __builtin_convertvector(sum, Row);
  }
}

template <int K>
CRIA_SIMT_INLINE void add_products(const Operands<K> &m, Row *c, MmaMode mode) {
  switch (mode) {
    case MmaMode::sequential:
      sum_sequential(m, c);
      break;
    case MmaMode::pairwise:
      sum_pairwise(m, c);
      break;
    case MmaMode::float64:
      sum_float64(m, c);
      break;
  }
}

template <int K>
CRIA_SIMT_INLINE void multiply(Warp *warp, MmaMode mode) {
  Operands<K> m;
  gather_rows(warp->a, m);
  for (int k = 0; k < K; k++) widen(warp->b[k], m.b[k]);
  add_products(m, reinterpret_cast<Row *>(warp->c), mode);
}

CRIA_SIMT_INLINE void multiply_many(const uint32_t (&a)[4][kLanes], const uint16_t (*b)[16], int n,
                                    float *sums, MmaMode mode) {
  Operands<16> m;
  gather_rows(a, m);
  for (int first = 0; first < n; first += 8) {
    alignas(32) float columns[8][16];
    for (int i = 0; i < 8; i++) {
      widen(b[first + i], reinterpret_cast<Row &>(columns[i][0]));
      widen(b[first + i] + 8, reinterpret_cast<Row &>(columns[i][8]));
    }
    for (int k = 0; k < 16; k++)
      for (int i = 0; i < 8; i++) m.b[k][i] = columns[i][k];
    Row c[16];
    std::memcpy(c, sums + first * 16, sizeof c);
    add_products(m, c, mode);
    std::memcpy(sums + first * 16, c, sizeof c);
  }
}

using Multiply = void (*)(Warp *, MmaMode);
void multiply_16(Warp *warp, MmaMode mode) { multiply<16>(warp, mode); }
void multiply_8(Warp *warp, MmaMode mode) { multiply<8>(warp, mode); }
using MultiplyMany = void (*)(const uint32_t (&)[4][kLanes], const uint16_t (*)[16], int, float *,
                              MmaMode);
void multiply_many_plain(const uint32_t (&a)[4][kLanes], const uint16_t (*b)[16], int n,
                         float *sums, MmaMode mode) {
  multiply_many(a, b, n, sums, mode);
}
MultiplyMany g_multiply_many = multiply_many_plain;
Multiply g_multiply_16 = multiply_16, g_multiply_8 = multiply_8;

#if defined(__x86_64__)
// Twice as wide, the same results: each operation is rounded alike, and none are fused.
[[gnu::target("avx2")]] void multiply_16_avx2(Warp *warp, MmaMode mode) {
  multiply<16>(warp, mode);
}
[[gnu::target("avx2")]] void multiply_8_avx2(Warp *warp, MmaMode mode) { multiply<8>(warp, mode); }
[[gnu::target("avx2")]] void multiply_many_avx2(const uint32_t (&a)[4][kLanes],
                                                const uint16_t (*b)[16], int n, float *sums,
                                                MmaMode mode) {
  multiply_many(a, b, n, sums, mode);
}
#endif

MmaMode g_mode = MmaMode::sequential;

}  // namespace

void choose_multiply(MmaMode mode) {
  g_mode = mode;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    g_multiply_16 = multiply_16_avx2;
    g_multiply_8 = multiply_8_avx2;
    g_multiply_many = multiply_many_avx2;
  }
#endif
}

void multiply_16x8x16(Warp *warp) { g_multiply_16(warp, g_mode); }
void multiply_16x8x8(Warp *warp) { g_multiply_8(warp, g_mode); }

void multiply_columns(const uint32_t (&a)[4][kLanes], const uint16_t (*b)[16], int n, float *sums) {
  g_multiply_many(a, b, n, sums, g_mode);
}

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
