// attention.cpp: the products of attention's tiles, a block of accumulators in registers at a time, and the table of the
// tier's attention routines.
#include "cpu/kernels/attention.h"

#include "cpu/tier/attention_kernels.h"
#include "cpu/tier/step.h"

namespace cria::cpu::CRIA_TIER_NS {
namespace {

// Register block: kBlockRows x kBlockVectors accumulators leave room for the operands.
constexpr int64_t kBlockRows = 6;
constexpr int64_t kBlockVectors = CRIA_TIER >= 2 ? 4 : 2;
static_assert(kPanel == kBlockVectors * W && kTileKeys % kPanel == 0);

template <class Step, int Rows, int Vectors, class B>
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
    typename Step::Vector bl[Vectors];
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; j++) bl[j] = Step::read(b + j * W);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; i++) {
      const typename Step::Vector ai = Step::broadcast(a + i * a_row);
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; j++) sum[i][j] = Step::add_product(ai, bl[j], sum[i][j]);
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
template <class Step, int Vectors, class B>
constexpr Block<B> kBlocks[kBlockRows] = {block<Step, 1, Vectors, B>, block<Step, 2, Vectors, B>,
                                          block<Step, 3, Vectors, B>, block<Step, 4, Vectors, B>,
                                          block<Step, 5, Vectors, B>, block<Step, 6, Vectors, B>};

template <class Step, class B>
const Block<B> *blocks_of(int64_t vectors) {
  if constexpr (kBlockVectors == 4) {
    if (vectors == 4) return kBlocks<Step, 4, B>;
    if (vectors == 3) return kBlocks<Step, 3, B>;
  }
  return vectors == 2 ? kBlocks<Step, 2, B> : kBlocks<Step, 1, B>;
}

// All rows past a strip of `width` vectors, which stays in the first-level cache meanwhile.
template <class Step, class B>
void multiply_strip(int64_t m, int64_t width, int64_t k, const float *a, int64_t a_row, int64_t a_k,
                    const B *b, int64_t b_row, const float *keep, float *c, int64_t c_row) {
  const Block<B> *blocks = blocks_of<Step, B>(width);
  for (int64_t i = 0; i < m; i += kBlockRows) {
    const int64_t rows = m - i < kBlockRows ? m - i : kBlockRows;
    blocks[rows - 1](k, a + i * a_row, a_row, a_k, b, b_row, keep ? keep + i : nullptr,
                     c + i * c_row, c_row);
  }
}

template <class Step>
void multiply(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_k,
              const float *b, int64_t depth, const float *keep, float *c, int64_t c_row) {
  for (int64_t at = 0; at < n; at += kPanel, b += kPanel * depth) {
    const int64_t left = n - at < kPanel ? n - at : kPanel;
    multiply_strip<Step>(m, left / W, k, a, a_row, a_k, b, kPanel, keep, c + at, c_row);
  }
}

// One row alone: with as many sums at once as hide the latency of the multiply-add, past rows of b that are read through.
constexpr int64_t kRowVectors = 8;

template <class B, int Vectors>
void multiply_row(int64_t vectors, int64_t k, const float *a, const B *b, int64_t b_row,
                  const float *keep, float *c) {
  if (vectors == Vectors) {
    block<Floats, 1, Vectors>(k, a, 0, 1, b, b_row, keep, c, 0);
  } else if constexpr (Vectors > 1) {
    multiply_row<B, Vectors - 1>(vectors, k, a, b, b_row, keep, c);
  }
}

template <class B>
void multiply_rows(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, const B *b,
                   int64_t b_row, const float *keep, float *c, int64_t c_row) {
  const int64_t vectors = n / W, most = m == 1 ? kRowVectors : kBlockVectors;
  int64_t strips = (vectors + most - 1) / most;
  for (int64_t done = 0; strips > 0; strips--) {
    const int64_t width = (vectors - done + strips - 1) / strips, at = done * W;
    if (m == 1) {
      multiply_row<B, kRowVectors>(width, k, a, b + at, b_row, keep, c + at);
    } else {
      multiply_strip<Floats>(m, width, k, a, a_row, 1, b + at, b_row, keep, c + at, c_row);
    }
    done += width;
  }
}

template <int PerWord>
float delta(int64_t d, const float *dout, const float *out) {
  vf sum = set(0);
  for_vectors(d, [&](int64_t i, int64_t lanes) {
    const vf x = load(dout + i, lanes);
    sum = fma(PerWord == 2 ? widen_bf16(round_bf16(x)) : x, load(out + i, lanes), sum);
  });
  return reduce_add(sum);
}

template <class Step, int PerWord>
constexpr AttentionKernels kernels() {
  return {PerWord,
          kPanel,
          multiply<Step>,
          softmax<PerWord>,
          softmax_bwd<PerWord>,
          pack_row<PerWord>,
          pack_transposed<PerWord>,
          pack_upright<PerWord>,
          delta<PerWord>,
          copy_row,
          multiply_rows<float>,
          multiply_rows<uint16_t>};
}

}  // namespace

#if CRIA_TIER >= 3
extern const AttentionPrecisions attention_kernels = {kernels<Floats, 1>(), kernels<Pairs, 2>()};
#else
extern const AttentionPrecisions attention_kernels = {kernels<Floats, 1>(), kernels<Floats, 1>()};
#endif

}  // namespace cria::cpu::CRIA_TIER_NS
