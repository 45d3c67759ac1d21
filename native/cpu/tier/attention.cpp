// attention.cpp: products of attention tiles in registers and the vector softmax, once per instruction-set tier.
#include "cpu/kernels/attention.h"

#include <cmath>

#include "cpu/tier/vec.h"

namespace cria::cpu::CRIA_TIER_NS {
namespace {

// Register block: kBlockRows x kBlockVectors accumulators leave room for the operands.
constexpr int64_t kBlockRows = 6;
constexpr int64_t kBlockVectors = CRIA_TIER >= 2 ? 4 : 2;

inline Vec widen(const float *p) { return vload(p); }
inline Vec widen(const uint16_t *p) { return vload_bf16(p); }

template <int Rows, int Vectors, class B>
void block(int64_t k, const float *a, int64_t a_row, int64_t a_k, const B *b, int64_t b_row,
           const float *keep, float *c, int64_t c_row) {
  Vec sum[Rows][Vectors];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; i++) {
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; j++)
      sum[i][j] = keep ? vmul(vset(keep[i]), vload(c + i * c_row + j * kLanes)) : vset(0);
  }
  for (int64_t l = 0; l < k; l++, a += a_k, b += b_row) {
    Vec bl[Vectors];
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; j++) bl[j] = widen(b + j * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; i++) {
      const Vec ai = vset(a[i * a_row]);
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; j++) sum[i][j] = vfma(ai, bl[j], sum[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; i++) {
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; j++) vstore(c + i * c_row + j * kLanes, sum[i][j]);
  }
}

template <class B>
using Block = void (*)(int64_t k, const float *a, int64_t a_row, int64_t a_k, const B *b,
                       int64_t b_row, const float *keep, float *c, int64_t c_row);

// The blocks with 1..kBlockRows rows of Vectors vectors.
template <int Vectors, class B>
constexpr Block<B> kBlocks[kBlockRows] = {block<1, Vectors, B>, block<2, Vectors, B>,
                                          block<3, Vectors, B>, block<4, Vectors, B>,
                                          block<5, Vectors, B>, block<6, Vectors, B>};

template <class B>
const Block<B> *blocks_of(int64_t vectors) {
  if constexpr (kBlockVectors == 4) {
    if (vectors == 4) return kBlocks<4, B>;
    if (vectors == 3) return kBlocks<3, B>;
  }
  return vectors == 2 ? kBlocks<2, B> : kBlocks<1, B>;
}

template <class B>
void multiply(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_k,
              const B *b, int64_t b_row, const float *keep, float *c, int64_t c_row) {
  // Columns outside: the strip of b stays in the first-level cache while the rows of a pass by.
  const int64_t vectors = n / kLanes;
  int64_t strips = (vectors + kBlockVectors - 1) / kBlockVectors;
  for (int64_t done = 0; strips > 0; strips--) {
    const int64_t width = (vectors - done + strips - 1) / strips;
    const Block<B> *blocks = blocks_of<B>(width);
    for (int64_t i = 0; i < m; i += kBlockRows) {
      const int64_t rows = m - i < kBlockRows ? m - i : kBlockRows;
      blocks[rows - 1](k, a + i * a_row, a_row, a_k, b + done * kLanes, b_row,
                       keep ? keep + i : nullptr, c + i * c_row + done * kLanes, c_row);
    }
    done += width;
  }
}

// Overwrites the columns of a row that are not seen.
inline void hide(float *row, int64_t n, int64_t low, int64_t high, float value) {
  for (int64_t j = 0; j < low; j++) row[j] = value;
  for (int64_t j = high; j < n; j++) row[j] = value;
}

void softmax(int64_t rows, int64_t n, int64_t low, const int32_t *high, float *scores, float *m,
             float *l, float *keep) {
  for (int64_t i = 0; i < rows; i++) {
    float *row = scores + i * kTileKeys;
    hide(row, n, low, high[i], -INFINITY);
    Vec largest = vset(m[i]);
    for (int64_t j = 0; j < n; j += kLanes) largest = vmax(vload(row + j), largest);
    const float top = vlargest(largest);
    // Nothing seen yet: every power below must be 0, not "not a number".
    const float base = top == -INFINITY ? 0 : top;
    const Vec shift = vset(base);
    Vec sum = vset(0);
    for (int64_t j = 0; j < n; j += kLanes) {
      const Vec p = vexp2(vsub(vload(row + j), shift));
      vstore(row + j, p);
      sum = vadd(sum, p);
    }
    const float shrink = vfirst(vexp2(vset(m[i] - base)));
    keep[i] = shrink;
    m[i] = top;
    l[i] = l[i] * shrink + vsum(sum);
  }
}

void softmax_bwd(int64_t rows, int64_t n, int64_t low, const int32_t *high, const float *lse2,
                 const float *delta, float *scores, float *dp) {
  for (int64_t i = 0; i < rows; i++) {
    float *row = scores + i * kTileKeys, *drow = dp + i * kTileKeys;
    hide(row, n, low, high[i], -INFINITY);
    hide(drow, n, low, high[i], 0);
    const Vec shift = vset(lse2[i] == -INFINITY ? INFINITY : lse2[i]), mean = vset(delta[i]);
    for (int64_t j = 0; j < n; j += kLanes) {
      const Vec p = vexp2(vsub(vload(row + j), shift));
      vstore(row + j, p);
      vstore(drow + j, vmul(p, vsub(vload(drow + j), mean)));
    }
  }
}

void copy_row(int64_t d, float scale, const float *x, int64_t to_row, float *to) {
  const Vec factor = vset(scale);
  int64_t j = 0;
  for (; j + kLanes <= d; j += kLanes) vstore(to + j, vmul(factor, vload(x + j)));
  for (; j < d; j++) to[j] = scale * x[j];
  for (; j < to_row; j++) to[j] = 0;
}

float dot(int64_t n, const float *x, const float *y) {
  Vec sum = vset(0);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) sum = vfma(vload(x + i), vload(y + i), sum);
  if (int64_t rest = n - i) sum = vfma(vload_part(x + i, rest), vload_part(y + i, rest), sum);
  return vsum(sum);
}

}  // namespace

const AttentionKernels attention_kernels = {multiply<float>, multiply<uint16_t>, softmax,
                                            softmax_bwd,     copy_row,           dot};

}  // namespace cria::cpu::CRIA_TIER_NS
