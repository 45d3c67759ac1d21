// nf4_matrix.h: the CPU device's NF4 matrix: the canonical bitsandbytes layout plus float scales.
#pragma once

#include <cstdint>

#include "cria.h"

struct cria_nf4 {
  cria_device *device;
  int64_t n, k;
  int64_t block_size;
  int64_t nested_block_size;  // 0 without double quantisation
  int64_t blocks;             // ceil(n*k / block_size)
  int64_t bytes;              // counted on the device
  // All arrays 64-byte aligned.
  uint8_t *codes;        // ceil(n*k/2): element 2j in the high nibble of byte j
  float code_map[16];    // f32 values of the codes
  float *scales;         // [blocks] float scales when there is no double quantisation, else null
  uint8_t *scale_codes;  // [blocks], else null
  float *nested_absmax;  // [ceil(blocks/nested_block_size)]
  float *nested_map;     // [256]
  float nested_offset;
};

namespace cria::cpu {

// Scale of block b: float32, nested_map[q] * nested_absmax[g] + offset, multiply and add rounded separately.
inline float nf4_scale(const cria_nf4 &w, int64_t b) {
  if (w.scales) return w.scales[b];
  float product = w.nested_map[w.scale_codes[b]] * w.nested_absmax[b / w.nested_block_size];
  return product + w.nested_offset;
}

}  // namespace cria::cpu
