// simd.h: float32 vectors of the tier being compiled: partial loads, exp and log, fixed-order sums.
//
// For files in cpu/tier/ only. The types are vectors of the compiler, so + - * /, comparisons (which
// give lanes of -1 or 0) and mask ? a : b work on them; what is here is the rest. Everything is in the
// namespace of the tier and always inlined, so that no copy for one processor runs on another.
//
// exp, log and their relatives are Cephes' single precision polynomials (S. Moshier), right to about
// 2 units in the last place, with infinities, NaN and denormals as in <cmath>.
#pragma once

#include <stddef.h>
#include <stdint.h>

#if CRIA_TIER >= 1
// GCC 12's AVX-512 headers make undefined vectors on purpose and then warn about them.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

#define CRIA_INLINE static inline __attribute__((always_inline, unused))

namespace cria::cpu::CRIA_TIER_NS {

// Lanes of a vector.
#if CRIA_TIER >= 2
constexpr int64_t W = 16;
#elif CRIA_TIER == 1
constexpr int64_t W = 8;
#else
constexpr int64_t W = 4;
#endif

typedef float vf __attribute__((vector_size(4 * W)));
typedef int32_t vi __attribute__((vector_size(4 * W)));
typedef uint32_t vu __attribute__((vector_size(4 * W)));
typedef uint16_t vh __attribute__((vector_size(2 * W)));
typedef double vd __attribute__((vector_size(4 * W)));  // W / 2 lanes

// ---- constants and bits

// Not vf{} + x: that is an addition, since it turns -0 into 0.
CRIA_INLINE vf set(float x) {
#if CRIA_TIER >= 2
  return (vf)_mm512_set1_ps(x);
#elif CRIA_TIER == 1
  return (vf)_mm256_set1_ps(x);
#else
  return vf{x, x, x, x};
#endif
}
CRIA_INLINE vi set_int(int32_t x) { return vi{} + x; }
CRIA_INLINE vi float_bits(vf x) { return (vi)x; }
CRIA_INLINE vf bits_float(vi x) { return (vf)x; }
CRIA_INLINE vi is_nan(vf x) { return x != x; }  // NOLINT(misc-redundant-expression)
CRIA_INLINE vi iota() {
#if CRIA_TIER >= 2
  return vi{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif CRIA_TIER == 1
  return vi{0, 1, 2, 3, 4, 5, 6, 7};
#else
  return vi{0, 1, 2, 3};
#endif
}

// ---- memory; the forms with n touch the first n (0..W) lanes only, the others load as 0
//
// Those of float32 ask for n == W first: compilers keep a masked instruction whose mask is full, and AVX2's masked store is
// many times slower than a plain one on AMD's processors.

CRIA_INLINE vf load(const float *p) {
  vf v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
CRIA_INLINE void store(float *p, vf v) { __builtin_memcpy(p, &v, sizeof v); }

CRIA_INLINE vf load(const float *p, int64_t n) {
  if (n == W) return load(p);
#if CRIA_TIER >= 2
  return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << (n & 31)) - 1), p);
#elif CRIA_TIER == 1
  return (vf)_mm256_maskload_ps(p, (__m256i)(iota() < set_int((int32_t)n)));
#else
  vf v = {};
  __builtin_memcpy(&v, p, (size_t)n * 4);
  return v;
#endif
}
CRIA_INLINE void store(float *p, vf v, int64_t n) {
  if (n == W) return store(p, v);
#if CRIA_TIER >= 2
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << (n & 31)) - 1), (__m512)v);
#elif CRIA_TIER == 1
  _mm256_maskstore_ps(p, (__m256i)(iota() < set_int((int32_t)n)), (__m256)v);
#else
  __builtin_memcpy(p, &v, (size_t)n * 4);
#endif
}

// The instruction is named because GCC 12 makes three of __builtin_convertvector here.
CRIA_INLINE vf widen_bf16(vh h) {
#if CRIA_TIER >= 2
  const vu wide = (vu)_mm512_cvtepu16_epi32((__m256i)h);
#elif CRIA_TIER == 1
  const vu wide = (vu)_mm256_cvtepu16_epi32((__m128i)h);
#else
  const vu wide = __builtin_convertvector(h, vu);
#endif
  return (vf)(wide << 16);
}

// Rounds to nearest even; NaN stays NaN, denormals stay.
CRIA_INLINE vh round_bf16(vf x) {
  const vu u = (vu)x;
  const vu rounded = (u + 0x7FFF + ((u >> 16) & 1)) >> 16;
  const vu bits = is_nan(x) ? (u >> 16) | 0x40 : rounded;
  return __builtin_convertvector(bits, vh);
}

CRIA_INLINE vf load_bf16(const uint16_t *p) {
  vh h;
  __builtin_memcpy(&h, p, sizeof h);
  return widen_bf16(h);
}
CRIA_INLINE vf load_bf16(const uint16_t *p, int64_t n) {
  vh h = {};
  __builtin_memcpy(&h, p, (size_t)n * 2);
  return widen_bf16(h);
}
CRIA_INLINE void store_bf16(uint16_t *p, vf v) {
  const vh h = round_bf16(v);
  __builtin_memcpy(p, &h, sizeof h);
}
CRIA_INLINE void store_bf16(uint16_t *p, vf v, int64_t n) {
  const vh h = round_bf16(v);
  __builtin_memcpy(p, &h, (size_t)n * 2);
}

// The same names for bf16 memory, for templates over the element.
CRIA_INLINE vf load(const uint16_t *p) { return load_bf16(p); }
CRIA_INLINE vf load(const uint16_t *p, int64_t n) { return load_bf16(p, n); }
CRIA_INLINE void store(uint16_t *p, vf v) { store_bf16(p, v); }
CRIA_INLINE void store(uint16_t *p, vf v, int64_t n) { store_bf16(p, v, n); }

// IEEE binary16, exactly.
CRIA_INLINE vf widen_f16(vh h) {
  const vu u = __builtin_convertvector(h, vu);
  const vf magnitude = (vf)((u & 0x7FFF) << 13) * 0x1p112f;
  const vu special = (vu)((u & 0x7C00) == 0x7C00) & 0x7F800000u;
  return (vf)((vu)magnitude | special | ((u & 0x8000) << 16));
}
CRIA_INLINE vf load_f16(const uint16_t *p, int64_t n) {
  vh h = {};
  __builtin_memcpy(&h, p, (size_t)n * 2);
  return widen_f16(h);
}

// ---- arithmetic

// a * b + c, one rounding where the tier has the instruction.
CRIA_INLINE vf fma(vf a, vf b, vf c) {
#if CRIA_TIER >= 2
  return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif CRIA_TIER == 1
  return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}

// b where either is NaN.
CRIA_INLINE vf max(vf a, vf b) {
#if CRIA_TIER >= 2
  return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif CRIA_TIER == 1
  return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
  return a > b ? a : b;
#endif
}
CRIA_INLINE vf min(vf a, vf b) {
#if CRIA_TIER >= 2
  return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif CRIA_TIER == 1
  return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#else
  return a < b ? a : b;
#endif
}

CRIA_INLINE vf sqrt(vf x) {
#if CRIA_TIER >= 2
  return (vf)_mm512_sqrt_ps((__m512)x);
#elif CRIA_TIER == 1
  return (vf)_mm256_sqrt_ps((__m256)x);
#else
  for (int i = 0; i < W; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}

CRIA_INLINE vf abs(vf x) { return (vf)((vu)x & 0x7FFFFFFFu); }

// To the nearest integer, even on ties; |x| < 2^22.
CRIA_INLINE vf round(vf x) { return (x + 0x1.8p23f) - 0x1.8p23f; }

// y * 2^n for integers n in [-252, 254].
CRIA_INLINE vf scale_by_power(vf y, vf n) {
#if CRIA_TIER >= 2
  return (vf)_mm512_scalef_ps((__m512)y, (__m512)n);
#else
  const vi whole = __builtin_convertvector(n, vi);
  const vi half = whole >> 1;
  return y * (vf)((half + 127) << 23) * (vf)((whole - half + 127) << 23);
#endif
}

CRIA_INLINE vf exp(vf x) {
  // Beyond these bounds the result is infinite or 0; max and min keep a NaN in their second operand.
  x = min(set(89.0f), max(set(-104.0f), x));
  const vf n = round(x * 1.44269504088896341f);
  vf r = fma(n, set(-0.693359375f), x);  // exact: the constant has 9 bits
  r = fma(n, set(2.12194440e-4f), r);
  vf p = set(1.9875691500e-4f);
  p = fma(p, r, set(1.3981999507e-3f));
  p = fma(p, r, set(8.3334519073e-3f));
  p = fma(p, r, set(4.1665795894e-2f));
  p = fma(p, r, set(1.6666665459e-1f));
  p = fma(p, r, set(5.0000001201e-1f));
  return scale_by_power(fma(p, r * r, r) + 1.0f, n);
}

CRIA_INLINE vf log(vf x) {
  const vi tiny = x < 0x1p-126f;
  const vf normal = tiny ? x * 0x1p23f : x;
  const vi bits = float_bits(normal);
  vi exponent = (bits >> 23) - 126 + (tiny & -23);
  vf m = bits_float((bits & 0x007FFFFF) | 0x3F000000);  // [0.5, 1)
  const vi low = m < 0.707106781186547524f;
  exponent += low;  // lanes of -1
  m = low ? m + m - 1.0f : m - 1.0f;
  const vf e = __builtin_convertvector(exponent, vf);
  const vf z = m * m;
  vf p = set(7.0376836292e-2f);
  p = fma(p, m, set(-1.1514610310e-1f));
  p = fma(p, m, set(1.1676998740e-1f));
  p = fma(p, m, set(-1.2420140846e-1f));
  p = fma(p, m, set(1.4249322787e-1f));
  p = fma(p, m, set(-1.6668057665e-1f));
  p = fma(p, m, set(2.0000714765e-1f));
  p = fma(p, m, set(-2.4999993993e-1f));
  p = fma(p, m, set(3.3333331174e-1f));
  vf y = p * m * z;
  y = fma(e, set(-2.12194440e-4f), y);
  y = fma(z, set(-0.5f), y);
  y = fma(e, set(0.693359375f), m + y);
  y = x == 0.0f ? set(-__builtin_inff()) : y;
  y = x < 0.0f ? set(__builtin_nanf("")) : y;
  return (x == __builtin_inff()) | is_nan(x) ? x : y;
}

// log(1 + u) for u in [0, 1]: the quotient undoes the rounding of 1 + u (W. Kahan).
CRIA_INLINE vf log1p(vf u) {
  const vf w = u + 1.0f;
  return w == 1.0f ? u : log(w) * (u / (w - 1.0f));
}

CRIA_INLINE vf sigmoid(vf x) {
  const vf e = exp(-abs(x));
  const vf r = 1.0f / (e + 1.0f);
  return x < 0.0f ? e * r : r;
}

CRIA_INLINE vf log_sigmoid(vf x) { return min(set(0.0f), x) - log1p(exp(-abs(x))); }

CRIA_INLINE vf tanh(vf x) {
  const vf a = abs(x);
  const vf large = 1.0f - 2.0f / (exp(a + a) + 1.0f);
  const vf z = x * x;
  vf p = set(-5.70498872745e-3f);
  p = fma(p, z, set(2.06390887954e-2f));
  p = fma(p, z, set(-5.37397155531e-2f));
  p = fma(p, z, set(1.33314422036e-1f));
  p = fma(p, z, set(-3.33332819422e-1f));
  const vf small = fma(p * z, x, x);
  const vf signed_large = (vf)((vu)large | ((vu)x & 0x80000000u));
  return a < 0.625f ? small : signed_large;
}

// ---- sums and maxima over the lanes, always as the same tree

typedef float vf4 __attribute__((vector_size(16)));

// Combines the upper half of the lanes with the lower half, down to one.
template <class F>
CRIA_INLINE float reduce(vf v, F f) {
#if CRIA_TIER >= 2
  const __m512 all = (__m512)v;
  const __m256 half = f(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
  const vf4 x = (vf4)f(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
#elif CRIA_TIER == 1
  const vf4 x = (vf4)f(_mm256_castps256_ps128((__m256)v), _mm256_extractf128_ps((__m256)v, 1));
#else
  const vf4 x = v;
#endif
  return f(f(x[0], x[2]), f(x[1], x[3]));
}

CRIA_INLINE float reduce_add(vf v) {
  return reduce(v, [](auto a, auto b) { return a + b; });
}

// NaN lanes may be passed over.
CRIA_INLINE float reduce_max(vf v) {
  return reduce(v, [](auto a, auto b) { return a > b ? a : b; });
}

// ---- sums in float64

struct Doubles {
  vd low, high;  // lanes 0..W/2-1 and W/2..W-1
};

CRIA_INLINE Doubles widen(vf v) {
#if CRIA_TIER >= 2
  return {(vd)_mm512_cvtps_pd(_mm512_castps512_ps256((__m512)v)),
          (vd)_mm512_cvtps_pd(_mm512_extractf32x8_ps((__m512)v, 1))};
#elif CRIA_TIER == 1
  return {(vd)_mm256_cvtps_pd(_mm256_castps256_ps128((__m256)v)),
          (vd)_mm256_cvtps_pd(_mm256_extractf128_ps((__m256)v, 1))};
#else
  return {vd{v[0], v[1]}, vd{v[2], v[3]}};
#endif
}

CRIA_INLINE Doubles add(Doubles a, Doubles b) { return {a.low + b.low, a.high + b.high}; }

CRIA_INLINE double reduce_add(Doubles v) {
  const vd sum = v.low + v.high;
  double lane[W / 2];
  __builtin_memcpy(lane, &sum, sizeof lane);
  for (int64_t s = W / 4; s > 0; s /= 2) {
    for (int64_t i = 0; i < s; ++i) lane[i] += lane[i + s];
  }
  return lane[0];
}

// ---- loops

// f(i, lanes) over [0, n): whole vectors with the constant W, so that the partial forms fold away,
// then the rest.
template <class F>
CRIA_INLINE void for_vectors(int64_t n, F f) {
  int64_t i = 0;
  for (; i + W <= n; i += W) f(i, W);
  if (i < n) f(i, n - i);
}

}  // namespace cria::cpu::CRIA_TIER_NS
