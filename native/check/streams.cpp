// streams.cpp: the operations of the self-check that are bound by memory.
#include "check/check.h"

namespace cria::check {
namespace {

int64_t gated(Size size) { return of<int64_t>(size, 37 * 171, 64 * 8640, 2048 * 8640); }

Problem nf4_dequantize(Session &s, Size size) {
  const auto [n, k] = of<Rows>(size, {37, 320}, {128, 3200}, {8640, 3200});
  const cria_nf4 *w = s.nf4(n, k);
  float *out = s.zeros(n * k);
  return {[=, &s, n = n] { succeed(cria_nf4_dequantize(s.queue(), w, 0, n, CRIA_F32, out)); },
          {{out, n * k, 1e-12}},
          n * k * (4 + 0.5 + 1.0 / 64),
          0};
}

Problem rmsnorm(Session &s, Size size) {
  const auto [t, c] = rows(size);
  float *x = s.floats(t * c), *gain = s.floats(c), *y = s.zeros(t * c), *inverse = s.zeros(t);
  return {
      [=, &s, t = t, c = c] { succeed(cria_rmsnorm(s.queue(), t, c, 1e-6f, x, gain, y, inverse)); },
      {{y, t * c, kExact}, {inverse, t, kExact}},
      8.0 * t * c,
      4.0 * t * c};
}

Problem rmsnorm_bwd(Session &s, Size size) {
  const auto [t, c] = rows(size);
  float *x = s.floats(t * c), *gain = s.floats(c), *y = s.zeros(t * c), *inverse = s.zeros(t),
        *dy = s.floats(t * c), *dx = s.zeros(t * c);
  succeed(cria_rmsnorm(s.queue(), t, c, 1e-6f, x, gain, y, inverse));
  return {[=, &s, t = t, c = c] {
            succeed(cria_rmsnorm_bwd(s.queue(), t, c, x, gain, inverse, dy, 0, dx, nullptr));
          },
          {{dx, t * c, kExact}},
          12.0 * t * c,
          8.0 * t * c};
}

Problem rope(Session &s, Size size) {
  const auto [t, heads] = of<Rows>(size, {37, 3}, {64, 32}, {2048, 32});
  const int64_t d = 100;
  int32_t *positions = s.count_up(t);
  float *frequencies = s.floats(d / 2), *x = s.floats(t * heads * d), *y = s.zeros(t * heads * d);
  return {[=, &s] { succeed(cria_rope(s.queue(), t, heads, d, positions, frequencies, 0, x, y)); },
          {{y, t * heads * d, 1e-4}},  // the angle is a float32 product of up to 2048
          8.0 * t * heads * d,
          3.0 * t * heads * d};
}

Problem swiglu(Session &s, Size size) {
  const int64_t n = gated(size);
  float *gate = s.floats(n, 4), *up = s.floats(n), *y = s.zeros(n);
  return {[=, &s] { succeed(cria_swiglu(s.queue(), n, gate, up, y)); },
          {{y, n, kExact}},
          12.0 * n,
          4.0 * n};
}

Problem swiglu_bwd(Session &s, Size size) {
  const int64_t n = gated(size);
  float *gate = s.floats(n, 4), *up = s.floats(n), *dy = s.floats(n), *dgate = s.zeros(n),
        *dup = s.zeros(n);
  return {[=, &s] { succeed(cria_swiglu_bwd(s.queue(), n, gate, up, dy, dgate, dup)); },
          {{dgate, n, kExact}, {dup, n, kExact}},
          20.0 * n,
          10.0 * n};
}

Problem add(Session &s, Size size) {
  const auto [t, c] = rows(size);
  const int64_t n = t * c;
  float *a = s.floats(n), *b = s.floats(n), *y = s.zeros(n);
  return {[=, &s] { succeed(cria_add(s.queue(), n, a, b, y)); }, {{y, n, 1e-7}}, 12.0 * n, 1.0 * n};
}

Problem embedding(Session &s, Size size) {
  const auto [t, c] = rows(size);
  const int64_t v = of<int64_t>(size, 97, 1000, 32000);
  const uint16_t *table = s.halves(v * c, 1);
  int32_t *ids = s.integers(t, static_cast<int32_t>(v));
  float *out = s.zeros(t * c);
  return {[=, &s, t = t, c = c] {
            succeed(cria_embedding(s.queue(), t, v, c, CRIA_BF16, table, ids, out));
          },
          {{out, t * c, 1e-12}},
          6.0 * t * c,
          0};
}

Problem softmax(Session &s, Size size) {
  const auto [t, c] = rows(size);
  float *x = s.floats(t * c, 5), *y = s.zeros(t * c);
  return {[=, &s, t = t, c = c] { succeed(cria_softmax(s.queue(), t, c, 0, x, y)); },
          {{y, t * c, kExact}},
          8.0 * t * c,
          5.0 * t * c};
}

Problem reduce(Session &s, Size size) {
  const auto [t, c] = rows(size);
  float *x = s.floats(t * c), *y = s.zeros(t);
  return {
      [=, &s, t = t, c = c] { succeed(cria_reduce(s.queue(), CRIA_REDUCE_MEAN, t, c, 1, x, y)); },
      {{y, t, kExact}},
      4.0 * t * c,
      1.0 * t * c};
}

int64_t parameters(Size size) { return of<int64_t>(size, 1013, 1 << 18, 25'400'320); }

Problem adamw(Session &s, Size size) {
  const int64_t n = parameters(size);
  float *p = s.floats(n), *grad = s.floats(n), *m = s.zeros(n), *v = s.zeros(n);
  return {[=, &s] {
            succeed(cria_adamw(s.queue(), n, p, nullptr, grad, 1, 1e-3f, 0.9, 0.999, 1e-8f, 0.01f,
                               1, m, v));
          },
          {{p, n, kExact}, {m, n, kExact}, {v, n, kExact}},
          28.0 * n,
          12.0 * n};
}

Problem adamw8(Session &s, Size size) {
  const int64_t n = parameters(size), blocks = (n + 255) / 256;
  float *p = s.floats(n), *grad = s.floats(n), *m = s.zeros(blocks), *v = s.zeros(blocks);
  uint8_t *m_codes = s.zero_bytes(n), *v_codes = s.zero_bytes(n);
  return {[=, &s] {
            succeed(cria_adamw8(s.queue(), n, p, nullptr, grad, 1, 1e-3f, 0.9, 0.999, 1e-8f, 0.01f,
                                1, m_codes, m, v_codes, v));
          },
          {{p, n, kExact}, {m, blocks, kExact}, {v, blocks, kExact}},
          16.0 * n,
          20.0 * n};
}

Problem dpo_loss(Session &s, Size size) {
  const int64_t n = of<int64_t>(size, 37, 512, 4096);
  float *a = s.floats(n, 9), *b = s.floats(n, 9), *c = s.floats(n, 9), *d = s.floats(n, 9),
        *loss = s.zeros(n), *by_chosen = s.zeros(n), *by_rejected = s.zeros(n);
  int32_t *lengths = s.count_up(n);  // not used by this kind
  return {[=, &s] {
            succeed(cria_dpo_loss(s.queue(), n, CRIA_DPO_SIGMOID, 0.1f, 0, a, b, c, d, lengths,
                                  lengths, loss, by_chosen, by_rejected));
          },
          {{loss, n, kExact}, {by_chosen, n, kExact}, {by_rejected, n, kExact}},
          28.0 * n,
          20.0 * n};
}

Problem random_normal(Session &s, Size size) {
  const auto [t, c] = rows(size);
  float *x = s.zeros(t * c);
  return {[=, &s, n = t * c] { succeed(cria_random_normal(s.queue(), n, 7, 0, 1, CRIA_F32, x)); },
          {{x, t * c, kExact}},
          4.0 * t * c,
          0};
}

}  // namespace

const std::vector<Operation> kStreams = {
    {"nf4_dequantize", nf4_dequantize},
    {"embedding", embedding},
    {"rmsnorm", rmsnorm},
    {"rmsnorm_bwd", rmsnorm_bwd},
    {"rope", rope},
    {"swiglu", swiglu},
    {"swiglu_bwd", swiglu_bwd},
    {"add", add},
    {"softmax", softmax},
    {"reduce", reduce},
    {"adamw", adamw},
    {"adamw8", adamw8},
    {"dpo_loss", dpo_loss},
    {"random_normal", random_normal},
};

}  // namespace cria::check
