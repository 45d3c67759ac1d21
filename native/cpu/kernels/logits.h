// logits.h: the tier kernels of losses on rows of logits.
#pragma once

#include <cstdint>

#include "cpu/kernels/by_tier.h"

namespace cria::cpu {

// Of one row z, with e_j = exp(z_j - largest), summed in float64.
struct LogitSums {
  float largest;
  double sum;       // sum e_j
  double weighted;  // sum e_j (z_j - largest)
};

struct LogitKernels {
  LogitSums (*sums)(int64_t n, const float *z);
  // z_j <- p_j (a + b (z_j - largest + shift)), p_j = exp(z_j - largest) * inverse. b = 0 drops the bracket's
  // second part.
  void (*gradient)(int64_t n, float largest, float inverse, float a, float b, float shift,
                   float *z);
};

CRIA_TIER_TABLE(LogitKernels, logit_kernels)

}  // namespace cria::cpu
