// gemm_dot_nf4.cpp: dot products of a row of NF4 codes with activations, decoded in registers.
//
// Weights come out of their look-up in an order of the tier's own, into which the activations are brought beforehand.
#include "cpu/tier/gemm_kernels.h"
#include "cpu/tier/nf4_decode.h"
#include "cpu/tier/simd.h"

#if CRIA_TIER == 1

namespace cria::cpu {
namespace CRIA_TIER_NS {
namespace {

constexpr int64_t kRun = 64;  // weights of one scale
constexpr int64_t kPair =
    2 * kRun;               // two runs are decoded together, each in its half of the registers
constexpr int kChains = 4;  // independent sums hide the latency of the multiply-add
constexpr int64_t kAhead = 2048;  // bytes of codes: the processor's own look-ahead falls behind

// The canonical values of two runs, which are bf16, as their low and their high bytes: one byte shuffle looks up 32 weights.
struct Table {
  __m256i low, high;
};

// The code map for both runs. Vector q has the values of codes q, q + 4, q + 8, q + 12: their bytes interleave to a table in
// the order of codes.
struct Map {
  __m256 values[4];
};

CRIA_INLINE Map load_map(const float *map) {
  Map result;
  for (int q = 0; q < 4; ++q) {
    const __m128 values = _mm_setr_ps(map[q], map[q + 4], map[q + 8], map[q + 12]);
    result.values[q] = _mm256_setr_m128(values, values);
  }
  return result;
}

// The value before it was rounded half up lay half way between two neighbours where its low word has become zero.
// Takes the even neighbour there.
CRIA_INLINE __m256i tie_to_even(__m256i value) {
  const __m256i low_word = _mm256_and_si256(value, _mm256_set1_epi32(0xFFFF));
  const __m256i tie = _mm256_cmpeq_epi32(low_word, _mm256_setzero_si256());
  return _mm256_andnot_si256(_mm256_and_si256(tie, _mm256_set1_epi32(1 << 16)), value);
}

CRIA_INLINE bool has_ties(__m256i least) {
  constexpr int kLowWords = 0x33333333;
  const __m256i zero = _mm256_cmpeq_epi16(least, _mm256_setzero_si256());
  return (_mm256_movemask_epi8(zero) & kLowWords) != 0;
}

// Without `ties` values half way between two neighbours are rounded up, and the least words tell of them.
template <bool ties>
CRIA_INLINE Table table_of(const Map &map, float first, float second, __m256i &least) {
  const __m256 scales = _mm256_setr_m128(_mm_set1_ps(first), _mm_set1_ps(second));
  __m256i bits[4];
  for (int q = 0; q < 4; ++q) {
    const __m256i product = _mm256_castps_si256(_mm256_mul_ps(map.values[q], scales));
    bits[q] = _mm256_add_epi32(product, _mm256_set1_epi32(0x8000));
    if constexpr (ties) {
      bits[q] = tie_to_even(bits[q]);
    } else {
      least = _mm256_min_epu16(least, bits[q]);
    }
  }
  const __m256i even = _mm256_blend_epi16(_mm256_srli_epi32(bits[0], 16), bits[2], 0xAA),
                odd = _mm256_blend_epi16(_mm256_srli_epi32(bits[1], 16), bits[3], 0xAA);
  const __m256i high_byte = _mm256_set1_epi16(static_cast<int16_t>(0xFF00));
  return {_mm256_blendv_epi8(even, _mm256_slli_epi16(odd, 8), high_byte),
          _mm256_blendv_epi8(_mm256_srli_epi16(even, 8), odd, high_byte)};
}

// The values of 16 codes of each run, one a byte, as floats. Words of bf16 are widened by a shift and a mask, for which
// processors have more units than for shuffles: vectors have the codes 0, 2, 4, 6; 1, 3, 5, 7; 8, 10, ..; 9, 11, .. of both.
CRIA_INLINE void look_up(const Table &table, __m256i codes, vf (&values)[kChains]) {
  const __m256i low = _mm256_shuffle_epi8(table.low, codes),
                high = _mm256_shuffle_epi8(table.high, codes);
  const __m256i first = _mm256_unpacklo_epi8(low, high), last = _mm256_unpackhi_epi8(low, high);
  const __m256i upper_word = _mm256_set1_epi32(static_cast<int>(0xFFFF0000u));
  values[0] = (vf)_mm256_slli_epi32(first, 16);
  values[1] = (vf)_mm256_and_si256(first, upper_word);
  values[2] = (vf)_mm256_slli_epi32(last, 16);
  values[3] = (vf)_mm256_and_si256(last, upper_word);
}

template <int M>
CRIA_INLINE void add_products(const vf (&values)[kChains], const float *x, int64_t ldx,
                              vf (&acc)[M][kChains]) {
  for (int j = 0; j < kChains; ++j) {
    for (int i = 0; i < M; ++i) acc[i][j] = fma(values[j], load(x + i * ldx + j * W), acc[i][j]);
  }
}

// Returns whether ties were rounded wrongly.
template <int M, bool ties>
bool dot_of(const Nf4Rows &row, const float *x, int64_t ldx, float *out) {
  vf acc[M][kChains];
  for (int i = 0; i < M; ++i) {
    for (int j = 0; j < kChains; ++j) acc[i][j] = vf{};
  }
  const __m256i nibble = _mm256_set1_epi8(15);
  const uint8_t *codes = row.codes;
  const float *scale = row.scales;
  const Map map = load_map(row.map);
  __m256i least = _mm256_set1_epi8(-1);
  for (int64_t k = 0; k < row.n; k += kPair, codes += kPair / 2, scale += 2) {
    // A last run alone is its own partner: the activations of the second are zeros.
    const int64_t partner = k + kRun < row.n ? 1 : 0;
    __builtin_prefetch(codes + kAhead);
    const Table table = table_of<ties>(map, scale[0], scale[partner], least);
    for (int64_t half = 0; half < kRun / 2; half += 16, x += kPair / 2) {
      const auto *first = reinterpret_cast<const __m128i *>(codes + half);
      const auto *second = reinterpret_cast<const __m128i *>(codes + half + partner * kRun / 2);
      const __m256i pairs = _mm256_setr_m128i(_mm_loadu_si128(first), _mm_loadu_si128(second));
      vf values[kChains];
      look_up(table, _mm256_and_si256(_mm256_srli_epi16(pairs, 4), nibble), values);
      add_products<M>(values, x, ldx, acc);
      look_up(table, _mm256_and_si256(pairs, nibble), values);
      add_products<M>(values, x + kChains * W, ldx, acc);
    }
  }
  for (int i = 0; i < M; ++i) {
    out[i] = reduce_add((acc[i][0] + acc[i][1]) + (acc[i][2] + acc[i][3]));
  }
  return has_ties(least);
}

// One value in 65536 is a tie: beginning a row again costs less than rounding each with care.
template <int M>
void dot(const Nf4Rows &row, const float *x, int64_t ldx, float *out) {
  if (dot_of<M, false>(row, x, ldx, out)) dot_of<M, true>(row, x, ldx, out);
}

}  // namespace

void dot_nf4(const Nf4Rows &row, int m, const float *x, int64_t ldx, float *out) {
  for (; m >= 2; m -= 2, x += 2 * ldx, out += 2) dot<2>(row, x, ldx, out);
  if (m == 1) dot<1>(row, x, ldx, out);
}

void order_nf4(int64_t k, const float *x, float *to) {
  for (int64_t pair = 0; pair < k; pair += kPair) {
    for (int64_t i = 0; i < kPair; ++i, ++to) {
      // As dot_of reads: half of a run, high or low nibbles, vector, lane.
      const int64_t half = i / 64, odd = i / 32 % 2, vector = i / 8 % 4, lane = i % 8;
      const int64_t byte = half * 16 + vector / 2 * 8 + lane % 4 * 2 + vector % 2;
      const int64_t from = pair + lane / 4 * kRun + 2 * byte + odd;
      *to = from < k ? x[from] : 0;
    }
  }
}

}  // namespace CRIA_TIER_NS
}  // namespace cria::cpu

#elif CRIA_TIER >= 2

namespace cria::cpu {
namespace CRIA_TIER_NS {
namespace {

constexpr int64_t kRun = 64;    // weights of one scale
constexpr int64_t kPiece = 32;  // weights that are looked up together

#if CRIA_TIER >= 3

// The activations are bf16 in their own order.
using Activation = uint16_t;
using Table = __m512i;

CRIA_INLINE Table table_of(__m512 map, float scale) { return canonical_words(map, scale); }

template <int M>
CRIA_INLINE void add_products(const uint8_t *codes, Table table, const Activation *x, int64_t ldx,
                              vf (&acc)[M]) {
  const auto weights = (__m512bh)decode_words(codes, table);
  for (int i = 0; i < M; ++i) {
    const auto value = (__m512bh)_mm512_loadu_si512(x + i * ldx);
    acc[i] = (vf)_mm512_dpbf16_ps((__m512)acc[i], weights, value);
  }
}

#else

// The activations of each piece are those of its even weights, then those of its odd ones.
using Activation = float;
using Table = __m512;

CRIA_INLINE Table table_of(__m512 map, float scale) { return canonical_floats(map, scale); }

template <int M>
CRIA_INLINE void add_products(const uint8_t *codes, Table table, const Activation *x, int64_t ldx,
                              vf (&acc)[M]) {
  const EvenOdd weights = decode_floats(codes, table);
  for (int i = 0; i < M; ++i) {
    acc[i] = fma((vf)weights.even, load(x + i * ldx), acc[i]);
    acc[i] = fma((vf)weights.odd, load(x + i * ldx + W), acc[i]);
  }
}

#endif

template <int M>
void dot_of(const Nf4Rows &row, const float *ordered, int64_t ldx, float *out) {
  const auto *x = reinterpret_cast<const Activation *>(ordered);
  ldx *= kNf4PerFloat;
  const __m512 map = _mm512_loadu_ps(row.map);
  const uint8_t *codes = row.codes;
  vf first[M],
      second[M];  // of the two pieces of a run: independent sums hide the latency of the products
  for (int i = 0; i < M; ++i) first[i] = second[i] = vf{};
  for (int64_t run = 0; run < row.n / kRun; ++run, codes += kRun / 2, x += kRun) {
    const Table table = table_of(map, row.scales[run]);
    add_products<M>(codes, table, x, ldx, first);
    add_products<M>(codes + kPiece / 2, table, x + kPiece, ldx, second);
  }
  for (int i = 0; i < M; ++i) out[i] = reduce_add(first[i] + second[i]);
}

}  // namespace

void dot_nf4(const Nf4Rows &row, int m, const float *x, int64_t ldx, float *out) {
  for (; m >= 4; m -= 4, x += 4 * ldx, out += 4) dot_of<4>(row, x, ldx, out);
  if (m == 3) dot_of<3>(row, x, ldx, out);
  if (m == 2) dot_of<2>(row, x, ldx, out);
  if (m == 1) dot_of<1>(row, x, ldx, out);
}

void order_nf4(int64_t k, const float *x, float *to) {
#if CRIA_TIER >= 3
  to_bf16(k, x, reinterpret_cast<uint16_t *>(to));
#else
  for (int64_t i = 0; i < k; ++i) {
    const int64_t piece = i / kPiece * kPiece, at = i % kPiece;
    to[piece + at % 2 * W + at / 2] = x[i];
  }
#endif
}

}  // namespace CRIA_TIER_NS
}  // namespace cria::cpu

#endif
