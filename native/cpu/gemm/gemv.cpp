// gemv.cpp: streams the rows of a weight once past a few rows of activations.
#include "cpu/gemm/gemv.h"

#include <algorithm>
#include <optional>

#include "cpu/gemm/pack.h"

namespace cria::cpu {
namespace {

constexpr int64_t kMostRows = 8;
constexpr int64_t kLeastDepth = 64;  // below this, summing the lanes costs more than the products
constexpr int64_t kTaskWeights = 1 << 16;
// Weights decoded at a time, and rows that use a piece of x while it is in the first-level cache.
constexpr int64_t kChunk = 1024, kRowsAtOnce = 4, kRowBlock = 32;

// sums[r][i] += w_r . x_i for a piece of `rows` weight rows, laid out in `weights` at distance ldw.
void add_dots(const GemmKernels &kernels, bool as_bf16, int64_t depth, const void *weights,
              int64_t ldw, int64_t rows, int height, const void *x, int64_t ldx,
              float (*sums)[kMostRows]) {
  for (int64_t r = 0; r < rows; ++r) {
    float part[kMostRows];
    if (as_bf16) {
      kernels.dot_bf16(depth, static_cast<const uint16_t *>(weights) + r * ldw, height,
                       static_cast<const uint16_t *>(x), ldx, part);
    } else {
      kernels.dot_f32(depth, static_cast<const float *>(weights) + r * ldw, height,
                      static_cast<const float *>(x), ldx, part);
    }
    for (int i = 0; i < height; ++i) sums[r][i] += part[i];
  }
}

// c += alpha * sums, or = where not `add`, for columns [begin, end) of all rows.
void store_sums(int64_t begin, int64_t end, int height, float alpha, bool add,
                const float (*sums)[kMostRows], float *c, int64_t ldc) {
  for (int64_t j = begin; j < end; ++j) {
    for (int i = 0; i < height; ++i) {
      const float value = alpha * sums[j - begin][i];
      float &out = c[i * ldc + j];
      out = add ? out + value : value;
    }
  }
}

// Sums for weight rows [begin, end), decoded in registers: the codes stream past x once, row by row.
void dots_of_runs(const GemmKernels &kernels, const RowReader &reader, int64_t depth, int64_t begin,
                  int64_t end, int height, const float *x, int64_t ldx, float (*sums)[kMostRows]) {
  constexpr int64_t kRuns = 256;
  float scales[kRuns];
  for (int64_t j = begin; j < end; ++j) {
    for (int64_t k = 0; k < depth; k += 64 * kRuns) {
      const Nf4Rows row = reader.read_runs(j, k, std::min(64 * kRuns, depth - k), scales);
      float part[kMostRows];
      kernels.dot_nf4(row, height, x + k, ldx, part);
      for (int i = 0; i < height; ++i) sums[j - begin][i] += part[i];
    }
  }
}

}  // namespace

bool gemv_serves(int64_t m, const Term &term) {
  return m <= kMostRows && term.k >= kLeastDepth && term.b.by_columns && !term.a.transposed &&
         !term.dropout.active();
}

void gemv(CpuDevice &device, const GemmKernels &kernels, int64_t m, int64_t n, const Term &term,
          bool as_bf16, bool add, float *c, int64_t ldc) {
  const void *rows = term.a.data;
  int64_t ld = term.a.ld;
  std::optional<ScratchBlock> copy;
  if (needs_pack(term.a, as_bf16)) {
    ld = packed_ld(term.k, as_bf16);
    copy.emplace(device, m * ld * (as_bf16 ? 2 : 4));
    pack_a(kernels, term.a, term.k, as_bf16, 0, m, copy->as<void>());
    rows = copy->as<void>();
  }
  const RowReader reader(kernels, term.b, as_bf16);
  const int height = static_cast<int>(m);
  const int64_t grain = std::min(std::max<int64_t>(1, kTaskWeights / term.k), kRowBlock);
  if (!as_bf16 && kernels.dot_nf4 && reader.has_runs()) {
    const int64_t ldx = (term.k + 127) / 128 * 128;
    const ScratchBlock ordered(device, m * ldx * 4);
    auto *x = ordered.as<float>();
    for (int64_t i = 0; i < m; ++i)
      kernels.order_nf4(term.k, static_cast<const float *>(rows) + i * ld, x + i * ldx);
    device.parallel_range(n, grain, [&](int64_t begin, int64_t end) {
      float sums[kRowBlock][kMostRows] = {};
      dots_of_runs(kernels, reader, term.k, begin, end, height, x, ldx, sums);
      store_sums(begin, end, height, term.alpha, add, sums, c, ldc);
    });
    return;
  }
  device.parallel_range(n, grain, [&](int64_t begin, int64_t end) {
    alignas(64) float buffer[kRowsAtOnce * kChunk];
    float sums[kRowBlock][kMostRows] = {};
    for (int64_t k = 0; k < term.k; k += kChunk) {
      const int64_t depth = std::min(kChunk, term.k - k);
      const char *x = static_cast<const char *>(rows) + k * reader.element_size();
      for (int64_t j = begin; j < end; j += kRowsAtOnce) {
        const int64_t count = std::min(kRowsAtOnce, end - j);
        int64_t ldw = kChunk;
        const void *weights = reader.read_rows(j, count, k, depth, buffer, &ldw);
        add_dots(kernels, as_bf16, depth, weights, ldw, count, height, x, ld, sums + (j - begin));
      }
    }
    store_sums(begin, end, height, term.alpha, add, sums, c, ldc);
  });
}

}  // namespace cria::cpu
