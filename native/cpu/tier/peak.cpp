// peak.cpp: loops of nothing but the tier's multiply-adds, and of nothing but reading.
#include "cpu/kernels/peak.h"

#include "cpu/tier/simd.h"

namespace cria::cpu::CRIA_TIER_NS {
namespace {

// Independent sums: more than the latency of a multiply-add times those issued in a cycle, and as many as stay in registers
// beside the two factors.
#if CRIA_TIER >= 2
constexpr int kSums = 24;
#else
constexpr int kSums = 12;
#endif
constexpr int kUnroll = 8;

CRIA_INLINE float total(const vf (&sums)[kSums]) {
  vf all = vf{};
  for (int i = 0; i < kSums; ++i) all += sums[i];
  float out = 0;
  for (int64_t i = 0; i < W; ++i) out += all[i];
  return out;
}

// Makes the compiler take x for another value.
template <class T>
CRIA_INLINE void forget(T &x) {
#if defined(__AVX512F__) || (defined(__x86_64__) && CRIA_TIER < 2)
  asm volatile("" : "+x"(x));
#else
  asm volatile("" : "+m"(x));
#endif
}

float multiply_f32(int64_t repeats) {
  vf sums[kSums];
  for (int i = 0; i < kSums; ++i) sums[i] = set((float)i);
  vf x = set(1.0f), y = set(1e-9f);
  for (int64_t r = 0; r < repeats; ++r) {
    for (int u = 0; u < kUnroll; ++u) {
      for (int i = 0; i < kSums; ++i) sums[i] = fma(x, y, sums[i]);
      forget(x);  // the products are not known to be the same
      forget(y);
    }
  }
  return total(sums);
}

#if CRIA_TIER >= 3
float multiply_bf16(int64_t repeats) {
  vf sums[kSums];
  for (int i = 0; i < kSums; ++i) sums[i] = set((float)i);
  __m512i x = _mm512_set1_epi32(0x3F803F80), y = _mm512_set1_epi32(0x30803080);
  for (int64_t r = 0; r < repeats; ++r) {
    for (int u = 0; u < kUnroll; ++u) {
      for (int i = 0; i < kSums; ++i)
        sums[i] = (vf)_mm512_dpbf16_ps((__m512)sums[i], (__m512bh)x, (__m512bh)y);
      forget(x);
      forget(y);
    }
  }
  return total(sums);
}
#endif

float read(int64_t n, const float *x) {
  vf sums[kSums];
  for (int i = 0; i < kSums; ++i) sums[i] = vf{};
  int64_t at = 0;
  for (; at + 8 * W <= n; at += 8 * W) {
    for (int i = 0; i < 8; ++i) sums[i] += load(x + at + i * W);
  }
  float out = total(sums);
  for (; at < n; ++at) out += x[at];
  return out;
}

}  // namespace

extern const PeakKernels peak_kernels = {multiply_f32, 2.0 * kUnroll *kSums *W,
#if CRIA_TIER >= 3
                                         multiply_bf16, 4.0 * kUnroll *kSums *W,
#else
                                         nullptr, 0,
#endif
                                         read};

}  // namespace cria::cpu::CRIA_TIER_NS
