// hopper.h: the primitives that only sm_90a has, beside those of device.h: on PTX in cuda_hopper.h, on the emulator in
// ../simt/hopper.h.
//
// Barrier objects: 8 bytes of shared memory at a multiple of 8, as Shared<uint64_t>. A phase ends when `arrivals` threads
// have arrived and all bytes announced have been copied; phases have parity 0, 1, 0, ...
//   barrier_init(b, arrivals)        by one thread, then proxy_fence() by it and a barrier of all users
//   barrier_arrive(b)                what the thread did before is seen by those who wait for this phase
//   barrier_arrive_expect(b, bytes)  the same, and announces bytes of tile_load
//   barrier_wait(b, parity)          until the phase of this parity has ended; on a new object parity 1 has
//   barrier_invalidate(b)            the memory may serve another purpose
//
// Copies by the hardware, of tiles (tensor_map.h):
//   tile_load(Shared to, map, column, row, b)  by one thread, to a multiple of 128 bytes, 1024 if swizzled. Elements outside
//                                    of the matrix become zero; always the bytes of a whole tile count. Whoever read there
//                                    before must have told this thread through a barrier object.
//   tile_prefetch(map)               the descriptor itself
//
// Products of a warpgroup: four warps, the first a multiple of 4; all its threads call these from the same place.
//   wgmma<N>(d[N / 2], a[4], b)      d (64, N) += a (64, 16) b (16, N), N 64, 128 or 256, bf16, float sums, asynchronous
//   wgmma<N>(d[N / 2], a, b)         a from shared memory
//     Warp w of the group holds rows 16 w..: d as N / 8 fragments of mma_16x8x16 side by side, a as its fragment. Matrices
//     in shared memory are swizzled tiles with 64 elements in a row: a by rows, b by columns. matrix(tile) is k 0..15,
//     matrix(tile, s) k 16 s..16 s + 15.
//   wgmma_fence()                    before the first product of a group, and after other writes to d or a
//   wgmma_commit()                   closes a group of products
//   wgmma_wait<N>()                  all but the last N groups are done. Before that d and a must live and not be touched, and
//                                    the shared memory that they read must not be written
//   wgmma_hold(d)                    before wgmma_fence and after wgmma_wait: the compiler does not know what happens to d
//                                    between them and must not move copies of it there
//
// proxy_fence(): after a thread's stores to shared memory, before it lets products or tile_load touch that memory.
// elect_one(): true in one lane of the warp, the same one each time.
// register_increase<N>(), register_decrease<N>(): registers of a thread from now on, by all of a warpgroup; N is a multiple
// of 8 in 24..256.
#pragma once

#include "device/device.h"
#include "device/tensor_map.h"

#if defined(CRIA_SIMT)
#include "simt/hopper.h"
#else
#include "device/cuda_hopper.h"
#endif
