// cuda_hopper.h: the primitives of hopper.h as PTX of sm_90a; tests/cuda/ptx compares what each wrapper emits with a golden
// text.
#pragma once

#include "device/cuda.h"
#include "device/tensor_map.h"

namespace cria::gpu {

// ---- Barrier objects

CRIA_GPU void barrier_init(Shared<uint64_t> b, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(b.address()), "r"(arrivals)
               : "memory");
}

CRIA_GPU void barrier_invalidate(Shared<uint64_t> b) {
  asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(b.address()) : "memory");
}

CRIA_GPU void barrier_arrive(Shared<uint64_t> b) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(b.address()) : "memory");
}

CRIA_GPU void barrier_arrive_expect(Shared<uint64_t> b, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(b.address()),
               "r"(bytes)
               : "memory");
}

CRIA_GPU void barrier_wait(Shared<uint64_t> b, int parity) {
  uint32_t ended;
  do {
    asm volatile(
        "{\n\t"
        ".reg .pred p;\n\t"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n\t"
        "selp.u32 %0, 1, 0, p;\n\t"
        "}"
        : "=r"(ended)
        : "r"(b.address()), "r"(parity)
        : "memory");
  } while (ended == 0);
}

CRIA_GPU void proxy_fence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// ---- Copies

template <class T>
CRIA_GPU void tile_load(Shared<T> to, const TensorMap &map, int column, int row,
                        Shared<uint64_t> b) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, "
      "%3}], [%4];" ::"r"(to.address()),
      "l"(&map), "r"(column), "r"(row), "r"(b.address())
      : "memory");
}

CRIA_GPU void tile_prefetch(const TensorMap &map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

// ---- Products

// Swizzled by 128 bytes (1 in the top bits), 8 rows at a stride of 1024 bytes; the leading offset has no meaning then.
CRIA_GPU uint64_t matrix(Shared<bf16> tile, int step = 0) {
  const uint32_t start = tile.address() + uint32_t(step) * 32;
  return uint64_t((start & 0x3FFFFu) >> 4) | uint64_t{1} << 16 | uint64_t{1024 >> 4} << 32 |
         uint64_t{1} << 62;
}

// Operands of inline PTX: sums d[i]...
#define CRIA_SUMS_4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define CRIA_SUMS_16(i) CRIA_SUMS_4(i), CRIA_SUMS_4(i + 4), CRIA_SUMS_4(i + 8), CRIA_SUMS_4(i + 12)
#define CRIA_SUMS_32(i) CRIA_SUMS_16(i), CRIA_SUMS_16(i + 16)
#define CRIA_SUMS_64(i) CRIA_SUMS_32(i), CRIA_SUMS_32(i + 32)
#define CRIA_SUMS_128(i) CRIA_SUMS_64(i), CRIA_SUMS_64(i + 64)
// ... and their text, by tens.
#define CRIA_TEN(t)                                                                                \
  "%" #t "0, %" #t "1, %" #t "2, %" #t "3, %" #t "4, %" #t "5, %" #t "6, %" #t "7, %" #t "8, %" #t \
  "9, "
#define CRIA_TEXT_32 CRIA_TEN() CRIA_TEN(1) CRIA_TEN(2) "%30, %31"
#define CRIA_TEXT_64 \
  CRIA_TEN() CRIA_TEN(1) CRIA_TEN(2) CRIA_TEN(3) CRIA_TEN(4) CRIA_TEN(5) "%60, %61, %62, %63"
#define CRIA_TEXT_128 \
  CRIA_TEN() CRIA_TEN(1) CRIA_TEN(2) CRIA_TEN(3) CRIA_TEN(4) CRIA_TEN(5) CRIA_TEN(6)      \
  CRIA_TEN(7) CRIA_TEN(8) CRIA_TEN(9) CRIA_TEN(10) CRIA_TEN(11) "%120, %121, %122, %123, %124, " \
                                                                "%125, %126, %127"
#define CRIA_WGMMA(n, text, operands)                                                  \
  "{\n\t.reg .pred p;\n\tsetp.eq.u32 p, 0, 0;\n\twgmma.mma_async.sync.aligned.m64n" #n \
  "k16.f32.bf16.bf16 {" text "}, " operands ";\n\t}"

template <int N>
CRIA_GPU void wgmma(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b) {
  static_assert(N == 64 || N == 128 || N == 256);
  if constexpr (N == 64) {
    asm volatile(CRIA_WGMMA(64, CRIA_TEXT_32, "{%32, %33, %34, %35}, %36, p, 1, 1, 0")
                 : CRIA_SUMS_32(0)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  } else if constexpr (N == 128) {
    asm volatile(CRIA_WGMMA(128, CRIA_TEXT_64, "{%64, %65, %66, %67}, %68, p, 1, 1, 0")
                 : CRIA_SUMS_64(0)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  } else {
    asm volatile(CRIA_WGMMA(256, CRIA_TEXT_128, "{%128, %129, %130, %131}, %132, p, 1, 1, 0")
                 : CRIA_SUMS_128(0)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  }
}

template <int N>
CRIA_GPU void wgmma(float (&d)[N / 2], uint64_t a, uint64_t b) {
  static_assert(N == 64 || N == 128 || N == 256);
  if constexpr (N == 64) {
    asm volatile(CRIA_WGMMA(64, CRIA_TEXT_32, "%32, %33, p, 1, 1, 0, 0")
                 : CRIA_SUMS_32(0)
                 : "l"(a), "l"(b));
  } else if constexpr (N == 128) {
    asm volatile(CRIA_WGMMA(128, CRIA_TEXT_64, "%64, %65, p, 1, 1, 0, 0")
                 : CRIA_SUMS_64(0)
                 : "l"(a), "l"(b));
  } else {
    asm volatile(CRIA_WGMMA(256, CRIA_TEXT_128, "%128, %129, p, 1, 1, 0, 0")
                 : CRIA_SUMS_128(0)
                 : "l"(a), "l"(b));
  }
}

CRIA_GPU void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
CRIA_GPU void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int N>
CRIA_GPU void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}
template <int COUNT>
CRIA_GPU void wgmma_hold(float (&d)[COUNT]) {
#pragma unroll
  for (int i = 0; i < COUNT; i++) asm volatile("" : "+f"(d[i])::"memory");
}

// ---- Warp

CRIA_GPU bool elect_one() {
  uint32_t elected;
  asm volatile(
      "{\n\t"
      ".reg .pred p;\n\t"
      "elect.sync _|p, %1;\n\t"
      "selp.u32 %0, 1, 0, p;\n\t"
      "}"
      : "=r"(elected)
      : "r"(kFullWarp));
  return elected != 0;
}
template <int N>
CRIA_GPU void register_increase() {
  static_assert(N % 8 == 0 && N >= 24 && N <= 256);
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N));
}
template <int N>
CRIA_GPU void register_decrease() {
  static_assert(N % 8 == 0 && N >= 24 && N <= 256);
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N));
}

}  // namespace cria::gpu
