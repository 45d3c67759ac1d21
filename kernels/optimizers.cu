// optimizers.cu: AdamW (Loshchilov & Hutter 2019), with moments in float32 or in 8 bits (Dettmers et al. 2022).
//
// Bound by memory: 28 bytes a parameter with float32 moments, 16 with 8-bit ones, 2 more for the bf16 copy. In 8 bits a block
// of threads takes whole blocks of 256 parameters. The maps stand in shared memory: the values by code and, for the nearest
// code, the bounds between values as a binary tree in level order, whose upper levels fall into different banks.
#include "abi/adamw.h"
#include "abi/dynamic_map.h"
#include "device/block.h"
#include "each.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

// One parameter: moves the moments and returns the new value.
CRIA_GPU float step_parameter(const AdamWStep &s, float p, float grad, float &m, float &v) {
  const float g = grad * s.grad_scale;
  m = fmaf(s.beta1, m, g * s.rest1);
  v = fmaf(s.beta2, v, g * g * s.rest2);
  return p * s.keep - s.rate * (m / fmaf(sqrtf(v), s.root, s.eps));
}

struct AdamW {
  AdamWStep step;
  float *p;
  bf16 *copy;  // may be null
  const float *grad;
  float *m, *v;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    const Vec<float, N> g = load_vec<N>(grad + i);
    Vec<float, N> new_p = load_vec<N>(p + i), new_m = load_vec<N>(m + i),
                  new_v = load_vec<N>(v + i);
    Vec<bf16, N> rounded;
    for (int j = 0; j < N; ++j) {
      new_p[j] = step_parameter(step, new_p[j], g[j], new_m[j], new_v[j]);
      rounded[j] = to_bf16(new_p[j]);
    }
    store_vec(p + i, new_p);
    store_vec(m + i, new_m);
    store_vec(v + i, new_v);
    if (copy) store_vec(copy + i, rounded);
  }
};

constexpr int kThreads = int(kMomentBlock);
constexpr int64_t kMostBlocks =
    2048;  // of threads: enough for any GPU, so that more parameters share the maps

// A dynamic map in shared memory.
struct SharedMap {
  static constexpr int kBytes = 2 * 256 * 4;
  const Shared<float> values;  // by code
  const Shared<float>
      bounds;  // node k = 1 ... 255 of the tree of bounds between values; its children are 2k, 2k + 1

  CRIA_GPU explicit SharedMap(uint32_t offset)
      : values(shared<float>(offset)), bounds(shared<float>(offset + 256 * 4)) {}

  // Each of 256 threads fills its places.
  CRIA_GPU void fill(bool has_sign) const {
    const int k = thread_index();
    values.store(k, dynamic_value(has_sign, k));
    if (k == 0) return;
    int level = 0;
    while (k >> (level + 1)) ++level;
    const int code = ((2 * k + 1) << (7 - level)) -
                     257;  // in order, the tree's nodes are the bounds of codes 0 ... 254
    bounds.store(k, (dynamic_value(has_sign, code) + dynamic_value(has_sign, code + 1)) / 2);
  }

  // The number of bounds below x: the nearest value, the lower one on a tie; 0 for NaN.
  CRIA_GPU int nearest(float x) const {
    int k = 1;
    for (int level = 0; level < 8; ++level) k = 2 * k + (x > bounds.load(k));
    return k - 256;
  }
};

CRIA_GPU float reciprocal(float largest) {
  return 1.0f / (largest < kLeastMaximum ? kLeastMaximum : largest);
}

// The largest of the upper and of the lower halves.
struct MaximumOfHalves {
  CRIA_GPU uint64_t operator()(uint64_t a, uint64_t b) const {
    const uint64_t upper = a >> 32 > b >> 32 ? a : b;
    const uint32_t lower = uint32_t(a) > uint32_t(b) ? uint32_t(a) : uint32_t(b);
    return upper >> 32 << 32 | lower;
  }
};

CRIA_KERNEL(kThreads, 6)
void adamw8_kernel(int64_t n, AdamWStep step, float *p, bf16 *copy, const float *grad,
                   uint8_t *m_codes, float *m_absmax, uint8_t *v_codes, float *v_absmax) {
  const SharedMap m_map(2 * kReduceBytes), v_map(2 * kReduceBytes + SharedMap::kBytes);
  m_map.fill(true);
  v_map.fill(false);
  block_sync();
  uint32_t turn = 0;
  for (int64_t block = block_x(); block * kMomentBlock < n; block += grid_x()) {
    const int64_t i = block * kMomentBlock + thread_index();
    const bool inside = i < n;
    float m = 0, v = 0;
    if (inside) {
      m = m_map.values.load(load(m_codes + i)) * load(m_absmax + block);
      v = v_map.values.load(load(v_codes + i)) * load(v_absmax + block);
      const float new_p = step_parameter(step, load(p + i), load(grad + i), m, v);
      store(p + i, new_p);
      if (copy) store(copy + i, to_bf16(new_p));
    }
    // The bits of magnitudes order like the numbers, NaN above all.
    uint64_t most = uint64_t(bits_of(fabsf(m))) << 32 | bits_of(fabsf(v));
    most = block_reduce<kThreads>(most, turn * kReduceBytes, MaximumOfHalves{});
    turn ^= 1;
    const float m_most = float_of(uint32_t(most >> 32)), v_most = float_of(uint32_t(most));
    if (inside) {
      const int code = m_map.nearest(m * reciprocal(m_most));
      // A negative moment must not be stored as 0, which counts as positive: one code down.
      store(m_codes + i, uint8_t(code - (m < 0 && code >= 127)));
      store(v_codes + i, uint8_t(v_map.nearest(v * reciprocal(v_most))));
    }
    if (thread_index() == 0) {
      store(m_absmax + block, m_most);
      store(v_absmax + block, v_most);
    }
  }
}

}  // namespace

cria_status adamw(cria_queue *queue, int64_t n, float *p, void *bf16_copy, const float *grad,
                  float grad_scale, float lr, double beta1, double beta2, float eps, float decay,
                  int64_t step, float *m, float *v) {
  each(queue_of(queue), "adamw", n, vectors_of_4(n, {p, bf16_copy, grad, m, v}),
       AdamW{adamw_step(grad_scale, lr, beta1, beta2, eps, decay, step), p,
             static_cast<bf16 *>(bf16_copy), grad, m, v});
  return CRIA_OK;
}

cria_status adamw8(cria_queue *queue, int64_t n, float *p, void *bf16_copy, const float *grad,
                   float grad_scale, float lr, double beta1, double beta2, float eps, float decay,
                   int64_t step, uint8_t *m_codes, float *m_absmax, uint8_t *v_codes,
                   float *v_absmax) {
  launch(queue_of(queue), "adamw8", &adamw8_kernel,
         {minimum(divide_up(n, kMomentBlock), kMostBlocks)}, kThreads,
         2 * kReduceBytes + 2 * SharedMap::kBytes, n,
         adamw_step(grad_scale, lr, beta1, beta2, eps, decay, step), p, bf16_copy, grad, m_codes,
         m_absmax, v_codes, v_absmax);
  return CRIA_OK;
}

}  // namespace cria::gpu
