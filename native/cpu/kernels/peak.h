// peak.h: the tier kernels that show what the processor can do at best.
#pragma once

#include <cstdint>

#include "cpu/kernels/by_tier.h"

namespace cria::cpu {

struct PeakKernels {
  // Multiply-adds in registers; what they return is of no interest. flops: operations of one repeat.
  float (*multiply_f32)(int64_t repeats);
  double flops_f32;
  float (*multiply_bf16)(int64_t repeats);  // null where the tier has no products of bf16
  double flops_bf16;
  // Reads n floats and returns their sum.
  float (*read)(int64_t n, const float *x);
};

CRIA_TIER_TABLE(PeakKernels, peak_kernels)

}  // namespace cria::cpu
