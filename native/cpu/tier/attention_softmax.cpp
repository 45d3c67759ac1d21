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
    const vf shift = set(-base);
    vf sum = set(0);
    map_row<PerWord>(n, row, [&](vf product) {
      const vf p = power_of_2(fma(product, by, shift));
      sum += p;
      return p;
    });
    const float shrink = power_of_2(set(m[i] - base))[0];
    keep[i] = shrink;
    m[i] = top;
    l[i] = l[i] * shrink + reduce_add(sum);
  }
}

namespace {

// A row of products and of dp, and what makes p and ds of them.
struct BackwardRow {
  float *products, *dp;
  vf by, base, mean;

  CRIA_INLINE vf power(const BackwardRow &row, int64_t j) {
    return power_of_2(fma(load(row.products + j), row.by, row.base));
  }
  CRIA_INLINE vf gradient(const BackwardRow &row, int64_t j, vf p) {
    return p * (load(row.dp + j) - row.mean);
  }
};

#if CRIA_TIER >= 3
// Two rows, of which the second is nothing but zeros unless `both`: p and ds in pairs along the rows, ds along the columns too.
CRIA_INLINE void pair_of_rows(int64_t n, const BackwardRow &first, const BackwardRow &second,
                              bool both, float *p_words, float *ds_words) {
  for (int64_t j = 0; j < n; j += 2 * W) {
    vf ds[2] = {vf{}, vf{}}, next_ds[2] = {vf{}, vf{}};
    for (int v = 0; v < 2 && j + v * W < n; v++) {
      const int64_t at = j + v * W;
      const vf p = BackwardRow::power(first, at);
      const vf next_p = both ? BackwardRow::power(second, at) : vf{};
      ds[v] = BackwardRow::gradient(first, at, p);
      if (both) next_ds[v] = BackwardRow::gradient(second, at, next_p);
      _mm512_storeu_si512(p_words + at, pair_up(p, next_p));
      _mm512_storeu_si512(ds_words + at, pair_up(ds[v], next_ds[v]));
    }
    _mm512_storeu_si512(first.dp + j / 2, halves(ds[0], ds[1]));
    if (both) _mm512_storeu_si512(second.dp + j / 2, halves(next_ds[0], next_ds[1]));
  }
}
#endif

}  // namespace

template <int PerWord>
void softmax_bwd(int64_t rows, int64_t n, int64_t low, const int32_t *high, float factor,
                 const float *lse2, const float *delta, float *scores, float *dp,
                 [[maybe_unused]] float *ds_along_rows) {
  auto row = [&](int64_t i) {
    const float base = lse2[i] == -kInfinity ? -kInfinity : -lse2[i];
    return BackwardRow{scores + i * kTileKeys, dp + i * kTileKeys, set(factor), set(base),
                       set(delta[i])};
  };
  for (int64_t i = 0; i < rows; i++) {
    hide(scores + i * kTileKeys, n, low, high[i], hidden(factor));
    hide(dp + i * kTileKeys, n, low, high[i], 0);
  }
#if CRIA_TIER >= 3
  if constexpr (PerWord == 2) {
    for (int64_t i = 0; i < rows; i += 2) {
      const bool both = i + 1 < rows;
      const int64_t pair = i / 2 * kTileKeys;
      pair_of_rows(n, row(i), row(both ? i + 1 : i), both, scores + pair, ds_along_rows + pair);
    }
    return;
  }
#endif
  for (int64_t i = 0; i < rows; i++) {
    const BackwardRow of = row(i);
    for (int64_t j = 0; j < n; j += W) {
      const vf p = BackwardRow::power(of, j);
      store(of.products + j, p);
      store(of.dp + j, BackwardRow::gradient(of, j, p));
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
