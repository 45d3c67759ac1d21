// gemv.cpp: streams the rows of a weight once past a few rows of activations.
#include "cpu/gemm/gemv.h"

#include <algorithm>
#include <optional>

#include "cpu/gemm/pack.h"
#include "cpu/rounding.h"

namespace cria::cpu {
namespace {

constexpr int64_t kMostRows = 8;
constexpr int64_t kLeastDepth = 64;  // below this, summing the lanes costs more than the products
constexpr int64_t kTaskWeights = 1 << 16;
constexpr int64_t kTaskRows = 32;

// Rows of activations, float32 or bf16.
struct Activations {
  const void *rows;
  int64_t ld;
  int height;

  const float *floats(int64_t k) const { return static_cast<const float *>(rows) + k; }
  const uint16_t *halves(int64_t k) const { return static_cast<const uint16_t *>(rows) + k; }
};

// Products of some weight rows with each row of activations.
using Sums = float[kMostRows];

// ---- Sums of weight rows [begin, end), three ways

// As they are stored, row by row.
void dots_of_dense(const GemmKernels &kernels, const Term &term, bool as_bf16, int64_t begin,
                   int64_t end, const Activations &x, Sums *sums) {
  for (int64_t j = begin; j < end; ++j, ++sums) {
    const int64_t at = j * term.b.ld;
    if (term.b.kind == MatrixB::f32) {
      kernels.dot_f32(term.k, static_cast<const float *>(term.b.data) + at, x.height, x.floats(0),
                      x.ld, *sums);
      continue;
    }
    const uint16_t *w = static_cast<const uint16_t *>(term.b.data) + at;
    if (as_bf16) {
      kernels.dot_bf16(term.k, w, x.height, x.halves(0), x.ld, *sums);
    } else {
      kernels.dot_widened(term.k, w, x.height, x.floats(0), x.ld, *sums);
    }
  }
}

// NF4 codes decoded in registers, row by row; x in the order of dot_nf4.
void dots_of_runs(const GemmKernels &kernels, const RowReader &reader, int64_t depth, int64_t begin,
                  int64_t end, const Activations &x, Sums *sums) {
  constexpr int64_t kScales = kTaskWeights / 64;  // read together, which takes less than row by row
  float scales[kScales];
  for (int64_t k = 0; k < depth; k += kTaskWeights) {
    const int64_t piece = std::min(kTaskWeights, depth - k);
    const int64_t most = kTaskWeights / piece;
    for (int64_t j = begin; j < end; j += most) {
      Nf4Rows rows = reader.read_runs(j, std::min(most, end - j), k, piece, scales);
      for (int64_t r = 0; r < rows.rows; ++r) {
        Sums part;
        kernels.dot_nf4(rows, x.height, x.floats(k / kernels.nf4_per_float), x.ld, part);
        for (int i = 0; i < x.height; ++i) sums[j + r - begin][i] += part[i];
        rows.codes += rows.code_stride;
        rows.scales += rows.scale_stride;
      }
    }
  }
}

// NF4 codes decoded in pieces of a few rows, which use a piece of x while it is in the first-level cache.
void dots_of_decoded(const GemmKernels &kernels, const RowReader &reader, bool as_bf16,
                     int64_t depth, int64_t begin, int64_t end, const Activations &x, Sums *sums) {
  constexpr int64_t kChunk = 1024, kRowsAtOnce = 4;
  alignas(64) float buffer[kRowsAtOnce * kChunk];
  for (int64_t k = 0; k < depth; k += kChunk) {
    const int64_t chunk = std::min(kChunk, depth - k);
    for (int64_t j = begin; j < end; j += kRowsAtOnce) {
      const int64_t count = std::min(kRowsAtOnce, end - j);
      int64_t ldw = kChunk;
      const void *weights = reader.read_rows(j, count, k, chunk, buffer, &ldw);
      for (int64_t r = 0; r < count; ++r) {
        Sums part;
        if (as_bf16) {
          kernels.dot_bf16(chunk, static_cast<const uint16_t *>(weights) + r * ldw, x.height,
                           x.halves(k), x.ld, part);
        } else {
          kernels.dot_f32(chunk, static_cast<const float *>(weights) + r * ldw, x.height,
                          x.floats(k), x.ld, part);
        }
        for (int i = 0; i < x.height; ++i) sums[j - begin + r][i] += part[i];
      }
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
  Activations x{term.a.data, term.a.ld, static_cast<int>(m)};
  const RowReader reader(kernels, term.b, as_bf16);
  const bool runs = kernels.dot_nf4 && reader.has_runs() && !term.a.dropout.active();
  std::optional<ScratchBlock> copy;
  if (runs) {
    x.ld = round_up(term.k, 128) / kernels.nf4_per_float;
    copy.emplace(device, m * x.ld * 4);
    for (int64_t i = 0; i < m; ++i)
      kernels.order_nf4(term.k, term.a.data + i * term.a.ld, copy->as<float>() + i * x.ld);
    x.rows = copy->as<void>();
  } else if (as_bf16 || term.a.dropout.active()) {
    x.ld = round_up(term.k, 32);
    copy.emplace(device, m * x.ld * (as_bf16 ? 2 : 4));
    convert_rows(kernels, term.a, as_bf16, 0, m, 0, term.k, copy->as<void>(), x.ld);
    x.rows = copy->as<void>();
  }
  const int64_t grain = std::clamp<int64_t>(kTaskWeights / term.k, 1, kTaskRows);
  device.parallel_range(n, grain, [&](int64_t begin, int64_t end) {
    Sums sums[kTaskRows] = {};
    if (term.b.kind != MatrixB::nf4) {
      dots_of_dense(kernels, term, as_bf16, begin, end, x, sums);
    } else if (runs) {
      dots_of_runs(kernels, reader, term.k, begin, end, x, sums);
    } else {
      dots_of_decoded(kernels, reader, as_bf16, term.k, begin, end, x, sums);
    }
    for (int64_t j = begin; j < end; ++j) {
      for (int i = 0; i < x.height; ++i) {
        const float value = term.alpha * sums[j - begin][i];
        float &out = c[i * ldc + j];
        out = add ? out + value : value;
      }
    }
  });
}

}  // namespace cria::cpu
