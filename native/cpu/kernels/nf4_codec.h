// nf4_codec.h: the tier kernels that quantise blocks of weights to NF4.
#pragma once

#include <cstdint>

#include "cpu/kernels/by_tier.h"

namespace cria::cpu {

struct Nf4Kernels {
  // Quantises n adjacent weights in blocks of block_size (even; the last block may be shorter) into
  // ceil(n / 2) bytes and one absolute maximum per block. bounds: nf4_bound. A missing last element gets code 7. Returns
  // the index of a weight in the first block that is not finite, or -1. Indexed by cria_dtype: f32,
  // bf16, f16.
  int64_t (*quantize[3])(int64_t n, int64_t block_size, const float *bounds, const void *w,
                         uint8_t *codes, float *absmax);
};

CRIA_TIER_TABLE(Nf4Kernels, nf4_kernels)

}  // namespace cria::cpu
