// gemm_tiles.cpp: the register tiles of the matrix multiplication and the table of the tier's matrix routines.
//
// Vectors run along the columns of B, elements of A are broadcast. A tile of M rows and V vectors keeps M*V
// accumulators in registers: 6x4 of 16 lanes (AVX-512), 6x2 of 8 (AVX2), 4x2 of 4 (portable).
#include <algorithm>

#include "cpu/tier/gemm_kernels.h"
#include "cpu/tier/step.h"

namespace cria::cpu {
namespace CRIA_TIER_NS {
namespace {

constexpr int kRows = kPanelRows, kVectors = kPanelVectors, kColumns = kVectors * W;
constexpr int64_t kDepth = CRIA_TIER >= 2 ? 832 : 320;
constexpr int kUnroll = 2;  // steps of k; with more, GCC 12 spills accumulators

// A panel of A, as a StridedA with strides known beforehand.
struct PanelA {
  const float *data;
  static constexpr int64_t row = 1, step = kRows;
};

// Writes the accumulators of a tile to c; the last vector of a row has so many lanes.
template <int M, int V>
CRIA_INLINE void store_tile(const vf (&acc)[M][V], int64_t lanes, float alpha, bool add, float *c,
                            int64_t ldc) {
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i, c += ldc) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      const vf value = acc[i][v] * alpha;
      float *at = c + v * W;
      const int64_t n = v < V - 1 ? W : lanes;
      store(at, add ? load(at, n) + value : value, n);
    }
  }
}

template <class Step, int M, int V>
CRIA_INLINE void add_step(const float *a, int64_t row, const float *b, vf (&acc)[M][V]) {
  typename Step::Vector column[V];
  for (int v = 0; v < V; ++v) column[v] = Step::read(b + v * W);
  for (int i = 0; i < M; ++i) {
    const typename Step::Vector x = Step::broadcast(a + i * row);
    for (int v = 0; v < V; ++v) acc[i][v] = Step::add_product(x, column[v], acc[i][v]);
  }
}

template <class Step, int M, int V, class A>
void tile_of(int64_t k, A a, const float *b, int n, float alpha, bool add, float *c, int64_t ldc) {
  // C, wanted at the end, may have to come from memory.
  for (int i = 0; i < M; ++i) {
    for (int64_t j = 0; j < V * W; j += kLineFloats) __builtin_prefetch(c + i * ldc + j, 1);
  }
  vf acc[M][V];
  for (int i = 0; i < M; ++i) {
    for (int v = 0; v < V; ++v) acc[i][v] = vf{};
  }
  for (; k >= kUnroll; k -= kUnroll, a.data += kUnroll * a.step, b += kUnroll * kColumns) {
#pragma GCC unroll 8
    for (int u = 0; u < kUnroll; ++u)
      add_step<Step>(a.data + u * a.step, a.row, b + u * kColumns, acc);
  }
  for (; k > 0; --k, a.data += a.step, b += kColumns) add_step<Step>(a.data, a.row, b, acc);
  const int64_t lanes = n - (V - 1) * W;
  if (lanes == W) {
    store_tile(acc, W, alpha, add, c, ldc);
  } else {
    store_tile(acc, lanes, alpha, add, c, ldc);
  }
}

// Calls the instance of a tile for m rows and as many vectors as n columns need.
template <class Step, int M, class... Arguments>
inline void pick_vectors(int n, Arguments... arguments) {
  int vectors = (n + W - 1) / W;
  if constexpr (kVectors >= 4) {
    if (vectors == 4) return tile_of<Step, M, 4>(arguments...);
    if (vectors == 3) return tile_of<Step, M, 3>(arguments...);
  }
  if (vectors == 2) return tile_of<Step, M, 2>(arguments...);
  tile_of<Step, M, 1>(arguments...);
}

template <class Step, class A>
inline void pick_rows(int64_t k, A a, const float *b, int m, int n, float alpha, bool add, float *c,
                      int64_t ldc) {
  if constexpr (kRows >= 6) {
    if (m == 6) return pick_vectors<Step, 6>(n, k, a, b, n, alpha, add, c, ldc);
    if (m == 5) return pick_vectors<Step, 5>(n, k, a, b, n, alpha, add, c, ldc);
  }
  if (m == 4) return pick_vectors<Step, 4>(n, k, a, b, n, alpha, add, c, ldc);
  if (m == 3) return pick_vectors<Step, 3>(n, k, a, b, n, alpha, add, c, ldc);
  if (m == 2) return pick_vectors<Step, 2>(n, k, a, b, n, alpha, add, c, ldc);
  pick_vectors<Step, 1>(n, k, a, b, n, alpha, add, c, ldc);
}

template <class Step>
void tile(int64_t words, const float *a, const float *b, int m, int n, float alpha, bool add,
          float *c, int64_t ldc) {
  pick_rows<Step>(words, PanelA{a}, b, m, n, alpha, add, c, ldc);
}

void tile_in_place(int64_t k, StridedA a, const float *b, int m, int n, float alpha, bool add,
                   float *c, int64_t ldc) {
  pick_rows<Floats>(k, a, b, m, n, alpha, add, c, ldc);
}

}  // namespace

extern const GemmKernels gemm_kernels = {
    kRows,         kColumns,
    kDepth,
#if CRIA_TIER >= 3
    1792,          tile<Floats>,
    tile<Pairs>,
#else
    0,           tile<Floats>,     nullptr,
#endif
    tile_in_place, rank_update,
    rows_to_panel, columns_to_panel,
    transpose,     transpose_widened,
    interleave,    to_bf16,
    widen,         copy,
    nested_scales, nf4_to_bf16,
    nf4_to_f32,    dropout,
    dot_f32,       dot_widened,
#if CRIA_TIER >= 3
    dot_bf16,
#else
    nullptr,
#endif
#if CRIA_TIER >= 1
    dot_nf4,       order_nf4,
    kNf4PerFloat,
#else
    nullptr,     nullptr,    1,
#endif
};

}  // namespace CRIA_TIER_NS
}  // namespace cria::cpu
