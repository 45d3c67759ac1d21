// nf4_decode.h: NF4 codes become the canonical bf16 weights without a look-up in memory.
//
// All weights of a block are among 16 values, bf16(code value * scale). They are computed once per block and kept as two
// planes of bytes, the low and the high halves of the 16 values, 8 registers in all. The nibbles of a code word are then
// selectors of byte_permute as they stand: three permutations give the low bytes of four weights, three the high bytes, and
// two pair them.
#pragma once

#include "nf4_matrix.h"

namespace cria::gpu {

struct Nf4Table {
  Vec<uint32_t, 4> low, high;  // byte i of the 16: that of code i
};

CRIA_GPU Nf4Table nf4_table(const Nf4 &w, float scale) {
  Nf4Table table;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float *c = w.code_map + 4 * i;
    const uint32_t first = pack_bf16(c[0] * scale, c[1] * scale);
    const uint32_t second = pack_bf16(c[2] * scale, c[3] * scale);
    table.low[i] = byte_permute(first, second, 0x6420);
    table.high[i] = byte_permute(first, second, 0x7531);
  }
  return table;
}

// The bytes of four codes: the lower 16 bits of `code` are their lower 3 bits, those of `half` choose by the upper bit.
CRIA_GPU uint32_t select_bytes(const Vec<uint32_t, 4> &plane, uint32_t code, uint32_t half) {
  return byte_permute(byte_permute(plane[0], plane[1], code),
                      byte_permute(plane[2], plane[3], code), half);
}

// The 8 weights of four bytes of codes as pairs of bf16, in order.
CRIA_GPU void nf4_decode(const Nf4Table &table, uint32_t codes, uint32_t (&pairs)[4]) {
  const uint32_t code = codes & 0x77777777u;
  const uint32_t half = (codes >> 1 & 0x44444444u) | 0x32103210u;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const uint32_t low = select_bytes(table.low, code >> 16 * i, half >> 16 * i);
    const uint32_t high = select_bytes(table.high, code >> 16 * i, half >> 16 * i);
    // The first weight of a pair is the upper nibble.
    pairs[2 * i] = byte_permute(low, high, 0x4051);
    pairs[2 * i + 1] = byte_permute(low, high, 0x6273);
  }
}

}  // namespace cria::gpu
