// attention_softmax.cpp: the softmax between the products of attention, forward and backward, with its powers as words of the
// next product.
#include "cpu/tier/attention_kernels.h"
#include "cpu/tier/simd.h"

namespace cria::cpu::CRIA_TIER_NS {
namespace {

constexpr float kInfinity = __builtin_inff();

// 2^x, relative error below 1e-7, for x <= 127; 0 below -126.5. NaN stays NaN. Probabilities need no
// denormals, so the exponent is written directly.
CRIA_INLINE vf power_of_2(vf x) {
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

// Overwrites the columns of a row that are not seen.
CRIA_INLINE void hide(float *row, int64_t n, int64_t low, int64_t high, float value) {
  for (int64_t j = 0; j < low; j++) row[j] = value;
  for (int64_t j = high; j < n; j++) row[j] = value;
}

// The product that stands for a score of minus infinity.
CRIA_INLINE float hidden(float factor) { return factor > 0 ? -kInfinity : kInfinity; }

#if CRIA_TIER >= 3
// 32 numbers as bf16, those of the first vector first.
CRIA_INLINE __m512i halves(vf first, vf second) {
  return (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
}

// Words (first[j], second[j]).
CRIA_INLINE __m512i pair_up(vf first, vf second) {
  const __m512i order = _mm512_set_epi32(0x1F000F, 0x1E000E, 0x1D000D, 0x1C000C, 0x1B000B, 0x1A000A,
                                         0x190009, 0x180008, 0x170007, 0x160006, 0x150005, 0x140004,
                                         0x130003, 0x120002, 0x110001, 0x100000);
  return _mm512_permutexvar_epi16(order, halves(first, second));
}
#endif

// n numbers at x; what f makes of them becomes words at its start.
template <int PerWord, class F>
CRIA_INLINE void map_row(int64_t n, float *x, F f) {
#if CRIA_TIER >= 3
  if constexpr (PerWord == 2) {
    for (int64_t j = 0; j < n; j += 2 * W) {
      const vf first = f(load(x + j)), second = j + W < n ? f(load(x + j + W)) : vf{};
      _mm512_storeu_si512(x + j / 2, halves(first, second));
    }
    return;
  }
#endif
  for (int64_t j = 0; j < n; j += W) store(x + j, f(load(x + j)));
}

}  // namespace

template <int PerWord>
void softmax(int64_t rows, int64_t n, int64_t low, const int32_t *high, float factor, float *scores,
             float *m, float *l, float *keep) {
  const vf by = set(factor);
  for (int64_t i = 0; i < rows; i++) {
    float *row = scores + i * kTileKeys;
    hide(row, n, low, high[i], hidden(factor));
    vf largest = set(m[i]);
    for (int64_t j = 0; j < n; j += W) largest = max(load(row + j) * by, largest);
    const float top = reduce_max(largest);
    // Nothing seen yet: every power below must be 0, not "not a number".
    const float base = top == -kInfinity ? 0 : top;
    const vf shift = set(base);
    vf sum = set(0);
    map_row<PerWord>(n, row, [&](vf product) {
      const vf p = power_of_2(product * by - shift);
      sum += p;
      return p;
    });
    const float shrink = power_of_2(set(m[i] - base))[0];
    keep[i] = shrink;
    m[i] = top;
    l[i] = l[i] * shrink + reduce_add(sum);
  }
}

template <int PerWord>
void softmax_bwd(int64_t rows, int64_t n, int64_t low, const int32_t *high, float factor,
                 const float *lse2, const float *delta, float *scores, float *dp,
                 [[maybe_unused]] float *ds_along_rows) {
  const vf by = set(factor);
  auto shift = [&](int64_t i) { return set(lse2[i] == -kInfinity ? kInfinity : lse2[i]); };
  auto power = [&](const float *row, vf base) { return power_of_2(load(row) * by - base); };
  for (int64_t i = 0; i < rows; i++) {
    hide(scores + i * kTileKeys, n, low, high[i], hidden(factor));
    hide(dp + i * kTileKeys, n, low, high[i], 0);
  }
#if CRIA_TIER >= 3
  if constexpr (PerWord == 2) {
    for (int64_t i = 0; i < rows; i += 2) {
      // A last row alone is paired with zeros.
      const bool both = i + 1 < rows;
      const int64_t next = both ? i + 1 : i;
      const float *row[2] = {scores + i * kTileKeys, scores + next * kTileKeys};
      float *drow[2] = {dp + i * kTileKeys, dp + next * kTileKeys};
      const vf base[2] = {shift(i), shift(next)}, mean[2] = {set(delta[i]), set(delta[next])};
      float *p_words = scores + i / 2 * kTileKeys, *ds_words = ds_along_rows + i / 2 * kTileKeys;
      for (int64_t j = 0; j < n; j += 2 * W) {
        vf ds[2][2] = {{vf{}, vf{}}, {vf{}, vf{}}};  // of row, vector
        for (int v = 0; v < 2 && j + v * W < n; v++) {
          const int64_t at = j + v * W;
          const vf first = power(row[0] + at, base[0]);
          const vf second = both ? power(row[1] + at, base[1]) : vf{};
          ds[0][v] = first * (load(drow[0] + at) - mean[0]);
          if (both) ds[1][v] = second * (load(drow[1] + at) - mean[1]);
          _mm512_storeu_si512(p_words + at, pair_up(first, second));
          _mm512_storeu_si512(ds_words + at, pair_up(ds[0][v], ds[1][v]));
        }
        _mm512_storeu_si512(drow[0] + j / 2, halves(ds[0][0], ds[0][1]));
        if (both) _mm512_storeu_si512(drow[1] + j / 2, halves(ds[1][0], ds[1][1]));
      }
    }
    return;
  }
#endif
  for (int64_t i = 0; i < rows; i++) {
    float *row = scores + i * kTileKeys, *drow = dp + i * kTileKeys;
    const vf base = shift(i), mean = set(delta[i]);
    for (int64_t j = 0; j < n; j += W) {
      const vf p = power(row + j, base);
      store(row + j, p);
      store(drow + j, p * (load(drow + j) - mean));
    }
  }
}

template void softmax<1>(int64_t, int64_t, int64_t, const int32_t *, float, float *, float *,
                         float *, float *);
template void softmax_bwd<1>(int64_t, int64_t, int64_t, const int32_t *, float, const float *,
                             const float *, float *, float *, float *);
#if CRIA_TIER >= 3
template void softmax<2>(int64_t, int64_t, int64_t, const int32_t *, float, float *, float *,
                         float *, float *);
template void softmax_bwd<2>(int64_t, int64_t, int64_t, const int32_t *, float, const float *,
                             const float *, float *, float *, float *);
#endif

}  // namespace cria::cpu::CRIA_TIER_NS
