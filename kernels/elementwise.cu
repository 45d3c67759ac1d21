// elementwise.cu: fill, cast, a x + b y, sums, unary functions with their derivatives, and values spread over segments.
//
// Bound by memory: a thread moves 16 bytes an access where alignment allows. Where sigmoids cancel (1 - s(x)), s(-x) is used.
#include "each.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

struct Fill {
  float value;
  float *x;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    Vec<float, N> out;
    for (int j = 0; j < N; ++j) out[j] = value;
    store_vec(x + i, out);
  }
};

// ---- cast

template <class From, class To>
struct Cast {
  const From *from;
  To *to;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    const Vec<From, N> in = load_vec<N>(from + i);
    Vec<To, N> out;
    for (int j = 0; j < N; ++j) out[j] = from_float<To>(to_float(in[j]));
    store_vec(to + i, out);
  }
};

template <class From, class To>
void cast_each(cria_queue *queue, int64_t n, const void *from, void *to) {
  each(queue_of(queue), "cast", n, vectors_of_4(n, {from, to}),
       Cast<From, To>{static_cast<const From *>(from), static_cast<To *>(to)});
}

// ---- sums

struct Axpby {
  float alpha;
  const float *x;
  float beta;
  float *y;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    const Vec<float, N> in = load_vec<N>(x + i);
    Vec<float, N> out;
    for (int j = 0; j < N; ++j) out[j] = alpha * in[j];
    if (beta != 0) {
      const Vec<float, N> old = load_vec<N>(y + i);
      for (int j = 0; j < N; ++j) out[j] = fmaf(alpha, in[j], beta * old[j]);
    }
    store_vec(y + i, out);
  }
};

struct Add {
  const float *a, *b;
  float *y;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    const Vec<float, N> p = load_vec<N>(a + i), q = load_vec<N>(b + i);
    Vec<float, N> out;
    for (int j = 0; j < N; ++j) out[j] = p[j] + q[j];
    store_vec(y + i, out);
  }
};

// ---- unary: y = op(x), and dx = dy * op'(x) given x or y

CRIA_GPU float sigmoid(float x) {
  const float e = expf(-fabsf(x)), large = 1.0f / (1.0f + e);
  return x < 0 ? e * large : large;
}

CRIA_GPU float value_of(cria_unary_op op, float x) {
  switch (op) {
    case CRIA_NEG:
      return -x;
    case CRIA_EXP:
      return expf(x);
    case CRIA_LOG:
      return logf(x);
    case CRIA_SQRT:
      return sqrtf(x);
    case CRIA_SQUARE:
      return x * x;
    case CRIA_SIGMOID:
      return sigmoid(x);
    case CRIA_LOG_SIGMOID:
      return fminf(x, 0.0f) - log1pf(expf(-fabsf(x)));
    case CRIA_SILU:
      return x * sigmoid(x);
    case CRIA_RELU:
      return x <= 0 ? 0.0f : x;
    case CRIA_TANH:
      return tanhf(x);
    default:
      return fabsf(x);
  }
}

// Whether the derivative is taken from y = op(x); else it is from x.
bool derived_from_output(cria_unary_op op) { return op == CRIA_EXP || op == CRIA_SQRT; }

// x: op's input, or its output by the function above.
CRIA_GPU float gradient_of(cria_unary_op op, float x, float dy) {
  switch (op) {
    case CRIA_NEG:
      return -dy;
    case CRIA_EXP:
      return dy * x;
    case CRIA_LOG:
      return dy / x;
    case CRIA_SQRT:
      return dy * 0.5f / x;
    case CRIA_SQUARE:
      return dy * (x + x);
    case CRIA_SIGMOID:
      return dy * (sigmoid(x) * sigmoid(-x));
    case CRIA_LOG_SIGMOID:
      return dy * sigmoid(-x);
    case CRIA_SILU:
      return dy * (sigmoid(x) * fmaf(x, sigmoid(-x), 1.0f));
    case CRIA_RELU:
      return x > 0 ? dy : 0.0f;
    case CRIA_TANH:  // 1 - tanh(x)^2
      return dy * (4.0f * sigmoid(x + x) * sigmoid(-x - x));
    default:
      return x > 0 ? dy : x < 0 ? -dy : x * dy;
  }
}

struct Unary {
  cria_unary_op op;
  const float *x;
  float *y;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    const Vec<float, N> in = load_vec<N>(x + i);
    Vec<float, N> out;
    for (int j = 0; j < N; ++j) out[j] = value_of(op, in[j]);
    store_vec(y + i, out);
  }
};

struct UnaryBackward {
  cria_unary_op op;
  const float *x, *dy;
  float *dx;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    const Vec<float, N> in = load_vec<N>(x + i), grad = load_vec<N>(dy + i);
    Vec<float, N> out;
    for (int j = 0; j < N; ++j) out[j] = gradient_of(op, in[j], grad[j]);
    store_vec(dx + i, out);
  }
};

// One block a segment.
CRIA_KERNEL(kEachThreads, 6)
void segment_broadcast_kernel(const int32_t *offsets, const float *y, float *x) {
  const int64_t end = load(offsets + block_x() + 1);
  const float value = load(y + block_x());
  for (int64_t i = load(offsets + block_x()) + thread_index(); i < end; i += kEachThreads) {
    store(x + i, value);
  }
}

}  // namespace

cria_status fill(cria_queue *queue, int64_t n, float value, float *x) {
  each(queue_of(queue), "fill", n, vectors_of_4(n, {x}), Fill{value, x});
  return CRIA_OK;
}

cria_status cast(cria_queue *queue, int64_t n, cria_dtype from_dtype, const void *from,
                 cria_dtype to_dtype, void *to) {
  if (from_dtype == to_dtype) return copy(queue, n * (from_dtype == CRIA_F32 ? 4 : 2), from, to);
  if (from_dtype == CRIA_F32) {
    cast_each<float, bf16>(queue, n, from, to);
  } else if (from_dtype == CRIA_BF16) {
    cast_each<bf16, float>(queue, n, from, to);
  } else if (to_dtype == CRIA_F32) {
    cast_each<f16, float>(queue, n, from, to);
  } else {
    cast_each<f16, bf16>(queue, n, from, to);
  }
  return CRIA_OK;
}

cria_status axpby(cria_queue *queue, int64_t n, float alpha, const float *x, float beta, float *y) {
  each(queue_of(queue), "axpby", n, vectors_of_4(n, {x, y}), Axpby{alpha, x, beta, y});
  return CRIA_OK;
}

cria_status add(cria_queue *queue, int64_t n, const float *a, const float *b, float *y) {
  each(queue_of(queue), "add", n, vectors_of_4(n, {a, b, y}), Add{a, b, y});
  return CRIA_OK;
}

cria_status unary(cria_queue *queue, cria_unary_op op, int64_t n, const float *x, float *y) {
  each(queue_of(queue), "unary", n, vectors_of_4(n, {x, y}), Unary{op, x, y});
  return CRIA_OK;
}

cria_status unary_bwd(cria_queue *queue, cria_unary_op op, int64_t n, const float *x,
                      const float *y, const float *dy, float *dx) {
  const float *from = derived_from_output(op) ? y : x;
  each(queue_of(queue), "unary_bwd", n, vectors_of_4(n, {from, dy, dx}),
       UnaryBackward{op, from, dy, dx});
  return CRIA_OK;
}

cria_status segment_broadcast(cria_queue *queue, int64_t segments, const int32_t *offsets,
                              const float *y, float *x) {
  launch(queue_of(queue), "segment_broadcast", &segment_broadcast_kernel, {segments}, kEachThreads,
         0, offsets, y, x);
  return CRIA_OK;
}

}  // namespace cria::gpu
