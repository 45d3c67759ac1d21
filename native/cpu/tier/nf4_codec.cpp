// nf4_codec.cpp: NF4 quantisation of blocks: maximum, scaling by its reciprocal, counting of thresholds, packing.
#include "cpu/kernels/nf4_codec.h"

#include "cpu/tier/simd.h"

namespace cria::cpu::CRIA_TIER_NS {
namespace {

typedef uint8_t vb __attribute__((vector_size(W)));

constexpr int64_t kLargestBlock = 4096;

struct F32 {
  static constexpr int64_t kBytes = 4;
  static __attribute__((always_inline)) inline vf at(const void *w, int64_t i, int64_t lanes) {
    return load((const float *)w + i, lanes);
  }
};
struct Bf16 {
  static constexpr int64_t kBytes = 2;
  static __attribute__((always_inline)) inline vf at(const void *w, int64_t i, int64_t lanes) {
    return load_bf16((const uint16_t *)w + i, lanes);
  }
};
struct F16 {
  static constexpr int64_t kBytes = 2;
  static __attribute__((always_inline)) inline vf at(const void *w, int64_t i, int64_t lanes) {
    return load_f16((const uint16_t *)w + i, lanes);
  }
};

// The largest |w| of a block as bits, which order like the numbers; above all of them what is not finite.
template <class Type>
CRIA_INLINE int32_t largest_bits(int64_t n, const void *w) {
  vi most = {};
  for_vectors(n, [&](int64_t i, int64_t lanes) {
    const vi bits = (vi)abs(Type::at(w, i, lanes));
    most = bits > most ? bits : most;
  });
  int32_t result = 0;
  for (int64_t i = 0; i < W; ++i) result = most[i] > result ? most[i] : result;
  return result;
}

template <class Type>
int64_t first_not_finite(int64_t n, const void *w) {
  for (int64_t i = 0; i < n; ++i) {
    const float v = Type::at((const char *)w + i * Type::kBytes, 0, 1)[0];
    if (!(v - v == 0)) return i;
  }
  return -1;
}

template <class Type>
int64_t quantize(int64_t n, int64_t block_size, const float *bounds, const void *w, uint8_t *codes,
                 float *absmax) {
  // Codes of one block, one per byte; the extra element pads an odd tail.
  uint8_t loose[kLargestBlock + W] = {};
  for (int64_t begin = 0, block = 0; begin < n; begin += block_size, ++block) {
    const int64_t count = n - begin < block_size ? n - begin : block_size;
    const char *from = (const char *)w + begin * Type::kBytes;
    const int32_t bits = largest_bits<Type>(count, from);
    if (bits >= 0x7F800000) return begin + first_not_finite<Type>(count, from);
    __builtin_memcpy(absmax + block, &bits, 4);
    // As bitsandbytes: the reciprocal of a zero or denormal maximum stays finite, so zeros get code 7.
    const float reciprocal = 1.0f / (absmax[block] > 1e-38f ? absmax[block] : 1e-38f);
    for_vectors(count, [&](int64_t i, int64_t lanes) {
      const vf v = Type::at(from, i, lanes) * reciprocal;
      vi code = {};
      for (int t = 0; t < 15; ++t) code -= v > bounds[t];  // a true comparison is -1
      const vb bytes = __builtin_convertvector(code, vb);
      __builtin_memcpy(loose + i, &bytes, sizeof bytes);  // lanes beyond are zeros: code 7
    });
    uint8_t *to = codes + begin / 2;
    for (int64_t j = 0; j < (count + 1) / 2; ++j) {
      to[j] = (uint8_t)(loose[2 * j] << 4 | loose[2 * j + 1]);
    }
  }
  return -1;
}

}  // namespace

const Nf4Kernels nf4_kernels = {{quantize<F32>, quantize<Bf16>, quantize<F16>}};

}  // namespace cria::cpu::CRIA_TIER_NS
