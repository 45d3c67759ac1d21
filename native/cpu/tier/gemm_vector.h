// gemm_vector.h: the widest float vector of the tier that is being compiled, with the few operations that the matrix
// routines need. For files of cpu/tier/ only.
#pragma once

#include <cstdint>
#include <cstring>

#if CRIA_TIER > 0
#include <immintrin.h>
#endif

namespace cria::cpu {
namespace CRIA_TIER_NS {
namespace {

#if CRIA_TIER >= 2
using Vec = __m512;
constexpr int kLanes = 16;
inline Vec vec_zero() { return _mm512_setzero_ps(); }
inline Vec vec_load(const float *p) { return _mm512_loadu_ps(p); }
inline void vec_store(float *p, Vec v) { _mm512_storeu_ps(p, v); }
inline Vec vec_set(float x) { return _mm512_set1_ps(x); }
inline Vec vec_add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
inline Vec vec_mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
inline Vec vec_fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
#elif CRIA_TIER == 1
using Vec = __m256;
constexpr int kLanes = 8;
inline Vec vec_zero() { return _mm256_setzero_ps(); }
inline Vec vec_load(const float *p) { return _mm256_loadu_ps(p); }
inline void vec_store(float *p, Vec v) { _mm256_storeu_ps(p, v); }
inline Vec vec_set(float x) { return _mm256_set1_ps(x); }
inline Vec vec_add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
inline Vec vec_mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
inline Vec vec_fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
#else
// Four lanes exist on every machine that the library is built for; the compiler maps them.
typedef float Vec __attribute__((vector_size(16)));
constexpr int kLanes = 4;
inline Vec vec_zero() { return Vec{0, 0, 0, 0}; }
inline Vec vec_load(const float *p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void vec_store(float *p, Vec v) { std::memcpy(p, &v, sizeof v); }
inline Vec vec_set(float x) { return Vec{x, x, x, x}; }
inline Vec vec_add(Vec a, Vec b) { return a + b; }
inline Vec vec_mul(Vec a, Vec b) { return a * b; }
inline Vec vec_fma(Vec a, Vec b, Vec c) { return a * b + c; }
#endif

// Sum of the lanes, halves first.
inline float vec_sum(Vec v) {
  float lane[kLanes];
  vec_store(lane, v);
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}

}  // namespace
}  // namespace CRIA_TIER_NS
}  // namespace cria::cpu
