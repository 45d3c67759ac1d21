// products.cpp: the operations of the self-check that are matrix products: linear layers, attention, head losses.
#include <cmath>

#include "check/check.h"

namespace cria::check {
namespace {

// Both operands of a product may be rounded to bf16: two errors of at most 2^-9 each, about 2^-9 together in the mean. Twice that.
constexpr double kRounded = 1.0 / 256;
// Sums in float32 of at most 8640 products.
constexpr double kExact = 1e-5;

constexpr int64_t kRank = 16;

struct Shape {
  int64_t m, n, k;
};

double nf4_bytes(double n, double k) { return n * k * (0.5 + 1.0 / 64 + 4.0 / 64 / 256); }

Shape linear_shape(Size size) {
  return of<Shape>(size, {131, 200, 320}, {128, 8640, 3200}, {2048, 8640, 3200});
}

Problem nf4_linear(Session &s, Shape shape) {
  const auto [m, n, k] = shape;
  cria_nf4 *w = s.nf4(n, k);
  float *x = s.floats(m * k), *a = s.floats(kRank * k, 0.1f), *b = s.floats(n * kRank, 0.1f),
        *t = s.zeros(m * kRank), *y = s.zeros(m * n);
  return {[=, &s, m = m] {
            succeed(cria_nf4_linear(s.queue(), w, m, x, kRank, a, b, 0.5f, 0, 0, t, y));
          },
          {{y, m * n, kRounded}, {t, m * kRank, kRounded}},
          nf4_bytes(n, k) + 4.0 * (m * k + m * n),
          2.0 * m * n * k + 2.0 * m * kRank * (n + k)};
}

Problem nf4_backward(Session &s, Size size) {
  const auto [m, n, k] = linear_shape(size);
  cria_nf4 *w = s.nf4(n, k);
  float *x = s.floats(m * k), *a = s.floats(kRank * k, 0.1f), *b = s.floats(n * kRank, 0.1f),
        *t = s.floats(m * kRank), *dy = s.floats(m * n), *dx = s.zeros(m * k),
        *da = s.zeros(kRank * k), *db = s.zeros(n * kRank);
  return {[=, &s, m = m] {
            succeed(cria_nf4_linear_bwd(s.queue(), w, m, x, kRank, a, b, 0.5f, 0, 0, t, dy, 0, dx,
                                        da, db));
          },
          {{dx, m * k, kRounded}, {da, kRank * k, 2 * kRounded}, {db, n * kRank, kRounded}},
          nf4_bytes(n, k) + 4.0 * (2 * m * k + m * n),
          2.0 * m * n * k + 4.0 * m * kRank * (n + k)};
}

Problem linear(Session &s, Size size, cria_dtype dtype) {
  const auto [m, n, k] = linear_shape(size);
  const void *w = dtype == CRIA_F32 ? static_cast<void *>(s.floats(n * k, 0.05f))
                                    : static_cast<void *>(s.halves(n * k, 0.05f));
  float *x = s.floats(m * k), *y = s.zeros(m * n);
  const double width = dtype == CRIA_F32 ? 4 : 2;
  return {[=, &s, m = m, n = n, k = k] {
            succeed(cria_linear(s.queue(), m, n, k, dtype, w, x, 0, nullptr, nullptr, 0, 0, 0,
                                nullptr, y));
          },
          {{y, m * n, dtype == CRIA_F32 ? kExact : kRounded}},
          width * n * k + 4.0 * (m * k + m * n),
          2.0 * m * n * k};
}

Problem linear_backward(Session &s, Size size) {
  const auto [m, n, k] = linear_shape(size);
  const uint16_t *w = s.halves(n * k, 0.05f);
  float *x = s.floats(m * k), *dy = s.floats(m * n), *dx = s.zeros(m * k), *dw = s.zeros(n * k);
  return {[=, &s, m = m, n = n, k = k] {
            succeed(cria_linear_bwd(s.queue(), m, n, k, CRIA_BF16, w, x, 0, nullptr, nullptr, 0, 0,
                                    0, nullptr, dy, 0, dx, dw, nullptr, nullptr));
          },
          {{dx, m * k, kRounded}, {dw, n * k, kRounded}},
          2.0 * n * k + 4.0 * (2 * m * k + m * n + 2 * n * k),
          4.0 * m * n * k};
}

Problem matmul(Session &s, Size size) {
  const auto [m, n, k] = of<Shape>(size, {67, 45, 131}, {256, 256, 256}, {1024, 1024, 1024});
  const int64_t batch = 3;
  float *a = s.floats(batch * m * k), *b = s.floats(batch * k * n), *c = s.zeros(batch * m * n);
  return {[=, &s, m = m, n = n, k = k] {
            succeed(cria_matmul(s.queue(), batch, m, n, k, 0, 1, 0.5f, a, b, 0, c));
          },
          {{c, batch * m * n, kExact}},
          4.0 * batch * (m * k + k * n + m * n),
          2.0 * batch * m * n * k};
}

struct Heads {
  int64_t t, heads, kv_heads, d;
};

Heads attention_shape(Size size) {
  return of<Heads>(size, {90, 4, 2, 100}, {512, 2, 2, 100}, {2048, 32, 32, 100});
}

// Small: a prompt and two answers that share it.
std::vector<int32_t> sequences(Size size, int64_t t) {
  if (size == Size::small) return {0, 50, 0, 0, 50, 25, 0, 50, 75, 15, 0, 50};
  return {0, static_cast<int32_t>(t), 0, 0};
}

Problem attention(Session &s, Size size, bool backward) {
  const auto [t, heads, kv_heads, d] = attention_shape(size);
  const std::vector<int32_t> plan = sequences(size, t);
  const auto count = static_cast<int64_t>(plan.size() / 4);
  const float scale = 1 / std::sqrt(static_cast<float>(d));
  float *q = s.floats(t * heads * d), *k = s.floats(t * kv_heads * d),
        *v = s.floats(t * kv_heads * d), *out = s.zeros(t * heads * d), *lse = s.zeros(t * heads);
  const auto forward = [=, &s, t = t, heads = heads, kv_heads = kv_heads, d = d] {
    succeed(cria_attention(s.queue(), t, heads, kv_heads, d, count, plan.data(), scale, CRIA_F32, q,
                           k, v, out, lse));
  };
  const double pairs = 0.5 * t * (t + 1);  // of one sequence: the small problem is not timed
  const double bytes = 8.0 * t * d * (heads + kv_heads), flops = 4.0 * pairs * heads * d;
  if (!backward) {
    return {
        forward, {{out, t * heads * d, 2 * kRounded}, {lse, t * heads, kRounded}}, bytes, flops};
  }
  forward();
  float *dout = s.floats(t * heads * d), *dq = s.zeros(t * heads * d),
        *dk = s.zeros(t * kv_heads * d), *dv = s.zeros(t * kv_heads * d);
  return {[=, &s, t = t, heads = heads, kv_heads = kv_heads, d = d] {
            succeed(cria_attention_bwd(s.queue(), t, heads, kv_heads, d, count, plan.data(), scale,
                                       CRIA_F32, q, k, v, out, lse, dout, dq, dk, dv));
          },
          {{dq, t * heads * d, 4 * kRounded},
           {dk, t * kv_heads * d, 4 * kRounded},
           {dv, t * kv_heads * d, 4 * kRounded}},
          2 * bytes,
          2.5 * flops};
}

Problem kv_attention(Session &s, Size size) {
  const auto [length, heads, kv_heads, d] =
      of<Heads>(size, {75, 4, 2, 100}, {2048, 2, 2, 100}, {2048, 32, 32, 100});
  const float scale = 1 / std::sqrt(static_cast<float>(d));
  cria_kv *cache = s.cache(length, kv_heads, d);
  succeed(cria_kv_append(s.queue(), cache, length, s.floats(length * kv_heads * d),
                         s.floats(length * kv_heads * d)));
  float *q = s.floats(heads * d), *out = s.zeros(heads * d);
  return {[=, &s, heads = heads] {
            succeed(cria_kv_attention(s.queue(), cache, 1, heads, scale, q, out));
          },
          {{out, heads * d, 2 * kRounded}},
          4.0 * length * kv_heads * d,
          4.0 * length * heads * d};
}

struct Head {
  int64_t t, c, v;
};

Head head_shape(Size size) {
  return of<Head>(size, {37, 96, 301}, {128, 3200, 32000}, {1024, 3200, 32000});
}

Problem cross_entropy(Session &s, Size size) {
  const auto [t, c, v] = head_shape(size);
  const uint16_t *w = s.halves(v * c, 0.1f);
  float *h = s.floats(t * c), *losses = s.zeros(t), *dh = s.zeros(t * c);
  int32_t *labels = s.integers(t, static_cast<int32_t>(v));
  return {[=, &s, t = t, c = c, v = v] {
            double sum = 0;
            succeed(cria_linear_cross_entropy(s.queue(), t, c, v, CRIA_BF16, w, h, labels, nullptr,
                                              1, &sum, losses, dh, nullptr));
          },
          {{losses, t, kRounded}, {dh, t * c, 2 * kRounded}},
          4.0 * v * c + 8.0 * t * c,
          4.0 * t * c * v};
}

Problem logprob(Session &s, Size size) {
  const auto [t, c, v] = head_shape(size);
  const uint16_t *w = s.halves(v * c, 0.1f);
  float *h = s.floats(t * c), *logp = s.zeros(t), *entropy = s.zeros(t), *unit = s.zeros(t * c);
  int32_t *labels = s.integers(t, static_cast<int32_t>(v));
  return {[=, &s, t = t, c = c, v = v] {
            succeed(cria_linear_logprob(s.queue(), t, c, v, CRIA_BF16, w, h, labels, logp, entropy,
                                        unit));
          },
          {{logp, t, kRounded}, {entropy, t, kRounded}, {unit, t * c, 2 * kRounded}},
          4.0 * v * c + 8.0 * t * c,
          4.0 * t * c * v};
}

Problem logprob_backward(Session &s, Size size) {
  const auto [t, c, v] = head_shape(size);
  const uint16_t *w = s.halves(v * c, 0.1f);
  const float *h = s.floats(t * c), *dlogp = s.floats(t), *dentropy = s.floats(t);
  float *dh = s.zeros(t * c);
  int32_t *labels = s.integers(t, static_cast<int32_t>(v));
  return {[=, &s, t = t, c = c, v = v] {
            succeed(cria_linear_logprob_bwd(s.queue(), t, c, v, CRIA_BF16, w, h, labels, dlogp,
                                            dentropy, dh, nullptr));
          },
          {{dh, t * c, 2 * kRounded}},
          4.0 * v * c + 8.0 * t * c,
          4.0 * t * c * v};
}

}  // namespace

const std::vector<Operation> kProducts = {
    {"nf4_linear", [](Session &s, Size size) { return nf4_linear(s, linear_shape(size)); }},
    {"nf4_linear, one row",
     [](Session &s, Size size) {
       return nf4_linear(s, of<Shape>(size, {1, 200, 320}, {1, 8640, 3200}, {1, 8640, 3200}));
     }},
    {"nf4_linear_bwd", nf4_backward},
    {"linear bf16", [](Session &s, Size size) { return linear(s, size, CRIA_BF16); }},
    {"linear f32", [](Session &s, Size size) { return linear(s, size, CRIA_F32); }},
    {"linear_bwd bf16", linear_backward},
    {"matmul", matmul},
    {"attention", [](Session &s, Size size) { return attention(s, size, false); }},
    {"attention_bwd", [](Session &s, Size size) { return attention(s, size, true); }},
    {"kv_attention", kv_attention},
    {"linear_cross_entropy", cross_entropy},
    {"linear_logprob", logprob},
    {"linear_logprob_bwd", logprob_backward},
};

}  // namespace cria::check
