// block.h: reductions over a block, in a fixed order.
#pragma once

#include "device/device.h"

namespace cria::gpu {

// Shared memory of a block reduction: one value of 8 bytes for each warp of at most 1024 threads.
constexpr int kReduceBytes = 32 * 8;

// combine(a, b) over the values of all threads, the same result in each: lanes by a butterfly, then warps in order. Uses
// kReduceBytes of shared memory at `offset`, which other values may take only after the next barrier: reductions that follow
// each other take turns between two offsets.
template <int THREADS, class T, class Combine>
CRIA_GPU T block_reduce(T value, uint32_t offset, Combine combine) {
  constexpr int kWarps = THREADS / kWarp;
  for (int step = kWarp / 2; step > 0; step /= 2) value = combine(value, shuffle_xor(value, step));
  if constexpr (kWarps == 1) return value;
  const Shared<T> partial = shared<T>(offset);
  if (lane_index() == 0) partial.store(warp_index(), value);
  block_sync();
  T total = partial.load(0);
  for (int w = 1; w < kWarps; ++w) total = combine(total, partial.load(w));
  return total;
}

struct Sum {
  template <class T>
  CRIA_GPU T operator()(T a, T b) const {
    return a + b;
  }
};

struct Maximum {
  CRIA_GPU float operator()(float a, float b) const { return fmaxf(a, b); }
};

template <int THREADS, class T>
CRIA_GPU T block_sum(T value, uint32_t offset) {
  return block_reduce<THREADS>(value, offset, Sum{});
}

template <int THREADS>
CRIA_GPU float block_max(float value, uint32_t offset) {
  return block_reduce<THREADS>(value, offset, Maximum{});
}

}  // namespace cria::gpu
