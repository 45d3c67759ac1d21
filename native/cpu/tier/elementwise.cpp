// elementwise.cpp: fill, cast, axpby, unary functions with their derivatives, and binary functions, on vectors.
#include "cpu/kernels/elementwise.h"

#include "cpu/tier/simd.h"

namespace cria::cpu::CRIA_TIER_NS {
namespace {

void fill(int64_t n, float value, float *x) {
  for_vectors(n, [=](int64_t i, int64_t lanes) { store(x + i, set(value), lanes); });
}

void f32_from_bf16(int64_t n, const uint16_t *from, float *to) {
  for_vectors(n, [=](int64_t i, int64_t lanes) { store(to + i, load(from + i, lanes), lanes); });
}

void f32_from_f16(int64_t n, const uint16_t *from, float *to) {
  for_vectors(n,
              [=](int64_t i, int64_t lanes) { store(to + i, load_f16(from + i, lanes), lanes); });
}

void bf16_from_f32(int64_t n, const float *from, uint16_t *to) {
  for_vectors(n, [=](int64_t i, int64_t lanes) { store(to + i, load(from + i, lanes), lanes); });
}

void bf16_from_f16(int64_t n, const uint16_t *from, uint16_t *to) {
  for_vectors(n,
              [=](int64_t i, int64_t lanes) { store(to + i, load_f16(from + i, lanes), lanes); });
}

void axpby(int64_t n, float alpha, const float *x, float beta, float *y) {
  const vf a = set(alpha), b = set(beta);
  if (beta == 0) {
    for_vectors(n, [=](int64_t i, int64_t lanes) { store(y + i, a * load(x + i, lanes), lanes); });
  } else {
    for_vectors(n, [=](int64_t i, int64_t lanes) {
      store(y + i, fma(a, load(x + i, lanes), b * load(y + i, lanes)), lanes);
    });
  }
}

// ---- unary: y = op(x), and dx = dy * op'(x) given x and y

struct Neg {
  static vf y(vf x) { return -x; }
  static vf dx(vf, vf, vf dy) { return -dy; }
};
struct Exp {
  static vf y(vf x) { return exp(x); }
  static vf dx(vf, vf y, vf dy) { return dy * y; }
};
struct Log {
  static vf y(vf x) { return log(x); }
  static vf dx(vf x, vf, vf dy) { return dy / x; }
};
struct Sqrt {
  static vf y(vf x) { return sqrt(x); }
  static vf dx(vf, vf y, vf dy) { return dy * 0.5f / y; }
};
struct Square {
  static vf y(vf x) { return x * x; }
  static vf dx(vf x, vf, vf dy) { return dy * (x + x); }
};
struct Sigmoid {
  static vf y(vf x) { return sigmoid(x); }
  // s(x) s(-x): 1 - y would cancel where y is near 1.
  static vf dx(vf x, vf, vf dy) { return dy * (sigmoid(x) * sigmoid(-x)); }
};
struct LogSigmoid {
  static vf y(vf x) { return log_sigmoid(x); }
  static vf dx(vf x, vf, vf dy) { return dy * sigmoid(-x); }
};
struct Silu {
  static vf y(vf x) { return x * sigmoid(x); }
  static vf dx(vf x, vf, vf dy) { return dy * (sigmoid(x) * fma(x, sigmoid(-x), set(1))); }
};
struct Relu {
  static vf y(vf x) { return x <= 0.0f ? set(0) : x; }
  static vf dx(vf x, vf, vf dy) { return x > 0.0f ? dy : set(0); }
};
struct Tanh {
  static vf y(vf x) { return tanh(x); }
  // 1 - tanh(x)^2 = 4 s(2x) s(-2x)
  static vf dx(vf x, vf, vf dy) { return dy * (4.0f * sigmoid(x + x) * sigmoid(-x - x)); }
};
struct Abs {
  static vf y(vf x) { return abs(x); }
  static vf dx(vf x, vf, vf dy) { return x > 0.0f ? dy : x < 0.0f ? -dy : x * dy; }
};

template <class Op>
void unary(int64_t n, const float *x, float *y) {
  for_vectors(n, [=](int64_t i, int64_t lanes) { store(y + i, Op::y(load(x + i, lanes)), lanes); });
}

template <class Op>
void unary_bwd(int64_t n, const float *x, const float *y, const float *dy, float *dx) {
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    store(dx + i, Op::dx(load(x + i, lanes), load(y + i, lanes), load(dy + i, lanes)), lanes);
  });
}

// ---- binary

struct Add {
  static vf y(vf a, vf b) { return a + b; }
};
struct Sub {
  static vf y(vf a, vf b) { return a - b; }
};
struct Mul {
  static vf y(vf a, vf b) { return a * b; }
};
struct Div {
  static vf y(vf a, vf b) { return a / b; }
};
// NaN in either operand gives NaN.
struct Max {
  static vf y(vf a, vf b) { return is_nan(a) ? a : is_nan(b) ? b : max(a, b); }
};
struct Min {
  static vf y(vf a, vf b) { return is_nan(a) ? a : is_nan(b) ? b : min(a, b); }
};

vf load_strided(const float *p, int64_t stride, int64_t lanes) {
  if (stride == 1) return load(p, lanes);
  if (stride == 0) return set(*p);
  vf v = {};
  for (int64_t i = 0; i < lanes; ++i) v[i] = p[i * stride];
  return v;
}

template <class Op>
void binary(int64_t n, const float *a, int64_t a_stride, const float *b, int64_t b_stride,
            float *y) {
  if (a_stride == 1 && b_stride == 1) {
    for_vectors(n, [=](int64_t i, int64_t lanes) {
      store(y + i, Op::y(load(a + i, lanes), load(b + i, lanes)), lanes);
    });
  } else {
    for_vectors(n, [=](int64_t i, int64_t lanes) {
      store(y + i,
            Op::y(load_strided(a + i * a_stride, a_stride, lanes),
                  load_strided(b + i * b_stride, b_stride, lanes)),
            lanes);
    });
  }
}

}  // namespace

const ElementwiseKernels elementwise_kernels = {
    fill,
    f32_from_bf16,
    f32_from_f16,
    bf16_from_f32,
    bf16_from_f16,
    axpby,
    {unary<Neg>, unary<Exp>, unary<Log>, unary<Sqrt>, unary<Square>, unary<Sigmoid>,
     unary<LogSigmoid>, unary<Silu>, unary<Relu>, unary<Tanh>, unary<Abs>},
    {unary_bwd<Neg>, unary_bwd<Exp>, unary_bwd<Log>, unary_bwd<Sqrt>, unary_bwd<Square>,
     unary_bwd<Sigmoid>, unary_bwd<LogSigmoid>, unary_bwd<Silu>, unary_bwd<Relu>, unary_bwd<Tanh>,
     unary_bwd<Abs>},
    {binary<Add>, binary<Sub>, binary<Mul>, binary<Div>, binary<Max>, binary<Min>},
};

}  // namespace cria::cpu::CRIA_TIER_NS
