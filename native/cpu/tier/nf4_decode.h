// nf4_decode.h: NF4 codes to weights in registers, for tiers with 512-bit vectors: a look-up in the sixteen canonical values
// bf16(map[code] * scale) of a block, which are formed and rounded once.
#pragma once

#include "cpu/tier/simd.h"

#if CRIA_TIER >= 2

namespace cria::cpu::CRIA_TIER_NS {

// The canonical values of all codes at one scale, as floats.
CRIA_INLINE __m512 canonical_floats(__m512 map, float scale) {
  __m512i bits = _mm512_castps_si512(_mm512_mul_ps(map, _mm512_set1_ps(scale)));
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  bits = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
  return _mm512_castsi512_ps(
      _mm512_and_si512(bits, _mm512_set1_epi32(static_cast<int>(0xFFFF0000u))));
}

// The same as words of bf16, twice, because an index word keeps bit 4 of a byte.
CRIA_INLINE __m512i canonical_words(__m512 map, float scale) {
#if CRIA_TIER >= 3
  const __m256i words = (__m256i)_mm512_cvtneps_pbh(_mm512_mul_ps(map, _mm512_set1_ps(scale)));
#else
  const __m512i bits = _mm512_castps_si512(canonical_floats(map, scale));
  const __m256i words = _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16));
#endif
  return _mm512_broadcast_i64x4(words);
}

CRIA_INLINE __m512i load_codes(const uint8_t *codes) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(codes)));
}

// The 32 weights of 16 bytes, in their order.
CRIA_INLINE __m512i decode_words(const uint8_t *codes, __m512i table) {
  // From a byte j in a double word: its high nibble in the lower word (weight 2j), the byte in the upper one
  // (weight 2j+1). Numbers are the first bits of eight bytes.
  const __m512i nibbles = _mm512_set1_epi64(0x2820282408000804);
  const __m512i index = _mm512_multishift_epi64_epi8(nibbles, load_codes(codes));
  return _mm512_permutexvar_epi16(index, table);
}

// The 32 weights of 16 bytes: those of high nibbles (0, 2, ..), and of low ones.
struct EvenOdd {
  __m512 even, odd;
};

CRIA_INLINE EvenOdd decode_floats(const uint8_t *codes, __m512 table) {
  const __m512i pair = load_codes(codes);  // an index uses its low four bits only
  return {_mm512_permutexvar_ps(_mm512_srli_epi32(pair, 4), table),
          _mm512_permutexvar_ps(pair, table)};
}

}  // namespace cria::cpu::CRIA_TIER_NS

#endif
