// gemm_nf4.cpp: decodes NF4 codes to their canonical values bf16(map[code] * scale).
//
// The sixteen products of a block are formed and rounded once; a weight is then a table look-up in a register
// (vpermw on words of bf16, vpermps on floats), or in memory where there is no such instruction.
#include "cpu/tier/gemm_kernels.h"
#include "cpu/tier/simd.h"

namespace cria::cpu {
namespace CRIA_TIER_NS {
namespace {

inline uint32_t canonical_bits(float code, float scale) {
  float product = code * scale;
  uint32_t bits;
  __builtin_memcpy(&bits, &product, sizeof bits);
  return (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000u;
}

#if CRIA_TIER >= 2
// The canonical values of all codes at one scale, as floats.
inline __m512 canonical_table(__m512 map, float scale) {
  __m512i bits = _mm512_castps_si512(_mm512_mul_ps(map, _mm512_set1_ps(scale)));
  __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  bits = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
  return _mm512_castsi512_ps(
      _mm512_and_si512(bits, _mm512_set1_epi32(static_cast<int>(0xFFFF0000u))));
}
#endif

}  // namespace

void nf4_to_bf16(int64_t n, int64_t run, const uint8_t *codes, const float *map,
                 const float *scales, uint16_t *to) {
#if CRIA_TIER >= 2
  const __m512 values = _mm512_loadu_ps(map);
  for (int64_t first = 0; first < n; first += run) {
    __m512i bits = _mm512_castps_si512(canonical_table(values, scales[first / run]));
    __m256i words = _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16));
    // Twice, because an index word keeps bit 4 of a shifted byte.
    __m512i table = _mm512_broadcast_i64x4(words);
    int64_t end = first + run < n ? first + run : n;
    for (int64_t i = first; i < end; i += 32) {
      __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(codes + i / 2));
      __m512i pair = _mm512_cvtepu8_epi32(bytes);  // byte j is weights 2j (high nibble) and 2j+1
      __m512i index = _mm512_or_si512(_mm512_srli_epi32(pair, 4), _mm512_slli_epi32(pair, 16));
      _mm512_storeu_si512(to + i, _mm512_permutexvar_epi16(index, table));
    }
  }
#else
  for (int64_t first = 0; first < n; first += run) {
    uint16_t table[16];
    for (int c = 0; c < 16; ++c) {
      table[c] = static_cast<uint16_t>(canonical_bits(map[c], scales[first / run]) >> 16);
    }
    int64_t end = first + run < n ? first + run : n;
    for (int64_t i = first; i < end; i += 2) {
      to[i] = table[codes[i / 2] >> 4];
      to[i + 1] = table[codes[i / 2] & 15];
    }
  }
#endif
}

void nf4_to_f32(int64_t n, int64_t run, const uint8_t *codes, const float *map, const float *scales,
                float *to) {
#if CRIA_TIER >= 2
  const __m512 values = _mm512_loadu_ps(map);
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i high =
      _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  for (int64_t first = 0; first < n; first += run) {
    __m512 table = canonical_table(values, scales[first / run]);
    int64_t end = first + run < n ? first + run : n;
    for (int64_t i = first; i < end; i += 32) {
      __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(codes + i / 2));
      __m512i pair = _mm512_cvtepu8_epi32(bytes);
      __m512 even = _mm512_permutexvar_ps(_mm512_srli_epi32(pair, 4), table);
      __m512 odd = _mm512_permutexvar_ps(pair, table);  // an index uses its low four bits only
      _mm512_storeu_ps(to + i, _mm512_permutex2var_ps(even, low, odd));
      _mm512_storeu_ps(to + i + 16, _mm512_permutex2var_ps(even, high, odd));
    }
  }
#else
  for (int64_t first = 0; first < n; first += run) {
    float table[16];
    for (int c = 0; c < 16; ++c) {
      uint32_t bits = canonical_bits(map[c], scales[first / run]);
      __builtin_memcpy(table + c, &bits, sizeof bits);
    }
    int64_t end = first + run < n ? first + run : n;
#if CRIA_TIER == 1
    const __m256 lower = _mm256_loadu_ps(table), upper = _mm256_loadu_ps(table + 8);
    for (int64_t i = first; i < end; i += 16) {
      __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i *>(codes + i / 2));
      __m256i pair = _mm256_cvtepu8_epi32(bytes);
      __m256i first_code = _mm256_srli_epi32(pair, 4);
      // Bit 3 of a code, moved to the sign, chooses the half of the table.
      auto look_up = [&](__m256i code) {
        return _mm256_blendv_ps(_mm256_permutevar8x32_ps(lower, code),
                                _mm256_permutevar8x32_ps(upper, code),
                                _mm256_castsi256_ps(_mm256_slli_epi32(code, 28)));
      };
      __m256 even = look_up(first_code), odd = look_up(pair);
      __m256 left = _mm256_unpacklo_ps(even, odd), right = _mm256_unpackhi_ps(even, odd);
      _mm256_storeu_ps(to + i, _mm256_permute2f128_ps(left, right, 0x20));
      _mm256_storeu_ps(to + i + 8, _mm256_permute2f128_ps(left, right, 0x31));
    }
#else
    for (int64_t i = first; i < end; i += 2) {
      to[i] = table[codes[i / 2] >> 4];
      to[i + 1] = table[codes[i / 2] & 15];
    }
#endif
  }
#endif
}

}  // namespace CRIA_TIER_NS
}  // namespace cria::cpu
