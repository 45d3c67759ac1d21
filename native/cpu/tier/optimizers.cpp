// optimizers.cpp: AdamW with moments in float32 or in 8 bits.
#include "cpu/kernels/optimizers.h"

#include "cpu/tier/simd.h"

namespace cria::cpu::CRIA_TIER_NS {
namespace {

void adamw(const AdamWStep &step, int64_t n, float *p, uint16_t *bf16, const float *grad, float *m,
           float *v) {
  for_vectors(n, [&](int64_t i, int64_t lanes) {
    const vf g = load(grad + i, lanes) * step.grad_scale;
    const vf new_m = fma(set(step.beta1), load(m + i, lanes), g * step.rest1);
    const vf new_v = fma(set(step.beta2), load(v + i, lanes), g * g * step.rest2);
    const vf root = fma(sqrt(new_v), set(step.root), set(step.eps));
    const vf new_p = load(p + i, lanes) * step.keep - step.rate * (new_m / root);
    store(m + i, new_m, lanes);
    store(v + i, new_v, lanes);
    store(p + i, new_p, lanes);
    if (bf16) store(bf16 + i, new_p, lanes);
  });
}

CRIA_INLINE float largest_magnitude(int64_t n, const float *x) {
  vi most = {};  // the bits of |x|, which order like the numbers; NaN above all
  for_vectors(n, [&](int64_t i, int64_t lanes) {
    const vi bits = (vi)abs(load(x + i, lanes));
    most = bits > most ? bits : most;
  });
  int32_t result = 0;
  for (int64_t i = 0; i < W; ++i) result = most[i] > result ? most[i] : result;
  float value;
  __builtin_memcpy(&value, &result, sizeof value);
  return value;
}

CRIA_INLINE float reciprocal(float largest) {
  return 1.0f / (largest < kLeastMaximum ? kLeastMaximum : largest);
}

void adamw8(const AdamWStep &step, int64_t n, float *p, uint16_t *bf16, const float *grad,
            const Moments8 &moments) {
  const DynamicMap &m_map = *moments.m_map, &v_map = *moments.v_map;
  float m[256], v[256];
  const float m_scale = *moments.m_absmax, v_scale = *moments.v_absmax;
  for (int64_t i = 0; i < n; ++i) m[i] = m_map.values[moments.m_codes[i]] * m_scale;
  for (int64_t i = 0; i < n; ++i) v[i] = v_map.values[moments.v_codes[i]] * v_scale;
  adamw(step, n, p, bf16, grad, m, v);
  *moments.m_absmax = largest_magnitude(n, m);
  *moments.v_absmax = largest_magnitude(n, v);
  const float m_inverse = reciprocal(*moments.m_absmax), v_inverse = reciprocal(*moments.v_absmax);
  for (int64_t i = 0; i < n; ++i) {
    const uint8_t code = nearest_code(m_map, m[i] * m_inverse);
    // A negative moment must not be stored as 0, which counts as positive: one code down.
    moments.m_codes[i] = (uint8_t)(code - (m[i] < 0 && m_map.values[code] >= 0));
  }
  for (int64_t i = 0; i < n; ++i) moments.v_codes[i] = nearest_code(v_map, v[i] * v_inverse);
}

}  // namespace

const OptimizerKernels optimizer_kernels = {adamw, adamw8};

}  // namespace cria::cpu::CRIA_TIER_NS
