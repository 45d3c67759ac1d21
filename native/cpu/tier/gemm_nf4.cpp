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

#if CRIA_TIER == 1

// The canonical values of all codes at one scale, which are bf16, as their low and their high bytes, in both halves.
struct Planes {
  __m256i low, high;
};

CRIA_INLINE Planes canonical_planes(const float *map, float scale) {
  __m256i bits[2];
  for (int half = 0; half < 2; ++half) {
    bits[half] = _mm256_castps_si256((__m256)(load(map + half * W) * scale));
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits[half], 16), _mm256_set1_epi32(1));
    bits[half] = _mm256_add_epi32(bits[half], _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
    bits[half] = _mm256_srli_epi32(bits[half], 16);
  }
  // Packing works within the halves of a register: quarters 1 and 2 are then exchanged.
  constexpr int kInOrder = 0xD8;
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(bits[0], bits[1]), kInOrder);
  const __m256i bytes = _mm256_packus_epi16(_mm256_and_si256(words, _mm256_set1_epi16(0xFF)),
                                            _mm256_srli_epi16(words, 8));
  const __m256i planes = _mm256_permute4x64_epi64(bytes, kInOrder);
  return {_mm256_permute2x128_si256(planes, planes, 0x00),
          _mm256_permute2x128_si256(planes, planes, 0x11)};
}

// The 32 weights of 16 bytes, in their order.
struct Words {
  __m256i first, last;
};

CRIA_INLINE Words decode_words(const uint8_t *codes, const Planes &planes) {
  // Bytes 0..3 and 8..11 in the lower half, the others in the upper one: interleaving the planes restores the order.
  const __m128i bytes =
      _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(codes)), 0xD8);
  const __m256i pairs = _mm256_cvtepu8_epi16(bytes);
  const __m256i apart = _mm256_or_si256(_mm256_srli_epi16(pairs, 4), _mm256_slli_epi16(pairs, 8));
  const __m256i code = _mm256_and_si256(apart, _mm256_set1_epi8(15));
  const __m256i low = _mm256_shuffle_epi8(planes.low, code),
                high = _mm256_shuffle_epi8(planes.high, code);
  return {_mm256_unpacklo_epi8(low, high), _mm256_unpackhi_epi8(low, high)};
}

#elif CRIA_TIER == 0

inline uint32_t canonical_bits(float code, float scale) {
  float product = code * scale;
  uint32_t bits;
  __builtin_memcpy(&bits, &product, sizeof bits);
  return (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000u;
}

#endif

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
#elif CRIA_TIER == 1
  for_runs(from, to, ldt, [&](const uint8_t *codes, int64_t n, float scale, uint16_t *target) {
    const Planes planes = canonical_planes(from.map, scale);
    for (int64_t i = 0; i < n; i += 32) {
      const Words words = decode_words(codes + i / 2, planes);
      _mm256_storeu_si256(reinterpret_cast<__m256i *>(target + i), words.first);
      _mm256_storeu_si256(reinterpret_cast<__m256i *>(target + i + 16), words.last);
    }
  });
#else
  for_runs(from, to, ldt, [&](const uint8_t *codes, int64_t n, float scale, uint16_t *target) {
    uint16_t table[16];
    for (int c = 0; c < 16; ++c) {
      table[c] = static_cast<uint16_t>(canonical_bits(from.map[c], scale) >> 16);
    }
    for (int64_t i = 0; i < n; i += 2) {
      target[i] = table[codes[i / 2] >> 4];
      target[i + 1] = table[codes[i / 2] & 15];
    }
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
#elif CRIA_TIER == 1
  for_runs(from, to, ldt, [&](const uint8_t *codes, int64_t n, float scale, float *target) {
    const Planes planes = canonical_planes(from.map, scale);
    for (int64_t i = 0; i < n; i += 32) {
      const Words words = decode_words(codes + i / 2, planes);
      store(target + i, widen_bf16((vh)_mm256_castsi256_si128(words.first)));
      store(target + i + 8, widen_bf16((vh)_mm256_extracti128_si256(words.first, 1)));
      store(target + i + 16, widen_bf16((vh)_mm256_castsi256_si128(words.last)));
      store(target + i + 24, widen_bf16((vh)_mm256_extracti128_si256(words.last, 1)));
    }
  });
#else
  for_runs(from, to, ldt, [&](const uint8_t *codes, int64_t n, float scale, float *target) {
    float table[16];
    for (int c = 0; c < 16; ++c) {
      const uint32_t bits = canonical_bits(from.map[c], scale);
      __builtin_memcpy(table + c, &bits, sizeof bits);
    }
    for (int64_t i = 0; i < n; i += 2) {
      target[i] = table[codes[i / 2] >> 4];
      target[i + 1] = table[codes[i / 2] & 15];
    }
  });
#endif
}

}  // namespace CRIA_TIER_NS
}  // namespace cria::cpu
