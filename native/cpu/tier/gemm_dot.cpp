// gemm_dot.cpp: dot products of one weight row with up to eight activation rows, for decoding one token at a time.
#include "cpu/tier/gemm_kernels.h"
#include "cpu/tier/simd.h"

namespace cria::cpu {
namespace CRIA_TIER_NS {
namespace {

constexpr int kChains = 4;        // independent sums hide the latency of the multiply-add
constexpr int64_t kLine = 32;     // bf16 in a line of the cache
constexpr int64_t kAhead = 1024;  // and how far ahead they are asked for

// Weights of float32, or of bf16 that are widened.
template <int M, class T>
void dot_f32_of(int64_t k, const T *w, const float *x, int64_t ldx, float *out) {
  vf acc[M][kChains];
  for (int i = 0; i < M; ++i) {
    for (int j = 0; j < kChains; ++j) acc[i][j] = vf{};
  }
  int64_t p = 0;
  for (; p + kChains * W <= k; p += kChains * W) {
    // Where there is much to do for a line, the processor's own look-ahead falls behind; where there is little, asking costs.
    if (M > 1 && sizeof(T) == 2) {
      for (int64_t j = 0; j < kChains * W; j += kLine) __builtin_prefetch(w + p + kAhead + j);
    }
    for (int j = 0; j < kChains; ++j) {
      vf weight = load(w + p + j * W);
      for (int i = 0; i < M; ++i) acc[i][j] = fma(weight, load(x + i * ldx + p + j * W), acc[i][j]);
    }
  }
  for (; p < k; p += W) {
    const int64_t left = k - p < W ? k - p : W;
    const vf weight = load(w + p, left);
    for (int i = 0; i < M; ++i) acc[i][0] = fma(weight, load(x + i * ldx + p, left), acc[i][0]);
  }
  for (int i = 0; i < M; ++i) {
    out[i] = reduce_add((acc[i][0] + acc[i][1]) + (acc[i][2] + acc[i][3]));
  }
}

#if CRIA_TIER >= 3
template <int M>
void dot_bf16_of(int64_t k, const uint16_t *w, const uint16_t *x, int64_t ldx, float *out) {
  constexpr int kStep = 2 * W;
  vf acc[M][kChains];
  for (int i = 0; i < M; ++i) {
    for (int j = 0; j < kChains; ++j) acc[i][j] = vf{};
  }
  int64_t p = 0;
  for (; p + kChains * kStep <= k; p += kChains * kStep) {
    for (int j = 0; j < kChains; ++j) {
      auto weight = (__m512bh)_mm512_loadu_si512(w + p + j * kStep);
      for (int i = 0; i < M; ++i) {
        auto value = (__m512bh)_mm512_loadu_si512(x + i * ldx + p + j * kStep);
        acc[i][j] = (vf)_mm512_dpbf16_ps((__m512)acc[i][j], weight, value);
      }
    }
  }
  for (; p < k; p += kStep) {
    __mmask32 mask = k - p < kStep ? (1u << (k - p)) - 1 : ~0u;
    auto weight = (__m512bh)_mm512_maskz_loadu_epi16(mask, w + p);
    for (int i = 0; i < M; ++i) {
      auto value = (__m512bh)_mm512_maskz_loadu_epi16(mask, x + i * ldx + p);
      acc[i][0] = (vf)_mm512_dpbf16_ps((__m512)acc[i][0], weight, value);
    }
  }
  for (int i = 0; i < M; ++i) {
    out[i] = reduce_add((acc[i][0] + acc[i][1]) + (acc[i][2] + acc[i][3]));
  }
}
#endif

// Eight rows go as two groups of four, which keeps all sums in registers.
template <class T>
inline void dot_rows(int64_t k, const T *w, int m, const float *x, int64_t ldx, float *out) {
  for (; m >= 4; m -= 4, x += 4 * ldx, out += 4) dot_f32_of<4>(k, w, x, ldx, out);
  if (m == 3) dot_f32_of<3>(k, w, x, ldx, out);
  if (m == 2) dot_f32_of<2>(k, w, x, ldx, out);
  if (m == 1) dot_f32_of<1>(k, w, x, ldx, out);
}

}  // namespace

void dot_f32(int64_t k, const float *w, int m, const float *x, int64_t ldx, float *out) {
  dot_rows(k, w, m, x, ldx, out);
}

void dot_widened(int64_t k, const uint16_t *w, int m, const float *x, int64_t ldx, float *out) {
  dot_rows(k, w, m, x, ldx, out);
}

#if CRIA_TIER >= 3
void dot_bf16(int64_t k, const uint16_t *w, int m, const uint16_t *x, int64_t ldx, float *out) {
  for (; m >= 4; m -= 4, x += 4 * ldx, out += 4) dot_bf16_of<4>(k, w, x, ldx, out);
  if (m == 3) dot_bf16_of<3>(k, w, x, ldx, out);
  if (m == 2) dot_bf16_of<2>(k, w, x, ldx, out);
  if (m == 1) dot_bf16_of<1>(k, w, x, ldx, out);
}
#endif

}  // namespace CRIA_TIER_NS
}  // namespace cria::cpu
