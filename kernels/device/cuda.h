// cuda.h: the primitive layer on an NVIDIA GPU. The only file with inline PTX; tests/cuda/ptx compares what each wrapper
// emits with a golden text.
#pragma once

#include "device/types.h"

// `blocks` or as many as fit: a multiprocessor of sm_86 and sm_89 holds 1536 threads, the others 2048.
#if defined(__CUDA_ARCH__) && (__CUDA_ARCH__ == 860 || __CUDA_ARCH__ == 890)
#define CRIA_MOST_BLOCKS(threads) (1536 / (threads))
#else
#define CRIA_MOST_BLOCKS(threads) (2048 / (threads))
#endif
#define CRIA_KERNEL(threads, blocks) \
  __global__ __launch_bounds__(      \
      threads, (blocks) < CRIA_MOST_BLOCKS(threads) ? (blocks) : CRIA_MOST_BLOCKS(threads))

namespace cria::gpu {

CRIA_GPU int thread_index() { return int(threadIdx.x); }
CRIA_GPU int lane_index() { return int(threadIdx.x % unsigned(kWarp)); }
CRIA_GPU int warp_index() { return int(threadIdx.x / unsigned(kWarp)); }
CRIA_GPU int block_x() { return int(blockIdx.x); }
CRIA_GPU int block_y() { return int(blockIdx.y); }
CRIA_GPU int block_z() { return int(blockIdx.z); }
CRIA_GPU int grid_x() { return int(gridDim.x); }
CRIA_GPU int grid_y() { return int(gridDim.y); }
CRIA_GPU int grid_z() { return int(gridDim.z); }

// ---- Global memory

template <class T>
CRIA_GPU T load(const T *p) {
  return *p;
}

template <class T>
CRIA_GPU T load_stream(const T *p) {
  T out;
  if constexpr (sizeof(T) == 16) {
    uint32_t r[4];
    asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "l"(p));
    memcpy(&out, r, 16);
  } else if constexpr (sizeof(T) == 8) {
    uint32_t r[2];
    asm volatile("ld.global.L1::no_allocate.v2.u32 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "l"(p));
    memcpy(&out, r, 8);
  } else if constexpr (sizeof(T) == 4) {
    uint32_t r;
    asm volatile("ld.global.L1::no_allocate.u32 %0, [%1];" : "=r"(r) : "l"(p));
    memcpy(&out, &r, 4);
  } else {
    out = *p;
  }
  return out;
}

template <class T>
CRIA_GPU void store(T *p, T value) {
  *p = value;
}

CRIA_GPU int32_t atomic_add(int32_t *p, int32_t v) { return atomicAdd(p, v); }
CRIA_GPU uint32_t atomic_add(uint32_t *p, uint32_t v) { return atomicAdd(p, v); }
CRIA_GPU uint64_t atomic_add(uint64_t *p, uint64_t v) {
  return atomicAdd(reinterpret_cast<unsigned long long *>(p), static_cast<unsigned long long>(v));
}
CRIA_GPU uint64_t atomic_min(uint64_t *p, uint64_t v) {
  return atomicMin(reinterpret_cast<unsigned long long *>(p), static_cast<unsigned long long>(v));
}

// ---- Shared memory

extern __shared__ __align__(1024) unsigned char shared_memory[];

// An address in the block's dynamic shared memory.
template <class T>
class Shared {
 public:
  CRIA_GPU explicit Shared(uint32_t offset) : offset_(offset) {}
  CRIA_GPU uint32_t offset() const { return offset_; }
  CRIA_GPU Shared operator+(int i) const { return Shared(offset_ + uint32_t(i) * sizeof(T)); }
  template <class U>
  CRIA_GPU Shared<U> as() const {
    return Shared<U>(offset_);
  }
  CRIA_GPU T load(int i = 0) const { return pointer()[i]; }
  CRIA_GPU void store(int i, T value) const { pointer()[i] = value; }
  template <int N>
  CRIA_GPU Vec<T, N> vec(int i = 0) const {
    return *reinterpret_cast<Vec<T, N> *>(pointer() + i);
  }
  template <int N>
  CRIA_GPU void set_vec(int i, Vec<T, N> value) const {
    *reinterpret_cast<Vec<T, N> *>(pointer() + i) = value;
  }
  // The address as PTX wants it.
  CRIA_GPU uint32_t address() const {
    return static_cast<uint32_t>(__cvta_generic_to_shared(shared_memory)) + offset_;
  }

 private:
  CRIA_GPU T *pointer() const { return reinterpret_cast<T *>(shared_memory + offset_); }
  uint32_t offset_;
};

template <class T>
CRIA_GPU Shared<T> shared(uint32_t offset) {
  return Shared<T>(offset);
}

// ---- Asynchronous copies

template <int BYTES, class T>
CRIA_GPU void copy_async(Shared<T> to, const void *from, int valid = BYTES) {
  static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16);
  if constexpr (BYTES == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to.address()), "l"(from),
                 "r"(valid)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to.address()), "l"(from),
                 "n"(BYTES), "r"(valid)
                 : "memory");
  }
}

CRIA_GPU void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

template <int N>
CRIA_GPU void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

// ---- Warp and block

template <class T>
CRIA_GPU T shuffle(T v, int lane, uint32_t mask = kFullWarp) {
  return __shfl_sync(mask, v, lane);
}
template <class T>
CRIA_GPU T shuffle_xor(T v, int bits, uint32_t mask = kFullWarp) {
  return __shfl_xor_sync(mask, v, bits);
}
template <class T>
CRIA_GPU T shuffle_down(T v, int delta, uint32_t mask = kFullWarp) {
  return __shfl_down_sync(mask, v, unsigned(delta));
}
template <class T>
CRIA_GPU T shuffle_up(T v, int delta, uint32_t mask = kFullWarp) {
  return __shfl_up_sync(mask, v, unsigned(delta));
}
CRIA_GPU bool vote_any(bool c, uint32_t mask = kFullWarp) { return __any_sync(mask, c); }
CRIA_GPU bool vote_all(bool c, uint32_t mask = kFullWarp) { return __all_sync(mask, c); }
CRIA_GPU uint32_t ballot(bool c, uint32_t mask = kFullWarp) { return __ballot_sync(mask, c); }
CRIA_GPU void warp_sync(uint32_t mask = kFullWarp) { __syncwarp(mask); }
CRIA_GPU void block_sync() { __syncthreads(); }
CRIA_GPU void named_sync(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// ---- Matrices

template <int N>
CRIA_GPU void load_matrix(uint32_t (&r)[N], Shared<bf16> row) {
  static_assert(N == 1 || N == 2 || N == 4);
  if constexpr (N == 4) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(row.address())
                 : "memory");
  } else if constexpr (N == 2) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(row.address())
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                 : "=r"(r[0])
                 : "r"(row.address())
                 : "memory");
  }
}

template <int N>
CRIA_GPU void load_matrix_transposed(uint32_t (&r)[N], Shared<bf16> row) {
  static_assert(N == 1 || N == 2 || N == 4);
  if constexpr (N == 4) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(row.address())
                 : "memory");
  } else if constexpr (N == 2) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(row.address())
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                 : "=r"(r[0])
                 : "r"(row.address())
                 : "memory");
  }
}

CRIA_GPU void mma_16x8x16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

CRIA_GPU void mma_16x8x8(float (&d)[4], const uint32_t (&a)[2], const uint32_t (&b)[1]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(b[0]));
}

// ---- Bits and math

CRIA_GPU uint32_t byte_permute(uint32_t a, uint32_t b, uint32_t selector) {
  uint32_t d;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(selector));
  return d;
}

template <int LUT>
CRIA_GPU uint32_t lop3(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t d;
  asm("lop3.b32 %0, %1, %2, %3, %4;" : "=r"(d) : "r"(a), "r"(b), "r"(c), "n"(LUT));
  return d;
}

// Two floats rounded to nearest even as a pair of bf16.
CRIA_GPU uint32_t pack_bf16(float low, float high) {
  uint32_t d;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(high), "f"(low));
  return d;
}

CRIA_GPU float exp2_approx(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
CRIA_GPU float rcp_approx(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
CRIA_GPU float rsqrt_approx(float x) {
  float y;
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace cria::gpu
