// reductions.h: the tier kernels that sum, or normalise, one row or one block of columns.
#pragma once

#include <cstdint>

#include "cpu/kernels/by_tier.h"

namespace cria::cpu {

struct ReductionKernels {
  // Of n adjacent elements, summed in float64.
  double (*sum)(int64_t n, const float *x);
  double (*sum_squares)(int64_t n, const float *x);
  double (*largest)(int64_t n, const float *x);  // NaN when an element is; n >= 1
  // Of `rows` rows at distance `stride` for each of `cols` columns, into accumulator [cols].
  void (*column_sum)(int64_t rows, int64_t cols, int64_t stride, const float *x,
                     double *accumulator);
  void (*column_largest)(int64_t rows, int64_t cols, int64_t stride, const float *x,
                         double *accumulator);
  // One row of softmax, or of its logarithm; y may be x.
  void (*softmax)(int64_t cols, const float *x, float *y);
  void (*log_softmax)(int64_t cols, const float *x, float *y);
  void (*softmax_bwd)(int64_t cols, const float *y, const float *dy, float *dx);
  void (*log_softmax_bwd)(int64_t cols, const float *y, const float *dy, float *dx);
};

CRIA_TIER_TABLE(ReductionKernels, reduction_kernels)

}  // namespace cria::cpu
