// each.h: launches of operations that map elements to elements.
#pragma once

#include "device/device.h"
#include "host/launch.h"

namespace cria::gpu {

constexpr int kEachThreads = 256;

template <class T>
CRIA_GPU T from_float(float x) {
  if constexpr (sizeof(T) == sizeof(bf16)) {
    return to_bf16(x);
  } else {
    return x;
  }
}

template <int N, class Op>
CRIA_KERNEL(kEachThreads, 6)
void each_kernel(int64_t n, Op op) {
  const int64_t i = (int64_t(block_x()) * kEachThreads + thread_index()) * N;
  if (i < n) op.template at<N>(i);
}

// Calls op.at<N>(i) for every i < n that is a multiple of N, one thread each: with N = 4 if `vectors`, for which n must be a
// multiple of 4, else with N = 1. The method handles elements [i, i + N); it reads all of its inputs before it writes, so
// that the operation may be done in place.
template <class Op>
void each(GpuQueue &queue, const char *name, int64_t n, bool vectors, Op op) {
  const int64_t threads = vectors ? n / 4 : n;
  launch(queue, name, vectors ? &each_kernel<4, Op> : &each_kernel<1, Op>,
         {divide_up(threads, kEachThreads)}, kEachThreads, 0, n, op);
}

}  // namespace cria::gpu
