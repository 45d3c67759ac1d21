// optimizers.h: the tier kernels of AdamW; each works on one stretch of parameters.
#pragma once

#include <cstdint>

#include "abi/adamw.h"
#include "abi/dynamic_map.h"
#include "cpu/kernels/by_tier.h"

namespace cria::cpu {

// Moments of 8 bits of one block of 256 parameters.
struct Moments8 {
  const DynamicMap *m_map;
  const DynamicMap *v_map;
  uint8_t *m_codes;
  uint8_t *v_codes;
  float *m_absmax;
  float *v_absmax;
};

struct OptimizerKernels {
  // bf16 may be null.
  void (*adamw)(const AdamWStep &step, int64_t n, float *p, uint16_t *bf16, const float *grad,
                float *m, float *v);
  void (*adamw8)(const AdamWStep &step, int64_t n, float *p, uint16_t *bf16, const float *grad,
                 const Moments8 &moments);  // n <= 256
};

CRIA_TIER_TABLE(OptimizerKernels, optimizer_kernels)

}  // namespace cria::cpu
