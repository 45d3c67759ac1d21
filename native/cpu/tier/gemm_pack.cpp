// gemm_pack.cpp: moves, transposes and converts the elements of matrices on their way into panels, and drops them out.
#include "cpu/tier/gemm_kernels.h"
#include "cpu/tier/simd.h"

namespace cria::cpu {
namespace CRIA_TIER_NS {
namespace {

#if CRIA_TIER >= 2
constexpr int64_t kBlock = 16;

// 16x16 words: transposes within 128-bit lanes, then the 4x4 arrangement of the lanes.
template <class T, class Put>
inline void transpose_block(const T *from, int64_t ldf, Put put) {
  __m512i r[16], t[16];
  for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_si512(from + i * ldf);
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // r[4g + c] holds, in lane l, column 4l + c of rows 4g..4g+3.
  for (int c = 0; c < 4; ++c) {
    __m512i low01 = _mm512_shuffle_i32x4(r[c], r[4 + c], 0x44);   // lanes 0,1 of groups 0,1
    __m512i high01 = _mm512_shuffle_i32x4(r[c], r[4 + c], 0xEE);  // lanes 2,3
    __m512i low23 = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0x44);
    __m512i high23 = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0xEE);
    put(c, (vu)_mm512_shuffle_i32x4(low01, low23, 0x88));
    put(4 + c, (vu)_mm512_shuffle_i32x4(low01, low23, 0xDD));
    put(8 + c, (vu)_mm512_shuffle_i32x4(high01, high23, 0x88));
    put(12 + c, (vu)_mm512_shuffle_i32x4(high01, high23, 0xDD));
  }
}
#elif CRIA_TIER == 1
constexpr int64_t kBlock = 8;

template <class T, class Put>
inline void transpose_block(const T *from, int64_t ldf, Put put) {
  __m256 r[8], t[8];
  for (int i = 0; i < 8; ++i)
    r[i] = _mm256_loadu_ps(reinterpret_cast<const float *>(from + i * ldf));
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
  }
  for (int c = 0; c < 4; ++c) {
    put(c, (vu)_mm256_permute2f128_ps(r[c], r[4 + c], 0x20));
    put(4 + c, (vu)_mm256_permute2f128_ps(r[c], r[4 + c], 0x31));
  }
}
#else
constexpr int64_t kBlock = 4;

template <class T, class Put>
inline void transpose_block(const T *from, int64_t ldf, Put put) {
  vu r[4];
  for (int i = 0; i < 4; ++i) __builtin_memcpy(r + i, from + i * ldf, sizeof r[i]);
  for (int c = 0; c < 4; ++c) put(c, vu{r[0][c], r[1][c], r[2][c], r[3][c]});
}
#endif

#if CRIA_TIER >= 1
static_assert(kPanelRows == 6);
constexpr int64_t kPanelBlock = 8;

// Six rows of eight words become eight steps of a panel.
inline void panel_block(const float *from, int64_t ldf, float *to) {
  const __m256 r0 = _mm256_loadu_ps(from), r1 = _mm256_loadu_ps(from + ldf);
  const __m256 r2 = _mm256_loadu_ps(from + 2 * ldf), r3 = _mm256_loadu_ps(from + 3 * ldf);
  const __m256 r4 = _mm256_loadu_ps(from + 4 * ldf), r5 = _mm256_loadu_ps(from + 5 * ldf);
  // Pairs of rows at steps 0 1 | 4 5 and 2 3 | 6 7.
  const __m256 low01 = _mm256_unpacklo_ps(r0, r1), high01 = _mm256_unpackhi_ps(r0, r1);
  const __m256 low23 = _mm256_unpacklo_ps(r2, r3), high23 = _mm256_unpackhi_ps(r2, r3);
  const __m256 low45 = _mm256_unpacklo_ps(r4, r5), high45 = _mm256_unpackhi_ps(r4, r5);
  // Steps p and p + 4: four rows, and two in the even or odd half of `rest`.
  auto store_steps = [&](int p, __m256 four, __m256 rest) {
    const __m128 firsts[2] = {_mm256_castps256_ps128(four), _mm256_extractf128_ps(four, 1)};
    const __m128 rests[2] = {_mm256_castps256_ps128(rest), _mm256_extractf128_ps(rest, 1)};
    for (int half = 0; half < 2; ++half) {
      float *step = to + (p + 4 * half) * kPanelRows;
      _mm_storeu_ps(step, firsts[half]);
      auto *last = reinterpret_cast<__m64 *>(step + 4);
      if (p % 2 == 0) {
        _mm_storel_pi(last, rests[half]);
      } else {
        _mm_storeh_pi(last, rests[half]);
      }
    }
  };
  store_steps(0, _mm256_shuffle_ps(low01, low23, 0x44), low45);
  store_steps(1, _mm256_shuffle_ps(low01, low23, 0xEE), low45);
  store_steps(2, _mm256_shuffle_ps(high01, high23, 0x44), high45);
  store_steps(3, _mm256_shuffle_ps(high01, high23, 0xEE), high45);
}
#else
constexpr int64_t kPanelBlock = 1;

inline void panel_block(const float *from, int64_t ldf, float *to) {
  for (int i = 0; i < kPanelRows; ++i) to[i] = from[i * ldf];
}
#endif

// T: float or bf16.
template <class T>
inline void move_rows(int64_t rows, int64_t columns, const T *from, int64_t ldf, float *to,
                      int64_t ldt) {
  for (int64_t i = 0; i < rows; ++i, from += ldf, to += ldt) {
    for_vectors(columns,
                [&](int64_t j, int64_t lanes) { store(to + j, load(from + j, lanes), lanes); });
  }
}

inline vu mix(vu z) {
  z ^= z >> 16;
  z *= 0x85EBCA6Bu;
  z ^= z >> 13;
  z *= 0xC2B2AE35u;
  return z ^ (z >> 16);
}

}  // namespace

void rows_to_panel(int64_t k, int m, const void *from, int64_t ldf, void *to) {
  auto *source = static_cast<const float *>(from);
  auto *target = static_cast<float *>(to);
  int64_t p = 0;
  if (m == kPanelRows) {
    for (; p + kPanelBlock <= k; p += kPanelBlock)
      panel_block(source + p, ldf, target + p * kPanelRows);
  }
  for (; p < k; ++p) {
    for (int i = 0; i < m; ++i) target[p * kPanelRows + i] = source[i * ldf + p];
  }
}

void columns_to_panel(int64_t k, int m, const void *from, int64_t ldf, void *to) {
  auto *source = static_cast<const float *>(from);
  auto *target = static_cast<float *>(to);
  const size_t size = static_cast<size_t>(m) * sizeof *target;
  for (int64_t p = 0; p < k; ++p, source += ldf, target += kPanelRows) {
    if (m == kPanelRows) {
      __builtin_memcpy(target, source, kPanelRows * sizeof *target);
    } else {
      __builtin_memcpy(target, source, size);
    }
  }
}

void transpose(int64_t rows, int64_t columns, const void *from, int64_t ldf, void *to,
               int64_t ldt) {
  auto *source = static_cast<const uint32_t *>(from);
  auto *target = static_cast<uint32_t *>(to);
  for (int64_t r = 0; r < rows; r += kBlock) {
    int64_t height = rows - r < kBlock ? rows - r : kBlock;
    int64_t c = 0;
    if (height == kBlock) {
      for (; c + kBlock <= columns; c += kBlock) {
        uint32_t *at = target + c * ldt + r;
        transpose_block(source + r * ldf + c, ldf, [&](int j, vu column) {
          __builtin_memcpy(at + j * ldt, &column, sizeof column);
        });
      }
    }
    for (; c < columns; ++c) {
      for (int64_t i = 0; i < height; ++i) target[c * ldt + r + i] = source[(r + i) * ldf + c];
    }
  }
}

void transpose_widened(int64_t rows, int64_t columns, const uint16_t *from, int64_t ldf, float *to,
                       int64_t ldt) {
  constexpr int64_t kPairs = 2 * kBlock;  // columns of a block: a word is a pair of them
  for (int64_t r = 0; r < rows; r += kBlock) {
    const int64_t height = rows - r < kBlock ? rows - r : kBlock;
    int64_t c = 0;
    if (height == kBlock) {
      for (; c + kPairs <= columns; c += kPairs) {
        float *at = to + c * ldt + r;
        transpose_block(from + r * ldf + c, ldf, [&](int pair, vu words) {
          store(at + 2 * pair * ldt, (vf)(words << 16));
          store(at + (2 * pair + 1) * ldt, (vf)(words & 0xFFFF0000u));
        });
      }
    }
    for (; c < columns; ++c) {
      for (int64_t i = 0; i < height; ++i) {
        const uint32_t bits = static_cast<uint32_t>(from[(r + i) * ldf + c]) << 16;
        __builtin_memcpy(to + c * ldt + r + i, &bits, sizeof bits);
      }
    }
  }
}

void interleave(int64_t rows, int64_t columns, const uint16_t *from, int64_t ldf, uint32_t *to,
                int64_t ldt) {
  for (int64_t r = 0; r < rows; r += 2) {
    const uint16_t *first = from + r * ldf;
    uint32_t *target = to + r / 2 * ldt;
    if (r + 1 == rows) {
      for (int64_t c = 0; c < columns; ++c) target[c] = first[c];
    } else {
      const uint16_t *second = first + ldf;
      for (int64_t c = 0; c < columns; ++c) {
        target[c] = first[c] | static_cast<uint32_t>(second[c]) << 16;
      }
    }
  }
}

void to_bf16(int64_t n, const float *from, uint16_t *to) {
  int64_t i = 0;
#if CRIA_TIER >= 3
  for (; i + 32 <= n; i += 32) {
    __m512bh value = _mm512_cvtne2ps_pbh((__m512)load(from + i + 16), (__m512)load(from + i));
    _mm512_storeu_si512(to + i, (__m512i)value);
  }
#endif
  for (; i < n; i += W) {
    const int64_t left = n - i < W ? n - i : W;
    store_bf16(to + i, load(from + i, left), left);
  }
}

void widen(int64_t rows, int64_t columns, const uint16_t *from, int64_t ldf, float *to,
           int64_t ldt) {
  move_rows(rows, columns, from, ldf, to, ldt);
}

void copy(int64_t rows, int64_t columns, const float *from, int64_t ldf, float *to, int64_t ldt) {
  move_rows(rows, columns, from, ldf, to, ldt);
}

void dropout(int64_t n, uint64_t key, uint64_t first, uint32_t threshold, float scale,
             const float *from, float *to) {
  const auto key_low = static_cast<uint32_t>(key), key_high = static_cast<uint32_t>(key >> 32);
  while (n > 0) {
    // As far as the upper half of the element number stays the same.
    const auto low = static_cast<uint32_t>(first), high = static_cast<uint32_t>(first >> 32);
    const int64_t left = (int64_t{1} << 32) - low, length = n < left ? n : left;
    for_vectors(length, [&](int64_t i, int64_t lanes) {
      const vu e = (vu)iota() + (low + static_cast<uint32_t>(i));
      const vu h = mix(mix(e * 0x9E3779B9u + key_low) ^ (key_high ^ high));
      store(to + i, h >= vu{} + threshold ? load(from + i, lanes) * scale : vf{}, lanes);
    });
    first += static_cast<uint64_t>(length);
    from += length, to += length, n -= length;
  }
}

}  // namespace CRIA_TIER_NS
}  // namespace cria::cpu
