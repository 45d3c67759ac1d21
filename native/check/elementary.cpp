// elementary.cpp: the operations of the self-check with which users write losses and layers, and others that move memory.
#include "check/check.h"

namespace cria::check {
namespace {

constexpr double kMoved = 1e-12;  // nothing is computed

Problem fill(Session &s, Size size) {
  const auto [t, c] = rows(size);
  float *x = s.zeros(t * c);
  return {[=, &s, n = t * c] { succeed(cria_fill(s.queue(), n, 3.5f, x)); },
          {{x, t * c, kMoved}},
          4.0 * t * c,
          0};
}

Problem cast(Session &s, Size size) {
  const auto [t, c] = rows(size);
  const int64_t n = t * c;
  const float *x = s.floats(n);
  uint16_t *narrow = s.halves(n, 0);
  float *y = s.zeros(n);
  return {[=, &s] {
            succeed(cria_cast(s.queue(), n, CRIA_F32, x, CRIA_BF16, narrow));
            succeed(cria_cast(s.queue(), n, CRIA_BF16, narrow, CRIA_F32, y));
          },
          {{y, n, kMoved}},
          12.0 * n,
          0};
}

Problem axpby(Session &s, Size size) {
  const auto [t, c] = rows(size);
  const int64_t n = t * c;
  const float *x = s.floats(n);
  float *y = s.floats(n);
  return {[=, &s] { succeed(cria_axpby(s.queue(), n, 0.5f, x, 0.25f, y)); },
          {{y, n, kExact}},
          12.0 * n,
          3.0 * n};
}

Problem unary(Session &s, Size size) {
  const auto [t, c] = rows(size);
  const int64_t n = t * c;
  const float *x = s.floats(n, 5);
  float *y = s.zeros(n);
  return {[=, &s] { succeed(cria_unary(s.queue(), CRIA_SIGMOID, n, x, y)); },
          {{y, n, kExact}},
          8.0 * n,
          4.0 * n};
}

Problem unary_bwd(Session &s, Size size) {
  const auto [t, c] = rows(size);
  const int64_t n = t * c;
  const float *x = s.floats(n, 5), *y = s.floats(n), *dy = s.floats(n);
  float *dx = s.zeros(n);
  return {[=, &s] { succeed(cria_unary_bwd(s.queue(), CRIA_SIGMOID, n, x, y, dy, dx)); },
          {{dx, n, kExact}},
          12.0 * n,  // the sigmoid's own derivative needs no x
          3.0 * n};
}

// A row is added to every row of a matrix.
Problem binary(Session &s, Size size) {
  const auto [t, c] = rows(size);
  const float *a = s.floats(t * c), *b = s.floats(c);
  float *y = s.zeros(t * c);
  return {[=, &s, t = t, c = c] {
            const int64_t dims[] = {t, c}, a_strides[] = {c, 1}, b_strides[] = {0, 1};
            succeed(cria_binary(s.queue(), CRIA_ADD, 2, dims, a, a_strides, b, b_strides, y));
          },
          {{y, t * c, kExact}},
          8.0 * t * c,
          1.0 * t * c};
}

Problem softmax_bwd(Session &s, Size size) {
  const auto [t, c] = rows(size);
  float *x = s.floats(t * c, 5), *y = s.zeros(t * c), *dx = s.zeros(t * c);
  const float *dy = s.floats(t * c);
  succeed(cria_softmax(s.queue(), t, c, 0, x, y));
  return {[=, &s, t = t, c = c] { succeed(cria_softmax_bwd(s.queue(), t, c, 0, y, dy, dx)); },
          {{dx, t * c, kExact}},
          12.0 * t * c,
          4.0 * t * c};
}

Problem gather_rows(Session &s, Size size) {
  const auto [t, c] = rows(size);
  const int32_t *index = s.integers(t, static_cast<int32_t>(t));
  const float *x = s.floats(t * c);
  float *y = s.zeros(t * c);
  return {[=, &s, t = t, c = c] { succeed(cria_gather_rows(s.queue(), t, t, c, index, x, y)); },
          {{y, t * c, kMoved}},
          8.0 * t * c,
          0};
}

Problem scatter_add_rows(Session &s, Size size) {
  const auto [t, c] = rows(size);
  const int32_t *index = s.count_up(t);
  const float *y = s.floats(t * c);
  float *x = s.floats(t * c);
  return {
      [=, &s, t = t, c = c] { succeed(cria_scatter_add_rows(s.queue(), t, t, c, index, y, x)); },
      {{x, t * c, kExact}},
      12.0 * t * c,
      1.0 * t * c};
}

Problem scale_rows(Session &s, Size size) {
  const auto [t, c] = rows(size);
  const float *factors = s.floats(t), *x = s.floats(t * c);
  float *y = s.zeros(t * c);
  return {[=, &s, t = t, c = c] { succeed(cria_scale_rows(s.queue(), t, c, factors, x, y)); },
          {{y, t * c, kExact}},
          8.0 * t * c,
          1.0 * t * c};
}

// Segments of 128, as the answers of pairs.
constexpr int64_t kSegment = 128;

const int32_t *offsets(Session &s, int64_t segments) {
  std::vector<int32_t> at;
  for (int64_t i = 0; i <= segments; ++i) at.push_back(static_cast<int32_t>(i * kSegment));
  return s.integers(at);
}

Problem segment_sum(Session &s, Size size) {
  const int64_t segments = of<int64_t>(size, 5, 512, 8192), n = segments * kSegment;
  const int32_t *at = offsets(s, segments);
  const float *x = s.floats(n);
  float *y = s.zeros(segments);
  return {[=, &s] { succeed(cria_segment_sum(s.queue(), segments, at, x, y)); },
          {{y, segments, kExact}},
          4.0 * n,
          1.0 * n};
}

Problem segment_broadcast(Session &s, Size size) {
  const int64_t segments = of<int64_t>(size, 5, 512, 8192), n = segments * kSegment;
  const int32_t *at = offsets(s, segments);
  const float *y = s.floats(segments);
  float *x = s.zeros(n);
  return {[=, &s] { succeed(cria_segment_broadcast(s.queue(), segments, at, y, x)); },
          {{x, n, kMoved}},
          4.0 * n,
          0};
}

// Heads become the first axis: [T, heads, 100] to [heads, T, 100].
Problem copy_strided(Session &s, Size size) {
  const auto [t, heads] = of<Rows>(size, {37, 3}, {64, 32}, {2048, 32});
  constexpr int64_t d = 100;
  const int64_t n = t * heads * d;
  const float *x = s.floats(n);
  float *y = s.zeros(n);
  return {[=, &s, t = t, heads = heads] {
            const int64_t dims[] = {heads, t, d}, from[] = {d, heads * d, 1}, to[] = {t * d, d, 1};
            succeed(cria_copy_strided(s.queue(), 4, 3, dims, x, from, y, to));
          },
          {{y, n, kMoved}},
          8.0 * n,
          0};
}

Problem random_uniform(Session &s, Size size) {
  const auto [t, c] = rows(size);
  float *x = s.zeros(t * c);
  return {[=, &s, n = t * c] { succeed(cria_random_uniform(s.queue(), n, 7, -1, 1, CRIA_F32, x)); },
          {{x, t * c, kExact}},
          4.0 * t * c,
          0};
}

Problem embedding_bwd(Session &s, Size size) {
  const auto [t, c] = rows(size);
  const int64_t v = t;
  const int32_t *ids = s.count_up(t);
  const float *dy = s.floats(t * c);
  float *table = s.zeros(v * c);
  return {
      [=, &s, t = t, c = c] { succeed(cria_embedding_bwd(s.queue(), t, v, c, ids, dy, table)); },
      {{table, v * c, kExact}},
      12.0 * t * c,
      1.0 * t * c};
}

Problem reward_pair_loss(Session &s, Size size) {
  const int64_t n = of<int64_t>(size, 37, 512, 4096);
  const float *chosen = s.floats(n, 9), *rejected = s.floats(n, 9), *margin = s.floats(n);
  float *loss = s.zeros(n), *by_chosen = s.zeros(n), *by_rejected = s.zeros(n);
  return {[=, &s] {
            succeed(cria_reward_pair_loss(s.queue(), n, 0.01f, chosen, rejected, margin, loss,
                                          by_chosen, by_rejected));
          },
          {{loss, n, kExact}, {by_chosen, n, kExact}, {by_rejected, n, kExact}},
          24.0 * n,
          20.0 * n};
}

Problem sum_squares(Session &s, Size size) {
  const int64_t n = of<int64_t>(size, 1013, 1 << 18, 25'400'320);
  const float *x = s.floats(n);
  float *y = s.zeros(1);
  return {[=, &s] {
            double sum = 0;
            succeed(cria_sum_squares(s.queue(), n, x, &sum));
            succeed(cria_fill(s.queue(), 1, static_cast<float>(sum), y));
          },
          {{y, 1, kExact}},
          4.0 * n,
          2.0 * n};
}

Problem nf4_quantize(Session &s, Size size) {
  const auto [n, k] = of<Rows>(size, {37, 320}, {128, 3200}, {8640, 3200});
  const float *x = s.floats(n * k, 0.05f);
  float *out = s.zeros(n * k);
  return {[=, &s, n = n, k = k] {
            cria_nf4 *w = nullptr;
            succeed(cria_nf4_quantize(s.queue(), n, k, 64, 1, CRIA_F32, x, &w));
            const cria_status status = cria_nf4_dequantize(s.queue(), w, 0, 1, CRIA_F32, out);
            succeed(cria_queue_synchronize(s.queue()));
            cria_nf4_free(w);
            succeed(status);
          },
          {{out, k, kMoved}},
          n * k * (4 + 0.5 + 1.0 / 64),
          0};
}

// The likeliest tokens, as the rows of a column that counts up.
Problem sample(Session &s, Size size) {
  const auto [n, v] = of<Rows>(size, {37, 331}, {4, 32000}, {64, 32000});
  const float *logits = s.floats(n * v, 9), *column = s.floats(v);
  int32_t *tokens = s.integers(n, 1);
  float *y = s.zeros(n);
  return {[=, &s, n = n, v = v] {
            succeed(cria_sample(s.queue(), n, v, logits, 0, 0, 1, 7, tokens));
            succeed(cria_gather_rows(s.queue(), n, v, 1, tokens, column, y));
          },
          {{y, n, kMoved}},
          4.0 * n * v,
          1.0 * n * v};
}

}  // namespace

const std::vector<Operation> kElementary = {
    {"nf4_quantize", nf4_quantize},
    {"embedding_bwd", embedding_bwd},
    {"softmax_bwd", softmax_bwd},
    {"reward_pair_loss", reward_pair_loss},
    {"sum_squares", sum_squares},
    {"fill", fill},
    {"cast", cast},
    {"axpby", axpby},
    {"unary", unary},
    {"unary_bwd", unary_bwd},
    {"binary", binary},
    {"gather_rows", gather_rows},
    {"scatter_add_rows", scatter_add_rows},
    {"scale_rows", scale_rows},
    {"segment_sum", segment_sum},
    {"segment_broadcast", segment_broadcast},
    {"copy_strided", copy_strided},
    {"random_uniform", random_uniform},
    {"sample", sample},
};

}  // namespace cria::check
