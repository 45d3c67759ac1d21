// split.h: float32 products on tensor cores. A float is the sum of three bf16 (24 bits in parts of 8), so six products of
// parts give the product of two floats to 2^-26; only part pairs below that are left out. (The idea is that of the
// emulated single precision of Henry, Tang & Heinecke 2019.)
//
// The reduction steps of an mma may be dealt to the lanes at will if both operands agree: here lane t of a quad owns steps
// 4t to 4t+3 of 16, which it loads at once.
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

using Four = Vec<float, 4>;

// The fragment of rows g and g + 8 from the four steps of each that this lane owns.
CRIA_GPU Split<4> split_rows(Four upper, Four lower) {
  Split<4> a;
  a.set(0, upper[0], upper[1]);
  a.set(1, lower[0], lower[1]);
  a.set(2, upper[2], upper[3]);
  a.set(3, lower[2], lower[3]);
  return a;
}

// The fragment of column g.
CRIA_GPU Split<2> split_column(Four column) {
  Split<2> b;
  b.set(0, column[0], column[1]);
  b.set(1, column[2], column[3]);
  return b;
}

// d += a b to float32 accuracy, the small products first.
CRIA_GPU void mma_split(float (&d)[4], const Split<4> &a, const Split<2> &b) {
#pragma unroll
  for (int sum = 2; sum >= 0; --sum) {
#pragma unroll
    for (int i = 0; i <= sum; ++i) mma_16x8x16(d, a.part[i], b.part[sum - i]);
  }
}

// p[0] to p[3], zeros from `count` on. vectors: p is aligned to 16 bytes wherever count > 0, and count is then no less than 4.
CRIA_GPU Four load_four(const float *p, int64_t count, bool vectors) {
  Four v{};
  if (vectors) {
    if (count > 0) v = load_vec<4>(p);
    return v;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (i < count) v[i] = load(p + i);
  }
  return v;
}

// The same of elements `stride` apart.
CRIA_GPU Four load_four_across(const float *p, int64_t stride, int64_t count) {
  Four v{};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (i < count) v[i] = load(p + i * stride);
  }
  return v;
}

// sums += left right^T, left (16 ROWS, rank), right (8 COLUMNS, rank): the tiles of a warp. left(i, half, r) gives four values
// of row 16 i + 8 half + g from r on, right(j, r) of column 8 j + g.
template <int ROWS, int COLUMNS, class Left, class Right>
CRIA_GPU void add_narrow(float (&sums)[ROWS][COLUMNS][4], int64_t rank, Left left, Right right) {
  static_assert(COLUMNS % 4 == 0);
  for (int64_t first = 0; first < rank; first += 16) {
    const int64_t r = first + lane_index() % 4 * 4;
    // Four columns at a time, for the sake of registers.
#pragma unroll
    for (int begin = 0; begin < COLUMNS; begin += 4) {
      Split<2> b[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) b[j] = split_column(right(begin + j, r));
#pragma unroll
      for (int i = 0; i < ROWS; ++i) {
        const Split<4> a = split_rows(left(i, 0, r), left(i, 1, r));
#pragma unroll
        for (int j = 0; j < 4; ++j) mma_split(sums[i][begin + j], a, b[j]);
      }
    }
  }
}

}  // namespace cria::gpu
