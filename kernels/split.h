// split.h: float32 products on tensor cores. A float is the sum of three bf16 (24 bits in parts of 8), so six products of
// parts give the product of two floats to 2^-26; only part pairs below that are left out. (The idea is that of the
// emulated single precision of Henry, Tang & Heinecke 2019.)
#pragma once

#include "device/device.h"

namespace cria::gpu {

// Pairs of floats as pairs of bf16 parts: part 0 is the float rounded, each other one what the parts before leave.
template <int PAIRS>
struct Split {
  uint32_t part[3][PAIRS];

  CRIA_GPU void set(int pair, float low, float high) {
#pragma unroll
    for (int i = 0; i < 3; ++i) {
      const uint32_t rounded = pack_bf16(low, high);
      part[i][pair] = rounded;
      low -= low_float(rounded);
      high -= high_float(rounded);
    }
  }
};

// d += a b to float32 accuracy, the small products first.
CRIA_GPU void mma_split(float (&d)[4], const Split<4> &a, const Split<2> &b) {
#pragma unroll
  for (int sum = 2; sum >= 0; --sum) {
#pragma unroll
    for (int i = 0; i <= sum; ++i) mma_16x8x16(d, a.part[i], b.part[sum - i]);
  }
}

}  // namespace cria::gpu
