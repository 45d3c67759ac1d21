// attention.cpp: products of attention tiles in registers and the vector softmax, once per instruction-set tier.
#include "cpu/kernels/attention.h"

#include "cpu/tier/simd.h"

namespace cria::cpu::CRIA_TIER_NS {
namespace {

// Register block: kBlockRows x kBlockVectors accumulators leave room for the operands.
constexpr float kInfinity = __builtin_inff();

constexpr int64_t kBlockRows = 6;
constexpr int64_t kBlockVectors = CRIA_TIER >= 2 ? 4 : 2;

// 2^x, relative error below 1e-7, for x <= 127; 0 below -126.5. NaN stays NaN. Probabilities need no
// denormals, so the exponent is written directly.
inline vf power_of_2(vf x) {
  x = max(set(-127.0f), x);
  const vf n = round(x), f = x - n;
  // Chebyshev fit of 2^f on [-0.5, 0.5].
  vf p = set(1.54697320e-4f);
  p = fma(p, f, set(1.34004322e-3f));
  p = fma(p, f, set(9.61802560e-3f));
  p = fma(p, f, set(5.55032721e-2f));
  p = fma(p, f, set(2.40226512e-1f));
  p = fma(p, f, set(6.93147207e-1f));
  p = fma(p, f, set(1.0f));
  return p * bits_float((__builtin_convertvector(n, vi) + 127) << 23);
}

template <int Rows, int Vectors, class B>
void block(int64_t k, const float *a, int64_t a_row, int64_t a_k, const B *b, int64_t b_row,
           const float *keep, float *c, int64_t c_row) {
  vf sum[Rows][Vectors];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; i++) {
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; j++)
      sum[i][j] = keep ? keep[i] * load(c + i * c_row + j * W) : set(0);
  }
  for (int64_t l = 0; l < k; l++, a += a_k, b += b_row) {
    vf bl[Vectors];
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; j++) bl[j] = load(b + j * W);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; i++) {
      const vf ai = set(a[i * a_row]);
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; j++) sum[i][j] = fma(ai, bl[j], sum[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; i++) {
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; j++) store(c + i * c_row + j * W, sum[i][j]);
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
  const int64_t vectors = n / W;
  int64_t strips = (vectors + kBlockVectors - 1) / kBlockVectors;
  for (int64_t done = 0; strips > 0; strips--) {
    const int64_t width = (vectors - done + strips - 1) / strips;
    const Block<B> *blocks = blocks_of<B>(width);
    for (int64_t i = 0; i < m; i += kBlockRows) {
      const int64_t rows = m - i < kBlockRows ? m - i : kBlockRows;
      blocks[rows - 1](k, a + i * a_row, a_row, a_k, b + done * W, b_row, keep ? keep + i : nullptr,
                       c + i * c_row + done * W, c_row);
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
    hide(row, n, low, high[i], -kInfinity);
    vf largest = set(m[i]);
    for (int64_t j = 0; j < n; j += W) largest = max(load(row + j), largest);
    const float top = reduce_max(largest);
    // Nothing seen yet: every power below must be 0, not "not a number".
    const float base = top == -kInfinity ? 0 : top;
    const vf shift = set(base);
    vf sum = set(0);
    for (int64_t j = 0; j < n; j += W) {
      const vf p = power_of_2(load(row + j) - shift);
      store(row + j, p);
      sum += p;
    }
    const float shrink = power_of_2(set(m[i] - base))[0];
    keep[i] = shrink;
    m[i] = top;
    l[i] = l[i] * shrink + reduce_add(sum);
  }
}

void softmax_bwd(int64_t rows, int64_t n, int64_t low, const int32_t *high, const float *lse2,
                 const float *delta, float *scores, float *dp) {
  for (int64_t i = 0; i < rows; i++) {
    float *row = scores + i * kTileKeys, *drow = dp + i * kTileKeys;
    hide(row, n, low, high[i], -kInfinity);
    hide(drow, n, low, high[i], 0);
    const vf shift = set(lse2[i] == -kInfinity ? kInfinity : lse2[i]), mean = set(delta[i]);
    for (int64_t j = 0; j < n; j += W) {
      const vf p = power_of_2(load(row + j) - shift);
      store(row + j, p);
      store(drow + j, p * (load(drow + j) - mean));
    }
  }
}

void copy_row(int64_t d, float scale, const float *x, int64_t to_row, float *to) {
  const vf factor = set(scale);
  int64_t j = 0;
  for (; j + W <= d; j += W) store(to + j, factor * load(x + j));
  for (; j < d; j++) to[j] = scale * x[j];
  for (; j < to_row; j++) to[j] = 0;
}

float dot(int64_t n, const float *x, const float *y) {
  vf sum = set(0);
  int64_t i = 0;
  for (; i + W <= n; i += W) sum = fma(load(x + i), load(y + i), sum);
  if (int64_t rest = n - i) sum = fma(load(x + i, rest), load(y + i, rest), sum);
  return reduce_add(sum);
}

}  // namespace

const AttentionKernels attention_kernels = {multiply<float>, multiply<uint16_t>, softmax,
                                            softmax_bwd,     copy_row,           dot};

}  // namespace cria::cpu::CRIA_TIER_NS
