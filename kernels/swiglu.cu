// swiglu.cu: y = silu(gate) * up, silu(z) = z s(z), s(z) = 1 / (1 + exp(-z)) (Shazeer 2020), and its backward pass.
//
// Bound by memory. No operation saves s: it is cheaper to compute again than to read.
#include "each.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

struct Sigmoid {
  float value, complement;  // s and 1 - s, both to full relative precision
};

CRIA_GPU Sigmoid sigmoid_pair(float z) {
  const float e = expf(-fabsf(z)), large = 1.0f / (1.0f + e), small = e * large;
  return z < 0 ? Sigmoid{small, large} : Sigmoid{large, small};
}

struct SwiGlu {
  const float *gate, *up;
  float *y;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    const Vec<float, N> z = load_vec<N>(gate + i), u = load_vec<N>(up + i);
    Vec<float, N> out;
    for (int j = 0; j < N; ++j) out[j] = z[j] * sigmoid_pair(z[j]).value * u[j];
    store_vec(y + i, out);
  }
};

// silu'(z) = s (1 + z (1 - s)).
struct SwiGluBackward {
  const float *gate, *up, *dy;
  float *dgate, *dup;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    const Vec<float, N> z = load_vec<N>(gate + i), u = load_vec<N>(up + i), g = load_vec<N>(dy + i);
    Vec<float, N> dz, du;
    for (int j = 0; j < N; ++j) {
      const Sigmoid s = sigmoid_pair(z[j]);
      dz[j] = g[j] * u[j] * (s.value * fmaf(z[j], s.complement, 1.0f));
      du[j] = g[j] * (z[j] * s.value);
    }
    store_vec(dgate + i, dz);
    store_vec(dup + i, du);
  }
};

}  // namespace

cria_status swiglu(cria_queue *queue, int64_t n, const float *gate, const float *up, float *y) {
  each(queue_of(queue), "swiglu", n, vectors_of_4(n, {gate, up, y}), SwiGlu{gate, up, y});
  return CRIA_OK;
}

cria_status swiglu_bwd(cria_queue *queue, int64_t n, const float *gate, const float *up,
                       const float *dy, float *dgate, float *dup) {
  each(queue_of(queue), "swiglu_bwd", n, vectors_of_4(n, {gate, up, dy, dgate, dup}),
       SwiGluBackward{gate, up, dy, dgate, dup});
  return CRIA_OK;
}

}  // namespace cria::gpu
