// gemm_nf4.cpp: decodes NF4 codes to their canonical values bf16(map[code] * scale).
//
// The sixteen products of a block are formed and rounded once; a weight is then a table look-up in a register, or in memory
// where there is no such instruction.
#include "cpu/tier/gemm_kernels.h"
#include "cpu/tier/nf4_decode.h"
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

// Calls decode(codes, n, scale, to) for every run of weights.
template <class T, class Decode>
inline void for_runs(const Nf4Rows &from, T *to, int64_t ldt, Decode decode) {
  for (int64_t i = 0; i < from.rows; ++i) {
    const uint8_t *codes = from.codes + i * from.code_stride;
    const float *scale = from.scales + i * from.scale_stride;
    T *target = to + i * ldt;
    for (int64_t left = from.n; left > 0; left -= from.run) {
      decode(codes, left < from.run ? left : from.run, *scale++, target);
      codes += from.run / 2;
      target += from.run;
    }
  }
}

// The values of a map of 256 at W codes, one by one: gathering is slower on many processors.
CRIA_INLINE vf look_up(const float *map, const uint8_t *at) {
#if CRIA_TIER >= 2
  return vf{map[at[0]],  map[at[1]],  map[at[2]],  map[at[3]], map[at[4]],  map[at[5]],
            map[at[6]],  map[at[7]],  map[at[8]],  map[at[9]], map[at[10]], map[at[11]],
            map[at[12]], map[at[13]], map[at[14]], map[at[15]]};
#elif CRIA_TIER == 1
  return vf{map[at[0]], map[at[1]], map[at[2]], map[at[3]],
            map[at[4]], map[at[5]], map[at[6]], map[at[7]]};
#else
  return vf{map[at[0]], map[at[1]], map[at[2]], map[at[3]]};
#endif
}

}  // namespace

void nested_scales(int64_t n, const uint8_t *codes, const float *map, float absmax, float offset,
                   float *to) {
  int64_t i = 0;
  for (; i + W <= n; i += W) {
    const vf product = look_up(map, codes + i) * absmax;
    store(to + i, product + offset);
  }
  for (; i < n; ++i) {
    const float product = map[codes[i]] * absmax;
    to[i] = product + offset;
  }
}

void nf4_to_bf16(const Nf4Rows &from, uint16_t *to, int64_t ldt) {
#if CRIA_TIER >= 2
  const __m512 map = _mm512_loadu_ps(from.map);
  for_runs(from, to, ldt, [&](const uint8_t *codes, int64_t n, float scale, uint16_t *target) {
    const __m512i table = canonical_words(map, scale);
    for (int64_t i = 0; i < n; i += 32)
      _mm512_storeu_si512(target + i, decode_words(codes + i / 2, table));
  });
#else
  for_runs(from, to, ldt, [&](const uint8_t *codes, int64_t n, float scale, uint16_t *target) {
    uint16_t table[16];
    for (int c = 0; c < 16; ++c) {
      table[c] = static_cast<uint16_t>(canonical_bits(from.map[c], scale) >> 16);
    }
#if CRIA_TIER == 1
    // The lower and the upper bytes of the values are looked up apart.
    uint8_t lower[16], upper[16];
    for (int c = 0; c < 16; ++c) {
      lower[c] = static_cast<uint8_t>(table[c]);
      upper[c] = static_cast<uint8_t>(table[c] >> 8);
    }
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i *>(lower));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i *>(upper));
    const __m128i nibble = _mm_set1_epi8(15);
    for (int64_t i = 0; i < n; i += 16) {
      const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i *>(codes + i / 2));
      const __m128i order = _mm_unpacklo_epi8(_mm_srli_epi16(bytes, 4), bytes);
      const __m128i code = _mm_and_si128(order, nibble);
      const __m128i l = _mm_shuffle_epi8(low, code), h = _mm_shuffle_epi8(high, code);
      auto *to_words = reinterpret_cast<__m128i *>(target + i);
      _mm_storeu_si128(to_words, _mm_unpacklo_epi8(l, h));
      _mm_storeu_si128(to_words + 1, _mm_unpackhi_epi8(l, h));
    }
#else
    for (int64_t i = 0; i < n; i += 2) {
      target[i] = table[codes[i / 2] >> 4];
      target[i + 1] = table[codes[i / 2] & 15];
    }
#endif
  });
#endif
}

void nf4_to_f32(const Nf4Rows &from, float *to, int64_t ldt) {
#if CRIA_TIER >= 2
  const __m512 map = _mm512_loadu_ps(from.map);
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i high =
      _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  for_runs(from, to, ldt, [&](const uint8_t *codes, int64_t n, float scale, float *target) {
    const __m512 table = canonical_floats(map, scale);
    for (int64_t i = 0; i < n; i += 32) {
      const auto [even, odd] = decode_floats(codes + i / 2, table);
      _mm512_storeu_ps(target + i, _mm512_permutex2var_ps(even, low, odd));
      _mm512_storeu_ps(target + i + 16, _mm512_permutex2var_ps(even, high, odd));
    }
  });
#else
  for_runs(from, to, ldt, [&](const uint8_t *codes, int64_t n, float scale, float *target) {
    float table[16];
    for (int c = 0; c < 16; ++c) {
      const uint32_t bits = canonical_bits(from.map[c], scale);
      __builtin_memcpy(table + c, &bits, sizeof bits);
    }
#if CRIA_TIER == 1
    const __m256 lower = _mm256_loadu_ps(table), upper = _mm256_loadu_ps(table + 8);
    // Bit 3 of a code, moved to the sign, chooses the half of the table.
    auto look_up = [&](__m256i code) {
      return _mm256_blendv_ps(_mm256_permutevar8x32_ps(lower, code),
                              _mm256_permutevar8x32_ps(upper, code),
                              _mm256_castsi256_ps(_mm256_slli_epi32(code, 28)));
    };
    for (int64_t i = 0; i < n; i += 16) {
      const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i *>(codes + i / 2));
      const __m256i pair = _mm256_cvtepu8_epi32(bytes);
      const __m256 even = look_up(_mm256_srli_epi32(pair, 4)), odd = look_up(pair);
      const __m256 left = _mm256_unpacklo_ps(even, odd), right = _mm256_unpackhi_ps(even, odd);
      _mm256_storeu_ps(target + i, _mm256_permute2f128_ps(left, right, 0x20));
      _mm256_storeu_ps(target + i + 8, _mm256_permute2f128_ps(left, right, 0x31));
    }
#else
    for (int64_t i = 0; i < n; i += 2) {
      target[i] = table[codes[i / 2] >> 4];
      target[i + 1] = table[codes[i / 2] & 15];
    }
#endif
  });
#endif
}

}  // namespace CRIA_TIER_NS
}  // namespace cria::cpu
