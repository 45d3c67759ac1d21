// types.h: values that kernels handle whatever runs them: bf16, vectors of up to 16 bytes, and small bit tricks.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(CRIA_SIMT)
#include "simt/site.h"
#define CRIA_GPU inline
#define CRIA_BOTH inline
// Last parameter and argument of a helper that calls primitives in the name of its caller.
#define CRIA_PLACE , simt::Site place = simt::Site::here()
#define CRIA_AT_PLACE , place
#elif !defined(__CUDACC__)  // host files that share types with kernels
#define CRIA_BOTH inline
#else
#define CRIA_PLACE
#define CRIA_AT_PLACE
#define CRIA_GPU __device__ __forceinline__
#define CRIA_BOTH __host__ __device__ __forceinline__
#endif

namespace cria::gpu {

constexpr int kWarp = 32;
constexpr uint32_t kFullWarp = 0xFFFFFFFFu;

// N elements that move as one access of sizeof(T) * N bytes: 2, 4, 8 or 16.
template <class T, int N>
struct alignas(sizeof(T) * N) Vec {
  T v[N];
  CRIA_BOTH T &operator[](int i) { return v[i]; }
  CRIA_BOTH const T &operator[](int i) const { return v[i]; }
};

// The upper half of a float32. Arithmetic is done in float.
struct bf16 {
  uint16_t bits;
};

// IEEE binary16, to read from.
struct f16 {
  uint16_t bits;
};

CRIA_BOTH uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return bits;
}

CRIA_BOTH float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}

CRIA_BOTH float to_float(float x) { return x; }
CRIA_BOTH float to_float(bf16 x) { return float_of(uint32_t(x.bits) << 16); }
CRIA_BOTH float to_float(f16 x) {
  const float magnitude = float_of((x.bits & 0x7FFFu) << 13) * 0x1p112f;
  const uint32_t special = (x.bits & 0x7C00u) == 0x7C00u ? 0x7F800000u : 0;
  return float_of(bits_of(magnitude) | special | (x.bits & 0x8000u) << 16);
}

// Halves of a pair of bf16 in one register, the lower half first in memory.
CRIA_BOTH float low_float(uint32_t pair) { return float_of(pair << 16); }
CRIA_BOTH float high_float(uint32_t pair) { return float_of(pair & 0xFFFF0000u); }

CRIA_BOTH int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
CRIA_BOTH int64_t round_up(int64_t a, int64_t unit) { return divide_up(a, unit) * unit; }
CRIA_BOTH int minimum(int a, int b) { return a < b ? a : b; }
CRIA_BOTH int maximum(int a, int b) { return a > b ? a : b; }
CRIA_BOTH int64_t minimum(int64_t a, int64_t b) { return a < b ? a : b; }
CRIA_BOTH int64_t maximum(int64_t a, int64_t b) { return a > b ? a : b; }

}  // namespace cria::gpu
