// gemm_tiles.cpp: the register tiles of the matrix multiplication and the table of the tier's matrix routines.
//
// Vectors run along the columns of a packed panel of B, elements of A are broadcast. A tile of M rows and V vectors
// keeps M*V accumulators in registers: 6x4 of 16 lanes (AVX-512), 6x2 of 8 (AVX2), 4x2 of 4 (portable).
#include <algorithm>

#include "cpu/tier/gemm_kernels.h"
#include "cpu/tier/simd.h"

namespace cria::cpu {
namespace CRIA_TIER_NS {
namespace {

#if CRIA_TIER >= 2
constexpr int kRows = 6, kVectors = 4;
constexpr int64_t kDepth = 832;
#elif CRIA_TIER == 1
constexpr int kRows = 6, kVectors = 2;
constexpr int64_t kDepth = 320;
#else
constexpr int kRows = 4, kVectors = 2;
constexpr int64_t kDepth = 320;
#endif
constexpr int kColumns = kVectors * W;

// Writes the accumulators of a tile to c; the last vector may be partial.
template <int M, int V>
inline void store_tile(const vf (&acc)[M][V], int n, float alpha, bool add, float *c, int64_t ldc) {
  for (int i = 0; i < M; ++i) {
    for (int v = 0; v < V; ++v) {
      const vf value = acc[i][v] * alpha;
      float *at = c + i * ldc + v * W;
      const int64_t left = n - v * W;
      if (left >= W) {
        store(at, add ? load(at) + value : value);
      } else {
        store(at, add ? load(at, left) + value : value, left);
      }
    }
  }
}

template <int M, int V>
void tile_f32_of(int64_t k, const float *a, int64_t lda, const float *b, int n, float alpha,
                 bool add, float *c, int64_t ldc) {
  vf acc[M][V];
  for (int i = 0; i < M; ++i) {
    for (int v = 0; v < V; ++v) acc[i][v] = vf{};
  }
  for (int64_t p = 0; p < k; ++p) {
    vf column[V];
    for (int v = 0; v < V; ++v) column[v] = load(b + v * W);
    for (int i = 0; i < M; ++i) {
      vf x = set(a[i * lda + p]);
      for (int v = 0; v < V; ++v) acc[i][v] = fma(x, column[v], acc[i][v]);
    }
    b += kColumns;
  }
  store_tile<M, V>(acc, n, alpha, add, c, ldc);
}

#if CRIA_TIER >= 3
template <int M, int V>
void tile_bf16_of(int64_t pairs, const uint16_t *a, int64_t lda, const uint16_t *b, int n,
                  float alpha, bool add, float *c, int64_t ldc) {
  vf acc[M][V];
  for (int i = 0; i < M; ++i) {
    for (int v = 0; v < V; ++v) acc[i][v] = vf{};
  }
  for (int64_t p = 0; p < pairs; ++p) {
    __m512bh column[V];
    for (int v = 0; v < V; ++v) {
      column[v] = (__m512bh)_mm512_loadu_si512(b + v * 2 * W);
    }
    for (int i = 0; i < M; ++i) {
      int32_t pair;
      __builtin_memcpy(&pair, a + i * lda + 2 * p, sizeof pair);
      __m512bh x = (__m512bh)_mm512_set1_epi32(pair);
      for (int v = 0; v < V; ++v) acc[i][v] = (vf)_mm512_dpbf16_ps((__m512)acc[i][v], x, column[v]);
    }
    b += 2 * kColumns;
  }
  store_tile<M, V>(acc, n, alpha, add, c, ldc);
}
#endif

// Calls the instance of a tile for m rows and as many vectors as n columns need.
template <template <int, int> class Tile, int M, class... Arguments>
inline void pick_vectors(int n, Arguments... arguments) {
  int vectors = (n + W - 1) / W;
  if constexpr (kVectors >= 4) {
    if (vectors == 4) return Tile<M, 4>::run(arguments...);
    if (vectors == 3) return Tile<M, 3>::run(arguments...);
  }
  if (vectors == 2) return Tile<M, 2>::run(arguments...);
  Tile<M, 1>::run(arguments...);
}

template <template <int, int> class Tile, class... Arguments>
inline void pick_tile(int m, int n, Arguments... arguments) {
  if constexpr (kRows >= 6) {
    if (m == 6) return pick_vectors<Tile, 6>(n, arguments...);
    if (m == 5) return pick_vectors<Tile, 5>(n, arguments...);
  }
  if (m == 4) return pick_vectors<Tile, 4>(n, arguments...);
  if (m == 3) return pick_vectors<Tile, 3>(n, arguments...);
  if (m == 2) return pick_vectors<Tile, 2>(n, arguments...);
  pick_vectors<Tile, 1>(n, arguments...);
}

template <int M, int V>
struct TileF32 {
  static void run(int64_t k, const float *a, int64_t lda, const float *b, int n, float alpha,
                  bool add, float *c, int64_t ldc) {
    tile_f32_of<M, V>(k, a, lda, b, n, alpha, add, c, ldc);
  }
};

void tile_f32(int64_t k, const float *a, int64_t lda, const float *b, int m, int n, float alpha,
              bool add, float *c, int64_t ldc) {
  pick_tile<TileF32>(m, n, k, a, lda, b, n, alpha, add, c, ldc);
}

#if CRIA_TIER >= 3
template <int M, int V>
struct TileBf16 {
  static void run(int64_t pairs, const uint16_t *a, int64_t lda, const uint16_t *b, int n,
                  float alpha, bool add, float *c, int64_t ldc) {
    tile_bf16_of<M, V>(pairs, a, lda, b, n, alpha, add, c, ldc);
  }
};

void tile_bf16(int64_t pairs, const uint16_t *a, int64_t lda, const uint16_t *b, int m, int n,
               float alpha, bool add, float *c, int64_t ldc) {
  pick_tile<TileBf16>(m, n, pairs, a, lda, b, n, alpha, add, c, ldc);
}
#endif

}  // namespace

extern const GemmKernels gemm_kernels = {
    kRows,       kColumns,   kDepth,
#if CRIA_TIER >= 3
    1792,        tile_f32,   tile_bf16,
#else
    0,           tile_f32,   nullptr,
#endif
    transpose,   interleave, to_bf16,      widen,   copy,
    nf4_to_bf16, nf4_to_f32, dropout,      dot_f32, dot_widened,
#if CRIA_TIER >= 3
    dot_bf16,
#else
    nullptr,
#endif
#if CRIA_TIER >= 1
    dot_nf4,     order_nf4,  kNf4PerFloat,
#else
    nullptr,     nullptr,    1,
#endif
};

}  // namespace CRIA_TIER_NS
}  // namespace cria::cpu
