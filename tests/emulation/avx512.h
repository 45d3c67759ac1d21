// avx512.h: AVX-512 without AVX-512: included before every file of the avx512 and avx512bf16 tiers in the preset `emulated`.
//
// SIMDe, from the distribution, has most instructions in terms of AVX2; below are those that its release 0.7.4 lacks, by lanes,
// as Intel's Intrinsics Guide describes them. It proves values, not speed. What differs from hardware: the products of
// _mm512_dpbf16_ps keep denormals.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>

#include <cstdint>
#include <cstring>

namespace cria_emulated {

// A vector of the compiler with so many lanes.
template <class T, int N>
struct Lanes {
  T at[N];
  Lanes() : at() {}
  template <class V>
  explicit Lanes(const V &vector) {
    static_assert(sizeof vector == sizeof at, "a vector has the bytes of its lanes");
    std::memcpy(at, &vector, sizeof at);
  }
  template <class V>
  V as() const {
    V vector;
    static_assert(sizeof vector == sizeof at, "a vector has the bytes of its lanes");
    std::memcpy(&vector, at, sizeof at);
    return vector;
  }
};

template <class To, class From, int N>
inline Lanes<To, N> convert(const Lanes<From, N> &from) {
  Lanes<To, N> to;
  for (int i = 0; i < N; ++i) to.at[i] = static_cast<To>(from.at[i]);
  return to;
}

template <class T, int N>
inline Lanes<T, N> masked_load(uint64_t mask, const void *from) {
  Lanes<T, N> to;
  for (int i = 0; i < N; ++i) {
    if (mask >> i & 1) std::memcpy(&to.at[i], static_cast<const T *>(from) + i, sizeof(T));
  }
  return to;
}

template <class T, int N>
inline void masked_store(void *to, uint64_t mask, const Lanes<T, N> &from) {
  for (int i = 0; i < N; ++i) {
    if (mask >> i & 1) std::memcpy(static_cast<T *>(to) + i, &from.at[i], sizeof(T));
  }
}

// To nearest even; denormals become zeros and NaN quiet, as VCVTNEPS2BF16 does.
inline uint16_t round_bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7F800000u) == 0) return static_cast<uint16_t>(bits >> 31 << 15);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

template <int N>
inline Lanes<uint16_t, N> round_bf16(const Lanes<float, N> &from) {
  Lanes<uint16_t, N> to;
  for (int i = 0; i < N; ++i) to.at[i] = round_bf16(from.at[i]);
  return to;
}

inline __m256i cvtepi32_epi16(__m512i x) {
  return convert<uint16_t>(Lanes<uint32_t, 16>(x)).as<__m256i>();
}
inline __m512i cvtepu16_epi32(__m256i x) {
  return convert<uint32_t>(Lanes<uint16_t, 16>(x)).as<__m512i>();
}
inline __m512i cvtepu8_epi32(__m128i x) {
  return convert<uint32_t>(Lanes<uint8_t, 16>(x)).as<__m512i>();
}
inline __m512d cvtps_pd(__m256 x) { return convert<double>(Lanes<float, 8>(x)).as<__m512d>(); }
inline __m256 extractf32x8_ps(__m512 x, int half) {
  __m256 part;
  std::memcpy(&part, reinterpret_cast<const char *>(&x) + half * sizeof part, sizeof part);
  return part;
}
inline __m256bh cvtneps_pbh(__m512 x) { return round_bf16(Lanes<float, 16>(x)).as<__m256bh>(); }
inline __m512bh cvtne2ps_pbh(__m512 upper, __m512 lower) {
  const Lanes<uint16_t, 16> low = round_bf16(Lanes<float, 16>(lower));
  const Lanes<uint16_t, 16> high = round_bf16(Lanes<float, 16>(upper));
  Lanes<uint16_t, 32> all;
  std::memcpy(all.at, low.at, sizeof low);
  std::memcpy(all.at + 16, high.at, sizeof high);
  return all.as<__m512bh>();
}
inline __m512 maskz_loadu_ps(uint16_t mask, const void *from) {
  return masked_load<float, 16>(mask, from).as<__m512>();
}
inline __m512i maskz_loadu_epi16(uint32_t mask, const void *from) {
  return masked_load<uint16_t, 32>(mask, from).as<__m512i>();
}
inline void mask_storeu_ps(void *to, uint16_t mask, __m512 x) {
  masked_store(to, mask, Lanes<float, 16>(x));
}

}  // namespace cria_emulated

#undef _mm512_extractf32x8_ps
#define _mm512_extractf32x8_ps cria_emulated::extractf32x8_ps
#define _mm512_cvtepi32_epi16 cria_emulated::cvtepi32_epi16
#define _mm512_cvtepu16_epi32 cria_emulated::cvtepu16_epi32
#define _mm512_cvtepu8_epi32 cria_emulated::cvtepu8_epi32
#define _mm512_cvtps_pd cria_emulated::cvtps_pd
#define _mm512_cvtneps_pbh cria_emulated::cvtneps_pbh
#define _mm512_cvtne2ps_pbh cria_emulated::cvtne2ps_pbh
#define _mm512_maskz_loadu_ps cria_emulated::maskz_loadu_ps
#define _mm512_maskz_loadu_epi16 cria_emulated::maskz_loadu_epi16
#define _mm512_mask_storeu_ps cria_emulated::mask_storeu_ps
