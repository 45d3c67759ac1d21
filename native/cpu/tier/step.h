// step.h: one step of the sums of a register tile: a word of A, broadcast, times a vector of words of B. A word is a float32
// or, in tiers that multiply them, a pair of bf16.
#pragma once

#include "cpu/tier/simd.h"

namespace cria::cpu::CRIA_TIER_NS {

struct Floats {
  using Vector = vf;
  CRIA_INLINE Vector read(const float *b) { return load(b); }
  CRIA_INLINE Vector read(const uint16_t *b) { return load(b); }
  CRIA_INLINE Vector broadcast(const float *a) { return set(*a); }
  CRIA_INLINE vf add_product(Vector a, Vector b, vf sum) { return fma(a, b, sum); }
};

#if CRIA_TIER >= 3
struct Pairs {
  using Vector = __m512bh;
  CRIA_INLINE Vector read(const float *b) { return (__m512bh)_mm512_loadu_si512(b); }
  CRIA_INLINE Vector broadcast(const float *a) {
    int32_t pair;
    __builtin_memcpy(&pair, a, sizeof pair);
    return (__m512bh)_mm512_set1_epi32(pair);
  }
  CRIA_INLINE vf add_product(Vector a, Vector b, vf sum) {
    return (vf)_mm512_dpbf16_ps((__m512)sum, a, b);
  }
};
#endif

}  // namespace cria::cpu::CRIA_TIER_NS
