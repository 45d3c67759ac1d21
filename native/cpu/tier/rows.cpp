// rows.cpp: the vector loops of RMSNorm, RoPE and SwiGLU, once per instruction-set tier.
#include "cpu/kernels/rows.h"

#include "cpu/tier/simd.h"

namespace cria::cpu::CRIA_TIER_NS {
namespace {

// The sum over [0, n) of what term(sum, i, lanes) adds, in four interleaved vectors and then a fixed tree. Lanes beyond
// n load as zero, so a term must be zero there.
template <class Term>
inline float sum_terms(int64_t n, const Term &term) {
  vf sum[4] = {};
  int64_t i = 0;
  for (; i + 4 * W <= n; i += 4 * W)
    for (int64_t j = 0; j < 4; j++) sum[j] = term(sum[j], i + j * W, W);
  for (int64_t j = 0; i + W <= n; i += W, j++) sum[j] = term(sum[j], i, W);
  if (i < n) sum[3] = term(sum[3], i, n - i);
  return reduce_add((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

float rmsnorm(int64_t c, float eps, const float *x, const float *gain, float *y) {
  const float squares = sum_terms(c, [x](vf sum, int64_t i, int64_t lanes) {
    const vf xi = load(x + i, lanes);
    return fma(xi, xi, sum);
  });
  const float inv_rms = (float)(1.0 / __builtin_sqrt((double)squares / (double)c + (double)eps));
  for_vectors(c, [=](int64_t i, int64_t lanes) {
    store(y + i, load(gain + i, lanes) * (load(x + i, lanes) * inv_rms), lanes);
  });
  return inv_rms;
}

// With g = gain * dy: dx = r g - x r^3 mean(g x).
void rmsnorm_bwd(int64_t c, const float *x, const float *gain, float inv_rms, const float *dy,
                 int32_t accumulate, float *dx, float *dgain) {
  const float dot = sum_terms(c, [=](vf sum, int64_t i, int64_t lanes) {
    return fma(load(gain + i, lanes) * load(dy + i, lanes), load(x + i, lanes), sum);
  });
  const double r3 = (double)inv_rms * inv_rms * inv_rms;
  const vf minus_mean = set((float)(-r3 * dot / (double)c));
  for_vectors(c, [=](int64_t i, int64_t lanes) {
    const vf xi = load(x + i, lanes), dyi = load(dy + i, lanes);
    const vf base = accumulate ? load(dx + i, lanes) : set(0);
    if (dgain) store(dgain + i, fma(xi * inv_rms, dyi, load(dgain + i, lanes)), lanes);
    store(dx + i, base + fma(minus_mean, xi, inv_rms * (load(gain + i, lanes) * dyi)), lanes);
  });
}

void add_to(int64_t n, const float *x, float *sum) {
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    store(sum + i, load(sum + i, lanes) + load(x + i, lanes), lanes);
  });
}

void rope(int64_t heads, int64_t half, const float *cosine, const float *sine, float sign,
          const float *x, float *y) {
  for (int64_t h = 0; h < heads; h++, x += 2 * half, y += 2 * half) {
    for_vectors(half, [=](int64_t i, int64_t lanes) {
      const vf a = load(x + i, lanes), b = load(x + half + i, lanes);
      const vf c = load(cosine + i, lanes), s = sign * load(sine + i, lanes);
      store(y + i, fma(a, c, -(b * s)), lanes);
      store(y + half + i, fma(b, c, a * s), lanes);
    });
  }
}

struct Sigmoid {
  vf value, complement;  // s and 1 - s, both to full relative precision
};

inline Sigmoid sigmoid_pair(vf z) {
  const vf e = exp(-abs(z));
  const vf large = 1.0f / (e + 1.0f), small = e * large;
  return {z < 0.0f ? small : large, z < 0.0f ? large : small};
}

void swiglu(int64_t n, const float *gate, const float *up, float *y) {
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    const vf z = load(gate + i, lanes);
    store(y + i, z * sigmoid(z) * load(up + i, lanes), lanes);
  });
}

// silu'(z) = s (1 + z (1 - s)).
void swiglu_bwd(int64_t n, const float *gate, const float *up, const float *dy, float *dgate,
                float *dup) {
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    const vf z = load(gate + i, lanes), u = load(up + i, lanes), g = load(dy + i, lanes);
    const Sigmoid s = sigmoid_pair(z);
    store(dgate + i, g * u * (s.value * fma(z, s.complement, set(1))), lanes);
    store(dup + i, g * (z * s.value), lanes);
  });
}

}  // namespace

const RowKernels row_kernels = {rmsnorm, rmsnorm_bwd, add_to, rope, swiglu, swiglu_bwd};

}  // namespace cria::cpu::CRIA_TIER_NS
