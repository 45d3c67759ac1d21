// reductions.cpp: sums, maxima and softmax of one row; float64 sums in lanes that end in a fixed tree.
#include "cpu/kernels/reductions.h"

#include "cpu/tier/simd.h"

namespace cria::cpu::CRIA_TIER_NS {
namespace {

// Sum of f(i, lanes) over [0, n); f gives 0 in the lanes beyond.
template <class F>
CRIA_INLINE double sum_of(int64_t n, F f) {
  Doubles total = {};
  for_vectors(n, [&](int64_t i, int64_t lanes) { total = add(total, f(i, lanes)); });
  return reduce_add(total);
}

Doubles product(vf a, vf b) {
  const Doubles x = widen(a), y = widen(b);
  return {x.low * y.low, x.high * y.high};
}

double sum(int64_t n, const float *x) {
  return sum_of(n, [=](int64_t i, int64_t lanes) { return widen(load(x + i, lanes)); });
}

double sum_squares(int64_t n, const float *x) {
  return sum_of(n, [=](int64_t i, int64_t lanes) {
    const vf v = load(x + i, lanes);
    return product(v, v);
  });
}

double largest(int64_t n, const float *x) {
  vf many = set(x[0]), sum = set(0);
  int64_t i = 0;
  for (; i + W <= n; i += W) {
    const vf v = load(x + i);
    many = max(v, many);
    sum += v * 0.0f;  // NaN once an element is not finite
  }
  float most = reduce_max(many);
  bool suspect = reduce_add(sum) != 0;
  for (; i < n; ++i) {
    most = x[i] > most ? x[i] : most;
    suspect |= x[i] != x[i];
  }
  if (suspect || most != most) {
    for (i = 0; i < n; ++i) {
      if (x[i] != x[i]) return x[i];
    }
  }
  return most;
}

void column_sum(int64_t rows, int64_t cols, int64_t stride, const float *x, double *accumulator) {
  for (int64_t j = 0; j < cols; ++j) accumulator[j] = 0;
  for (int64_t r = 0; r < rows; ++r, x += stride) {
    for (int64_t j = 0; j < cols; ++j) accumulator[j] += x[j];
  }
}

void column_largest(int64_t rows, int64_t cols, int64_t stride, const float *x,
                    double *accumulator) {
  for (int64_t j = 0; j < cols; ++j) accumulator[j] = x[j];
  for (int64_t r = 1; r < rows; ++r) {
    x += stride;
    for (int64_t j = 0; j < cols; ++j) {
      accumulator[j] = x[j] > accumulator[j] || x[j] != x[j] ? x[j] : accumulator[j];
    }
  }
}

// Writes exp(x - largest) to y unless it is null; returns the sum.
CRIA_INLINE double exp_sum(int64_t cols, const float *x, float most, float *y) {
  return sum_of(cols, [=](int64_t i, int64_t lanes) {
    const vf e = exp(load(x + i, lanes) - most);
    if (y) store(y + i, e, lanes);
    return widen(lanes == W ? e : (vf)((vi)e & (iota() < (int32_t)lanes)));
  });
}

void softmax(int64_t cols, const float *x, float *y) {
  const float most = (float)largest(cols, x);
  const float scale = (float)(1 / exp_sum(cols, x, most, y));
  for_vectors(cols,
              [=](int64_t i, int64_t lanes) { store(y + i, load(y + i, lanes) * scale, lanes); });
}

void log_softmax(int64_t cols, const float *x, float *y) {
  const float most = (float)largest(cols, x);
  const float log_sum = (float)__builtin_log(exp_sum(cols, x, most, nullptr));
  for_vectors(cols, [=](int64_t i, int64_t lanes) {
    store(y + i, (load(x + i, lanes) - most) - log_sum, lanes);
  });
}

void softmax_bwd(int64_t cols, const float *y, const float *dy, float *dx) {
  const float dot = (float)sum_of(cols, [=](int64_t i, int64_t lanes) {
    return product(load(y + i, lanes), load(dy + i, lanes));
  });
  for_vectors(cols, [=](int64_t i, int64_t lanes) {
    store(dx + i, load(y + i, lanes) * (load(dy + i, lanes) - dot), lanes);
  });
}

void log_softmax_bwd(int64_t cols, const float *y, const float *dy, float *dx) {
  const float total = (float)sum(cols, dy);
  for_vectors(cols, [=](int64_t i, int64_t lanes) {
    store(dx + i, fma(exp(load(y + i, lanes)), set(-total), load(dy + i, lanes)), lanes);
  });
}

}  // namespace

const ReductionKernels reduction_kernels = {sum,         sum_squares,    largest,
                                            column_sum,  column_largest, softmax,
                                            log_softmax, softmax_bwd,    log_softmax_bwd};

}  // namespace cria::cpu::CRIA_TIER_NS
