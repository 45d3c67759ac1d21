// elementwise.h: the tier kernels that map elements to elements; each works on one stretch of memory.
#pragma once

#include <cstdint>

#include "cpu/kernels/by_tier.h"

namespace cria::cpu {

struct ElementwiseKernels {
  void (*fill)(int64_t n, float value, float *x);
  void (*f32_from_bf16)(int64_t n, const uint16_t *from, float *to);
  void (*f32_from_f16)(int64_t n, const uint16_t *from, float *to);
  void (*bf16_from_f32)(int64_t n, const float *from, uint16_t *to);
  void (*bf16_from_f16)(int64_t n, const uint16_t *from, uint16_t *to);
  void (*axpby)(int64_t n, float alpha, const float *x, float beta, float *y);
  // Indexed by cria_unary_op and cria_binary_op.
  void (*unary[11])(int64_t n, const float *x, float *y);
  void (*unary_bwd[11])(int64_t n, const float *x, const float *y, const float *dy, float *dx);
  // Strides of a and b in elements, any values.
  void (*binary[6])(int64_t n, const float *a, int64_t a_stride, const float *b, int64_t b_stride,
                    float *y);
};

CRIA_TIER_TABLE(ElementwiseKernels, elementwise_kernels)

}  // namespace cria::cpu
