// device.h: the primitive layer, all that a kernel may use. Kernels hold no PTX and no CUDA built-in: this layer
// stands once on PTX (cuda.h) and once on the emulator (../simt/device.h), with the same names and meanings.
//
// Rules of kernel code, so that one source is right in both worlds:
//   - A kernel is CRIA_KERNEL(threads, blocks) void name(...): `threads` in a block, a compile-time constant, and the
//     fewest blocks that must fit a multiprocessor. Blocks are one-dimensional. Arguments are values and addresses.
//   - Memory is touched through the functions here only: load/store on global addresses, Shared<T> for shared memory.
//     An access of a Vec needs the alignment of its size.
//   - All shared memory is dynamic; the kernel carves it by byte offsets, multiples of 16.
//   - One synchronising call a line: the mutation run removes them by place.
//   - No return in front of a barrier; no assumption that a warp runs in step: a store to shared memory by one lane is
//     seen by another only after warp_sync() or a wider barrier. Shuffles, votes and mma order no memory.
//   - Collectives (shuffles, votes, load_matrix, mma) are called by all lanes of the mask, from the same place.
//   - Sizes and strides that can pass 2^31 are int64_t. No contraction: a fused multiply-add is written fmaf().
//   - Results may not depend on the order of blocks: no floating-point atomics.
//
// Coordinates           thread_index(), lane_index(), warp_index(), block_x(), block_y(), block_z(), grid_x(), grid_y(), grid_z()
// Global memory         load(p), load_stream(p) (read once: not kept in L1), store(p, value), load_vec<N>(p), store_vec(p, vec)
//                       atomic_add(p, v) on int32/uint32/uint64, atomic_min(p, v) on uint64 (faults and counters only; both
//                       return the old value)
// Shared memory         Shared<T> s = shared<T>(byte offset); s.load(i), s.store(i, value), s.template vec<N>(i),
//                       s.set_vec(i, Vec), s + i, s.template as<U>(), s.offset()
// Asynchronous copies   copy_async<BYTES>(Shared to, p, valid bytes): 4, 8 or 16 bytes, the rest after `valid` zero;
//                       copy_async_commit(), copy_async_wait<N>(): all but the last N groups of this thread have landed
// Warp                  shuffle(v, lane), shuffle_xor(v, mask), shuffle_down(v, delta), shuffle_up(v, delta), vote_any(c), vote_all(c), ballot(c),
//                       warp_sync(); each takes a mask of lanes as last argument, all lanes by default. Values of 4 or 8 bytes.
// Block                 block_sync(), named_sync(id, threads) with id 1..15 and threads a multiple of 32
// Matrices              load_matrix<N>(r, Shared<bf16> row), N 1, 2 or 4 8x8 matrices: lane i gives the address of row i % 8
//                       of matrix i / 8 (16 bytes, aligned) and gets elements 2*(lane%4), +1 of row lane/4 of each;
//                       load_matrix_transposed<N>: the matrices transposed
//                       mma_16x8x16(d[4], a[4], b[2]), mma_16x8x8(d[4], a[2], b[1]): d += a b, bf16 inputs, f32 sums
//     Fragments, g = lane/4, t = lane%4: a0 (row g, k 2t..), a1 (g+8, 2t..), a2 (g, 2t+8..), a3 (g+8, 2t+8..);
//     b0 (k 2t.., column g), b1 (k 2t+8.., column g); d0,d1 (row g, columns 2t, 2t+1), d2,d3 (row g+8). k8: a0, a1, b0.
// Bits                  byte_permute(a, b, selector) (prmt), lop3<LUT>(a, b, c), pack_bf16(low, high), to_bf16(x)
// Math                  exp2_approx, rcp_approx, rsqrt_approx (2 ulp); expf, logf, ... of C
#pragma once

#include <cmath>

#include "device/types.h"

#if defined(CRIA_SIMT)
#include "simt/device.h"
#else
#include "device/cuda.h"
#endif

namespace cria::gpu {

template <int N, class T>
CRIA_GPU Vec<T, N> load_vec(const T *p CRIA_PLACE) {
  return load(reinterpret_cast<const Vec<T, N> *>(p) CRIA_AT_PLACE);
}

template <int N, class T>
CRIA_GPU void store_vec(T *p, Vec<T, N> value CRIA_PLACE) {
  store(reinterpret_cast<Vec<T, N> *>(p), value CRIA_AT_PLACE);
}

// Rounded to nearest even; NaN stays NaN.
CRIA_GPU bf16 to_bf16(float x) { return bf16{uint16_t(pack_bf16(x, 0.0f))}; }

// Sums over the lanes of a warp, the same in each lane, in a fixed order.
template <class T>
CRIA_GPU T warp_sum(T x CRIA_PLACE) {
  for (int step = kWarp / 2; step > 0; step /= 2)
    x += shuffle_xor(x, step, kFullWarp CRIA_AT_PLACE);
  return x;
}

CRIA_GPU float warp_max(float x CRIA_PLACE) {
  for (int step = kWarp / 2; step > 0; step /= 2)
    x = fmaxf(x, shuffle_xor(x, step, kFullWarp CRIA_AT_PLACE));
  return x;
}

}  // namespace cria::gpu
