// gemm_update.cpp: the rank-k update, a few rows of A and B in place added to C as blocks of products in registers.
#include <type_traits>

#include "cpu/tier/gemm_kernels.h"
#include "cpu/tier/simd.h"

namespace cria::cpu {
namespace CRIA_TIER_NS {
namespace {

// M rows and V vectors of C, the last of which has so many lanes. What lies beside them in b is wanted next.
template <int M, int V>
CRIA_INLINE void block(int64_t k, StridedA a, const float *b, int64_t ldb, int64_t lanes, float *c,
                       int64_t ldc) {
  vf sum[M][V];
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sum[i][v] = vf{};
  }
  for (; k > 0; --k, a.data += a.step, b += ldb) {
    vf column[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) column[v] = load(b + v * W, v < V - 1 ? W : lanes);
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) {
      const vf x = set(a.data[i * a.row]);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sum[i][v] = fma(x, column[v], sum[i][v]);
    }
    for (int64_t j = 0; j < V * W; j += kLineFloats) __builtin_prefetch(b + V * W + j);
  }
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i, c += ldc) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      const int64_t n = v < V - 1 ? W : lanes;
      store(c + v * W, load(c + v * W, n) + sum[i][v], n);
    }
  }
}

// All rows of V vectors of C.
template <int V>
void strip(int64_t k, StridedA a, const float *b, int64_t ldb, int64_t m, int64_t lanes, float *c,
           int64_t ldc) {
  auto blocks = [&](int64_t whole) {
    auto rows = [&](auto height) {
      constexpr int kHeight = decltype(height)::value;
      for (; m >= kHeight; m -= kHeight, a.data += kHeight * a.row, c += kHeight * ldc)
        block<kHeight, V>(k, a, b, ldb, whole, c, ldc);
    };
    rows(std::integral_constant<int, kPanelRows>());
    rows(std::integral_constant<int, 4>());
    rows(std::integral_constant<int, 2>());
    rows(std::integral_constant<int, 1>());
  };
  if (lanes == W) {
    blocks(W);
  } else {
    blocks(lanes);
  }
}

}  // namespace

void rank_update(int64_t k, StridedA a, const float *b, int64_t ldb, int64_t m, int64_t n, float *c,
                 int64_t ldc) {
  constexpr int64_t kColumns = kPanelVectors * W;
  int64_t j = 0;
  for (; j + kColumns <= n; j += kColumns) strip<kPanelVectors>(k, a, b + j, ldb, m, W, c + j, ldc);
  for (; j < n; j += W) strip<1>(k, a, b + j, ldb, m, n - j < W ? n - j : W, c + j, ldc);
}

}  // namespace CRIA_TIER_NS
}  // namespace cria::cpu
