// random.h: the tier kernels of random numbers from a counter.
#pragma once

#include <cstdint>

#include "cpu/kernels/by_tier.h"

namespace cria::cpu {

struct RandomKernels {
  // Elements [first, first + n) of the numbers of a key.
  void (*uniform)(uint64_t key, uint64_t first, int64_t n, float low, float high, float *x);
  void (*normal)(uint64_t key, uint64_t first, int64_t n, float mean, float deviation, float *x);
};

CRIA_TIER_TABLE(RandomKernels, random_kernels)

}  // namespace cria::cpu
