// random.cpp: uniform and normal numbers of which each depends on the key and its own index only.
#include "cpu/kernels/random.h"

#include "cpu/tier/simd.h"

namespace cria::cpu::CRIA_TIER_NS {
namespace {

CRIA_INLINE vu mix(vu z) {
  z ^= z >> 16;
  z *= 0x85EBCA6Bu;
  z ^= z >> 13;
  z *= 0xC2B2AE35u;
  return z ^ (z >> 16);
}

// The hash of cria.h for elements first, first + 1, ...
CRIA_INLINE vu hash(uint64_t key, uint64_t first) {
  const vu low = (uint32_t)first + (vu)iota();
  // The upper half grows by one where the lower one has wrapped around.
  const vu high = (uint32_t)(first >> 32) - (vu)(low < (uint32_t)first);
  return mix(mix((uint32_t)key + low * 0x9E3779B9u) ^ (uint32_t)(key >> 32) ^ high);
}

// Multiples of 2^-24 in [0, 1).
CRIA_INLINE vf unit(vu bits) { return __builtin_convertvector((vi)(bits >> 8), vf) * 0x1p-24f; }

// cos(2 pi u) for u in [0, 1): a quarter turn at a time, with Cephes' polynomials on [-pi/4, pi/4].
CRIA_INLINE vf cos_turn(vf u) {
  const vf quarter = round(u * 4.0f);  // 0..4
  const vf r = (u - quarter * 0.25f) * 6.283185307179586f;
  const vf z = r * r;
  vf s = fma(set(-1.9515295891e-4f), z, set(8.3321608736e-3f));
  s = fma(fma(s, z, set(-1.6666654611e-1f)) * z, r, r);
  vf c = fma(set(2.443315711809948e-5f), z, set(-1.388731625493765e-3f));
  c = fma(fma(c, z, set(4.166664568298827e-2f)), z * z, fma(z, set(-0.5f), set(1)));
  const vi q = __builtin_convertvector(quarter, vi);
  const vf value = (q & 1) == 1 ? s : c;  // cos(r + pi/2) = -sin(r)
  return (q == 1) | (q == 2) ? -value : value;
}

void uniform(uint64_t key, uint64_t first, int64_t n, float low, float high, float *x) {
  const vf width = set(high - low);
  // Rounding must not reach the upper end.
  float below = low;
  if (low < high) {
    int32_t bits;
    __builtin_memcpy(&bits, &high, sizeof bits);
    bits = high > 0 ? bits - 1 : high < 0 ? bits + 1 : (int32_t)0x80000001u;
    __builtin_memcpy(&below, &bits, sizeof below);
  }
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    const vf v = unit(hash(key, first + (uint64_t)i)) * width + low;
    store(x + i, min(v, set(below)), lanes);
  });
}

// Box-Muller: sqrt(-2 ln u) cos(2 pi w), u in (0, 1]; w from a second key.
void normal(uint64_t key, uint64_t first, int64_t n, float mean, float deviation, float *x) {
  const uint64_t other_key = key ^ 0x9E3779B97F4A7C15u;
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    const vf u = unit(hash(key, first + (uint64_t)i)) + 0x1p-24f;
    const vf w = unit(hash(other_key, first + (uint64_t)i));
    const vf z = sqrt(-2.0f * log(u)) * cos_turn(w);
    store(x + i, fma(z, set(deviation), set(mean)), lanes);
  });
}

}  // namespace

const RandomKernels random_kernels = {uniform, normal};

}  // namespace cria::cpu::CRIA_TIER_NS
