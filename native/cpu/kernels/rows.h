// rows.h: the tier kernels of RMSNorm, RoPE and SwiGLU: each works on one row or one stretch of elements.
#pragma once

#include <cstdint>

#include "cpu/kernels/by_tier.h"

namespace cria::cpu {

struct RowKernels {
  // y = gain * x / rms(x) over c elements; returns 1 / rms.
  float (*rmsnorm)(int64_t c, float eps, const float *x, const float *gain, float *y);
  // dx (+)= the gradient of one row; dgain += dy * x * inv_rms unless null.
  void (*rmsnorm_bwd)(int64_t c, const float *x, const float *gain, float inv_rms, const float *dy,
                      int32_t accumulate, float *dx, float *dgain);
  void (*add_to)(int64_t n, const float *x, float *sum);  // sum += x
  // Rotates pairs (i, i + half) of each head of one row; sign -1 turns back. y may be x.
  void (*rope)(int64_t heads, int64_t half, const float *cosine, const float *sine, float sign,
               const float *x, float *y);
  void (*swiglu)(int64_t n, const float *gate, const float *up, float *y);
  void (*swiglu_bwd)(int64_t n, const float *gate, const float *up, const float *dy, float *dgate,
                     float *dup);
};

CRIA_TIER_TABLE(RowKernels, row_kernels)

}  // namespace cria::cpu
