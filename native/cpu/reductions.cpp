// reductions.cpp: sums, maxima and softmax: how they are cut into pieces whose size depends on shapes only.
#include "cpu/kernels/reductions.h"

#include <algorithm>
#include <cmath>

#include "cpu/cpu_device.h"
#include "cpu/operations.h"
#include "cpu/rounding.h"

namespace cria::cpu {
namespace {

constexpr int64_t kGrain = 32768;  // elements per task

// Rows of a matrix per task.
int64_t row_grain(int64_t cols) {
  return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, cols));
}

}  // namespace

// x [outer,n,inner] is cut along n into pieces and along inner into blocks of columns; the results of
// the pieces are then combined in their order.
cria_status reduce(cria_queue *queue, cria_reduce_op op, int64_t outer, int64_t n, int64_t inner,
                   const float *x, float *y) {
  if (outer == 0 || inner == 0) return CRIA_OK;
  CpuDevice &device = device_of(queue);
  const ReductionKernels &kernels = reduction_kernels(device.tier);
  const bool largest = op == CRIA_REDUCE_MAX;
  const int64_t piece = inner == 1 ? kGrain : 1024, pieces = divide_up(n, piece);
  const int64_t block = std::min<int64_t>(inner, 512), blocks = divide_up(inner, block);
  const double scale = op == CRIA_REDUCE_MEAN ? 1.0 / static_cast<double>(n) : 1.0;
  const ScratchBlock scratch(device, pieces > 1 ? outer * pieces * inner * 8 : 0);
  double *partial = scratch.as<double>();

  const int64_t cost = std::min(n, piece) * block;
  const int64_t grain = std::max<int64_t>(1, kGrain / cost);
  device.parallel_range(outer * pieces * blocks, grain, [&](int64_t begin, int64_t end) {
    double accumulator[512];
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t row = unit / blocks, column = unit % blocks * block;  // row of [outer, pieces]
      const int64_t first = row % pieces * piece, rows = std::min(piece, n - first);
      const int64_t cols = std::min(block, inner - column);
      const float *from = x + (row / pieces * n + first) * inner + column;
      if (inner == 1) {
        accumulator[0] = largest ? kernels.largest(rows, from) : kernels.sum(rows, from);
      } else {
        (largest ? kernels.column_largest : kernels.column_sum)(rows, cols, inner, from,
                                                                accumulator);
      }
      for (int64_t j = 0; j < cols; ++j) {
        const int64_t to = row * inner + column + j;
        if (pieces > 1) {
          partial[to] = accumulator[j];
        } else {
          y[to] = static_cast<float>(accumulator[j] * scale);
        }
      }
    }
  });
  if (pieces == 1) return CRIA_OK;
  device.parallel_range(outer * inner, row_grain(pieces), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const double *p = partial + i / inner * pieces * inner + i % inner;
      double total = p[0];
      for (int64_t k = 1; k < pieces; ++k) {
        const double v = p[k * inner];
        total = !largest ? total + v : v > total || std::isnan(v) ? v : total;
      }
      y[i] = static_cast<float>(total * scale);
    }
  });
  return CRIA_OK;
}

cria_status sum_squares(cria_queue *queue, int64_t n, const float *x, double *sum) {
  CpuDevice &device = device_of(queue);
  const ReductionKernels &kernels = reduction_kernels(device.tier);
  const int64_t pieces = divide_up(n, kGrain);
  const ScratchBlock scratch(device, pieces * 8);
  double *partial = scratch.as<double>();
  device.parallel_range(n, kGrain, [&](int64_t begin, int64_t end) {
    partial[begin / kGrain] = kernels.sum_squares(end - begin, x + begin);
  });
  double total = 0;
  for (int64_t i = 0; i < pieces; ++i) total += partial[i];
  *sum = total;
  return CRIA_OK;
}

cria_status softmax(cria_queue *queue, int64_t rows, int64_t cols, int32_t log, const float *x,
                    float *y) {
  if (cols == 0) return CRIA_OK;
  CpuDevice &device = device_of(queue);
  const ReductionKernels &kernels = reduction_kernels(device.tier);
  const auto kernel = log ? kernels.log_softmax : kernels.softmax;
  device.parallel_range(rows, row_grain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) kernel(cols, x + r * cols, y + r * cols);
  });
  return CRIA_OK;
}

cria_status softmax_bwd(cria_queue *queue, int64_t rows, int64_t cols, int32_t log, const float *y,
                        const float *dy, float *dx) {
  if (cols == 0) return CRIA_OK;
  CpuDevice &device = device_of(queue);
  const ReductionKernels &kernels = reduction_kernels(device.tier);
  const auto kernel = log ? kernels.log_softmax_bwd : kernels.softmax_bwd;
  device.parallel_range(rows, row_grain(cols), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      kernel(cols, y + r * cols, dy + r * cols, dx + r * cols);
    }
  });
  return CRIA_OK;
}

}  // namespace cria::cpu
