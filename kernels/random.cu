// random.cu: uniform and normal numbers of which each depends on the key and its own index only.
//
// The formulas, down to the polynomials, are those of the CPU device (native/cpu/tier/random.cpp), so that a key gives the
// same bits on both: uniform numbers always, normal ones where the CPU's tier has fused multiply-adds.
#include "abi/hash.h"
#include "each.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

// Multiples of 2^-24 in [0, 1).
CRIA_GPU float unit(uint32_t bits) { return float(bits >> 8) * 0x1p-24f; }

// ln u for u in [2^-24, 1]: Cephes' polynomial on [sqrt(1/2), sqrt(2)).
CRIA_GPU float log_unit(float u) {
  const uint32_t bits = bits_of(u);
  float e = float(int(bits >> 23) - 126);
  float m = float_of((bits & 0x007FFFFFu) | 0x3F000000u);  // [0.5, 1)
  if (m < 0.707106781186547524f) {
    e -= 1.0f;
    m = m + m - 1.0f;
  } else {
    m = m - 1.0f;
  }
  const float z = m * m;
  float p = fmaf(7.0376836292e-2f, m, -1.1514610310e-1f);
  p = fmaf(p, m, 1.1676998740e-1f);
  p = fmaf(p, m, -1.2420140846e-1f);
  p = fmaf(p, m, 1.4249322787e-1f);
  p = fmaf(p, m, -1.6668057665e-1f);
  p = fmaf(p, m, 2.0000714765e-1f);
  p = fmaf(p, m, -2.4999993993e-1f);
  p = fmaf(p, m, 3.3333331174e-1f);
  const float tail = fmaf(z, -0.5f, fmaf(e, -2.12194440e-4f, p * m * z));
  return fmaf(e, 0.693359375f, m + tail);
}

// cos(2 pi u) for u in [0, 1): a quarter turn at a time, with Cephes' polynomials on [-pi/4, pi/4].
CRIA_GPU float cos_turn(float u) {
  const float quarter = rintf(u * 4.0f);
  const float r = (u - quarter * 0.25f) * 6.283185307179586f;
  const float z = r * r;
  float s = fmaf(-1.9515295891e-4f, z, 8.3321608736e-3f);
  s = fmaf(fmaf(s, z, -1.6666654611e-1f) * z, r, r);
  float c = fmaf(2.443315711809948e-5f, z, -1.388731625493765e-3f);
  c = fmaf(fmaf(c, z, 4.166664568298827e-2f), z * z, fmaf(z, -0.5f, 1.0f));
  const int q = int(quarter);
  const float value = q & 1 ? s : c;  // cos(r + pi/2) = -sin(r)
  return q == 1 || q == 2 ? -value : value;
}

template <class T>
struct Uniform {
  uint64_t key;
  float low, width;
  float most;  // the largest number below the upper bound, which rounding must not reach
  T *x;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    Vec<T, N> out;
    for (int j = 0; j < N; ++j) {
      out[j] = from_float<T>(fminf(unit(hash(key, uint64_t(i + j))) * width + low, most));
    }
    store_vec(x + i, out);
  }
};

// Box-Muller: sqrt(-2 ln u) cos(2 pi w), u in (0, 1]; w from a second key.
template <class T>
struct Normal {
  uint64_t key;
  float mean, deviation;
  T *x;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    Vec<T, N> out;
    for (int j = 0; j < N; ++j) {
      const float u = unit(hash(key, uint64_t(i + j))) + 0x1p-24f;
      const float w = unit(hash(key ^ 0x9E3779B97F4A7C15u, uint64_t(i + j)));
      out[j] = from_float<T>(fmaf(sqrtf(-2.0f * log_unit(u)) * cos_turn(w), deviation, mean));
    }
    store_vec(x + i, out);
  }
};

}  // namespace

cria_status random_uniform(cria_queue *queue, int64_t n, uint64_t key, float low, float high,
                           cria_dtype dtype, void *x) {
  const float most = low < high ? std::nextafter(high, low) : low;
  const bool vectors = vectors_of_4(n, {x});
  if (dtype == CRIA_F32) {
    each(queue_of(queue), "random_uniform", n, vectors,
         Uniform<float>{key, low, high - low, most, static_cast<float *>(x)});
  } else {
    each(queue_of(queue), "random_uniform", n, vectors,
         Uniform<bf16>{key, low, high - low, most, static_cast<bf16 *>(x)});
  }
  return CRIA_OK;
}

cria_status random_normal(cria_queue *queue, int64_t n, uint64_t key, float mean, float deviation,
                          cria_dtype dtype, void *x) {
  const bool vectors = vectors_of_4(n, {x});
  if (dtype == CRIA_F32) {
    each(queue_of(queue), "random_normal", n, vectors,
         Normal<float>{key, mean, deviation, static_cast<float *>(x)});
  } else {
    each(queue_of(queue), "random_normal", n, vectors,
         Normal<bf16>{key, mean, deviation, static_cast<bf16 *>(x)});
  }
  return CRIA_OK;
}

}  // namespace cria::gpu
