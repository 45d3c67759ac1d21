// rows.cpp: the vector loops of RMSNorm, RoPE and SwiGLU, once per instruction-set tier.
#include "cpu/kernels/rows.h"

#include <cmath>

#include "cpu/tier/vec.h"

namespace cria::cpu::CRIA_TIER_NS {
namespace {

// body(i, load, store) over [0, n): whole vectors first, then one partial vector.
template <class Body>
inline void each_vector(int64_t n, const Body &body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, vload, vstore);
  if (int64_t rest = n - i) {
    body(
        i, [rest](const float *p) { return vload_part(p, rest); },
        [rest](float *p, Vec x) { vstore_part(p, x, rest); });
  }
}

// The sum over [0, n) of term(i, load), in four interleaved partial vectors and then a fixed tree. Lanes beyond n load
// as zero, so a term must be zero there.
template <class Term>
inline float sum_terms(int64_t n, const Term &term) {
  Vec sum[4] = {vset(0), vset(0), vset(0), vset(0)};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes)
    for (int64_t j = 0; j < 4; j++) sum[j] = term(sum[j], i + j * kLanes, vload);
  for (int64_t j = 0; i + kLanes <= n; i += kLanes, j++) sum[j] = term(sum[j], i, vload);
  if (int64_t rest = n - i)
    sum[3] = term(sum[3], i, [rest](const float *p) { return vload_part(p, rest); });
  return vsum(vadd(vadd(sum[0], sum[1]), vadd(sum[2], sum[3])));
}

float rmsnorm(int64_t c, float eps, const float *x, const float *gain, float *y) {
  const float squares = sum_terms(c, [x](Vec sum, int64_t i, auto load) {
    const Vec xi = load(x + i);
    return vfma(xi, xi, sum);
  });
  const float inv_rms = (float)(1.0 / std::sqrt((double)squares / (double)c + (double)eps));
  const Vec r = vset(inv_rms);
  each_vector(c, [=](int64_t i, auto load, auto store) {
    store(y + i, vmul(load(gain + i), vmul(load(x + i), r)));
  });
  return inv_rms;
}

// With g = gain * dy: dx = r g - x r^3 mean(g x).
void rmsnorm_bwd(int64_t c, const float *x, const float *gain, float inv_rms, const float *dy,
                 int32_t accumulate, float *dx, float *dgain) {
  const float dot = sum_terms(c, [=](Vec sum, int64_t i, auto load) {
    return vfma(vmul(load(gain + i), load(dy + i)), load(x + i), sum);
  });
  const double r3 = (double)inv_rms * inv_rms * inv_rms;
  const Vec r = vset(inv_rms), minus_mean = vset((float)(-r3 * dot / (double)c));
  each_vector(c, [=](int64_t i, auto load, auto store) {
    const Vec xi = load(x + i), dyi = load(dy + i);
    const Vec base = accumulate ? load(dx + i) : vset(0);
    if (dgain) store(dgain + i, vfma(vmul(xi, r), dyi, load(dgain + i)));
    store(dx + i, vadd(base, vfma(minus_mean, xi, vmul(r, vmul(load(gain + i), dyi)))));
  });
}

void add_to(int64_t n, const float *x, float *sum) {
  each_vector(n, [=](int64_t i, auto load, auto store) {
    store(sum + i, vadd(load(sum + i), load(x + i)));
  });
}

void rope(int64_t heads, int64_t half, const float *cosine, const float *sine, float sign,
          const float *x, float *y) {
  const Vec turn = vset(sign);
  for (int64_t h = 0; h < heads; h++, x += 2 * half, y += 2 * half) {
    each_vector(half, [=](int64_t i, auto load, auto store) {
      const Vec a = load(x + i), b = load(x + half + i);
      const Vec c = load(cosine + i), s = vmul(turn, load(sine + i));
      store(y + i, vsub(vmul(a, c), vmul(b, s)));
      store(y + half + i, vfma(b, c, vmul(a, s)));
    });
  }
}

struct Sigmoid {
  Vec value, complement;  // s and 1 - s, both to full relative precision
};

// From exp(-|z|), which never overflows.
inline Sigmoid sigmoid(Vec z) {
  // log2(e) in two parts: the product's rounding error would otherwise grow with |z|.
  const Vec a = vmax(vset(-88), vsub(vset(0), vabs(z)));
  const Vec high = vmul(a, vset(1.44269502f));
  const Vec low = vfma(a, vset(1.92596299e-8f), vfma(a, vset(1.44269502f), vsub(vset(0), high)));
  const Vec e = vmul(vexp2(high), vfma(low, vset(0.693147181f), vset(1)));
  const Vec big = vdiv(vset(1), vadd(vset(1), e));
  const Vec small = vmul(e, big);
  return {vselect_negative(z, small, big), vselect_negative(z, big, small)};
}

void swiglu(int64_t n, const float *gate, const float *up, float *y) {
  each_vector(n, [=](int64_t i, auto load, auto store) {
    const Vec z = load(gate + i);
    store(y + i, vmul(vmul(z, sigmoid(z).value), load(up + i)));
  });
}

// silu'(z) = s (1 + z (1 - s)).
void swiglu_bwd(int64_t n, const float *gate, const float *up, const float *dy, float *dgate,
                float *dup) {
  each_vector(n, [=](int64_t i, auto load, auto store) {
    const Vec z = load(gate + i), u = load(up + i), d = load(dy + i);
    const Sigmoid s = sigmoid(z);
    store(dgate + i, vmul(vmul(d, u), vmul(s.value, vfma(z, s.complement, vset(1)))));
    store(dup + i, vmul(d, vmul(z, s.value)));
  });
}

}  // namespace

const RowKernels row_kernels = {rmsnorm, rmsnorm_bwd, add_to, rope, swiglu, swiglu_bwd};

}  // namespace cria::cpu::CRIA_TIER_NS
