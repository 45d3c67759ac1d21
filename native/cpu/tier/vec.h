// vec.h: one float vector of the tier being compiled and the few operations that the attention and row kernels need.
#pragma once

#include <cstdint>
#include <cstring>

#if CRIA_TIER > 0
#include <immintrin.h>
#endif

namespace cria::cpu::CRIA_TIER_NS {

#if CRIA_TIER >= 2

using Vec = __m512;
constexpr int64_t kLanes = 16;
static inline Vec vset(float x) { return _mm512_set1_ps(x); }
static inline Vec vload(const float *p) { return _mm512_loadu_ps(p); }
static inline void vstore(float *p, Vec x) { _mm512_storeu_ps(p, x); }
static inline __mmask16 first_lanes(int64_t n) { return (__mmask16)((1u << n) - 1); }
static inline Vec vload_part(const float *p, int64_t n) {
  return _mm512_maskz_loadu_ps(first_lanes(n), p);
}
static inline void vstore_part(float *p, Vec x, int64_t n) {
  _mm512_mask_storeu_ps(p, first_lanes(n), x);
}
static inline Vec vload_bf16(const uint16_t *p) {
  __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
static inline Vec vadd(Vec a, Vec b) { return _mm512_add_ps(a, b); }
static inline Vec vsub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
static inline Vec vmul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
static inline Vec vdiv(Vec a, Vec b) { return _mm512_div_ps(a, b); }
static inline Vec vfma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
// The larger; b where either is not a number.
static inline Vec vmax(Vec a, Vec b) { return _mm512_max_ps(a, b); }
static inline Vec vabs(Vec a) { return _mm512_abs_ps(a); }
// a < 0 ? yes : no
static inline Vec vselect_negative(Vec a, Vec yes, Vec no) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_LT_OQ), no, yes);
}
static inline Vec vround(Vec a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// 2^n for whole n in [-127, 127]; n = -127 gives 0.
static inline Vec vpow2(Vec n) {
  __m512i bits =
      _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23);
  return _mm512_castsi512_ps(bits);
}

#elif CRIA_TIER == 1

using Vec = __m256;
constexpr int64_t kLanes = 8;
static inline Vec vset(float x) { return _mm256_set1_ps(x); }
static inline Vec vload(const float *p) { return _mm256_loadu_ps(p); }
static inline void vstore(float *p, Vec x) { _mm256_storeu_ps(p, x); }
static inline __m256i first_lanes(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline Vec vload_part(const float *p, int64_t n) {
  return _mm256_maskload_ps(p, first_lanes(n));
}
static inline void vstore_part(float *p, Vec x, int64_t n) {
  _mm256_maskstore_ps(p, first_lanes(n), x);
}
static inline Vec vload_bf16(const uint16_t *p) {
  __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
static inline Vec vadd(Vec a, Vec b) { return _mm256_add_ps(a, b); }
static inline Vec vsub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
static inline Vec vmul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
static inline Vec vdiv(Vec a, Vec b) { return _mm256_div_ps(a, b); }
static inline Vec vfma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
static inline Vec vmax(Vec a, Vec b) { return _mm256_max_ps(a, b); }
static inline Vec vabs(Vec a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline Vec vselect_negative(Vec a, Vec yes, Vec no) {
  return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_LT_OQ));
}
static inline Vec vround(Vec a) {
  return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline Vec vpow2(Vec n) {
  __m256i bits =
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_castsi256_ps(bits);
}

#else

typedef float Vec __attribute__((vector_size(16)));
typedef int32_t VecInt __attribute__((vector_size(16)));
constexpr int64_t kLanes = 4;
static inline Vec vset(float x) { return Vec{x, x, x, x}; }
static inline Vec vload(const float *p) {
  Vec x;
  std::memcpy(&x, p, sizeof x);
  return x;
}
static inline void vstore(float *p, Vec x) { std::memcpy(p, &x, sizeof x); }
static inline Vec vload_part(const float *p, int64_t n) {
  Vec x{};
  for (int64_t i = 0; i < n; i++) x[i] = p[i];
  return x;
}
static inline void vstore_part(float *p, Vec x, int64_t n) {
  for (int64_t i = 0; i < n; i++) p[i] = x[i];
}
static inline Vec vload_bf16(const uint16_t *p) {
  VecInt bits{p[0], p[1], p[2], p[3]};
  return (Vec)(bits << 16);
}
static inline Vec vadd(Vec a, Vec b) { return a + b; }
static inline Vec vsub(Vec a, Vec b) { return a - b; }
static inline Vec vmul(Vec a, Vec b) { return a * b; }
static inline Vec vdiv(Vec a, Vec b) { return a / b; }
static inline Vec vfma(Vec a, Vec b, Vec c) { return a * b + c; }
static inline Vec vmax(Vec a, Vec b) { return a > b ? a : b; }
static inline Vec vabs(Vec a) { return (Vec)((VecInt)a & 0x7fffffff); }
static inline Vec vselect_negative(Vec a, Vec yes, Vec no) { return a < 0.0f ? yes : no; }
// Nearest whole number of |a| < 2^22.
static inline Vec vround(Vec a) {
  const Vec magic = vset(12582912.0f);
  return (a + magic) - magic;
}
static inline Vec vpow2(Vec n) {
  const Vec magic = vset(12582912.0f);
  return (Vec)(((VecInt)(n + magic) - (VecInt)magic + 127) << 23);
}

#endif

// Combines the lanes by halves, in the same order on every call.
template <class Combine>
static inline float vcombine(Vec x, Combine combine) {
  float lanes[kLanes];
  vstore(lanes, x);
  for (int64_t half = kLanes / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; i++) lanes[i] = combine(lanes[i], lanes[i + half]);
  return lanes[0];
}

#if CRIA_TIER >= 2
static inline float vfirst(Vec x) { return _mm512_cvtss_f32(x); }
static inline float vsum(Vec x) { return _mm512_reduce_add_ps(x); }
static inline float vlargest(Vec x) { return _mm512_reduce_max_ps(x); }
#else
static inline float vfirst(Vec x) { return x[0]; }
static inline float vsum(Vec x) {
  return vcombine(x, [](float a, float b) { return a + b; });
}
static inline float vlargest(Vec x) {
  return vcombine(x, [](float a, float b) { return a > b ? a : b; });
}
#endif

// 2^x to 1 unit in the last place or so for x <= 127; 0 below -126.5. Not a number stays so.
static inline Vec vexp2(Vec x) {
  x = vmax(vset(-127.0f), x);
  const Vec n = vround(x);
  const Vec f = vsub(x, n);
  // Chebyshev fit of 2^f on [-0.5, 0.5], relative error below 3e-9.
  Vec p = vset(1.54697320e-4f);
  p = vfma(p, f, vset(1.34004322e-3f));
  p = vfma(p, f, vset(9.61802560e-3f));
  p = vfma(p, f, vset(5.55032721e-2f));
  p = vfma(p, f, vset(2.40226512e-1f));
  p = vfma(p, f, vset(6.93147207e-1f));
  p = vfma(p, f, vset(1.0f));
  return vmul(p, vpow2(n));
}

}  // namespace cria::cpu::CRIA_TIER_NS
