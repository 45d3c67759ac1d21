// few_rows.cpp: products with few rows of C. A few rows of B at a time pass by whole while C stays in a cache: packing B would
// cost more than it saves, and columns of a long matrix read from top to bottom would come from memory line by line.
#include "cpu/gemm/few_rows.h"

#include <algorithm>

#include "cpu/gemm/pack.h"
#include "cpu/rounding.h"

namespace cria::cpu {
namespace {

constexpr int64_t kMostRows = 32;
constexpr int64_t kLeastColumns = 64;
constexpr int64_t kDepth = 16;              // rows of B that pass together
constexpr int64_t kMostElements = 1 << 16;  // of C, that stay in a second-level cache
constexpr int64_t kLine = 16;               // floats of a line of the cache

// Rows [k, k+depth) of B from a column on, dropout applied; rows of `to` are ld apart.
void stage_rows(const GemmKernels &kernels, const Term &term, int64_t k, int64_t depth,
                int64_t column, int64_t width, float *to, int64_t ld) {
  for (int64_t i = 0; i < depth; ++i, to += ld) {
    const int64_t first = (k + i) * term.b.ld + column;
    drop(kernels, term.b.dropout, width, first, static_cast<const float *>(term.b.data) + first,
         to);
  }
}

// sums [m,width] += A B for the columns of B from one on; B passes through `stage` where it has dropout.
void add_products(const GemmKernels &kernels, int64_t m, const Term &term, int64_t column,
                  int64_t width, float *sums, float *stage, int64_t ld) {
  const MatrixA &a = term.a;
  const int64_t row = a.transposed ? 1 : a.ld, step = a.transposed ? a.ld : 1;
  for (int64_t k = 0; k < term.k; k += kDepth) {
    const int64_t depth = std::min(kDepth, term.k - k);
    const StridedA left{a.data + k * step, row, step};
    if (term.b.dropout.active()) {
      stage_rows(kernels, term, k, depth, column, width, stage, ld);
      kernels.rank_update(depth, left, stage, ld, m, width, sums, ld);
    } else {
      const float *b = static_cast<const float *>(term.b.data) + k * term.b.ld + column;
      kernels.rank_update(depth, left, b, term.b.ld, m, width, sums, ld);
    }
  }
}

}  // namespace

bool few_rows_serve(int64_t m, int64_t n, const Term &term) {
  return m > 0 && m <= kMostRows && n >= kLeastColumns && term.b.kind == MatrixB::f32 &&
         !term.b.by_columns && !term.a.dropout.active() && !term.dropout.active();
}

void few_rows(CpuDevice &device, const GemmKernels &kernels, int64_t m, int64_t n, const Term &term,
              bool add, float *c, int64_t ldc) {
  // Wide tasks read long pieces of rows.
  const int64_t columns = std::min(round_up(divide_up(n, device.threads()), kStrip),
                                   round_up(kMostElements / m, kStrip));
  device.parallel_range(n, columns, [&](int64_t begin, int64_t end) {
    // Rows that lie a power of two apart would drive each other from the caches.
    const int64_t width = end - begin, ld = round_up(width, kLine) + kLine;
    ScratchBlock scratch(device, (m + kDepth) * ld * static_cast<int64_t>(sizeof(float)));
    float *sums = scratch.as<float>();
    std::fill_n(sums, m * ld, 0.0f);
    add_products(kernels, m, term, begin, width, sums, sums + m * ld, ld);
    for (int64_t i = 0; i < m; ++i) {
      float *to = c + i * ldc + begin;
      const float *from = sums + i * ld;
      for (int64_t j = 0; j < width; ++j) to[j] = (add ? to[j] : 0) + term.alpha * from[j];
    }
  });
}

}  // namespace cria::cpu
