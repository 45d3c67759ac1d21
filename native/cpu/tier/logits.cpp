// logits.cpp: sums of exponentials over a row of logits, and gradients in their place.
#include "cpu/kernels/logits.h"

#include "cpu/tier/simd.h"

namespace cria::cpu::CRIA_TIER_NS {
namespace {

// Lanes add up in float32 over this many elements, then in float64.
constexpr int64_t kStretch = 32 * W;

LogitSums sums(int64_t n, const float *z) {
  const vf lowest = set(-__builtin_inff());
  vf largest = lowest;
  for_vectors(n, [&](int64_t i, int64_t lanes) {
    const vf value = load(z + i, lanes);
    largest =
        max(largest, lanes == W ? value : (iota() < set_int(int32_t(lanes)) ? value : lowest));
  });
  LogitSums result{reduce_max(largest), 0, 0};
  for (int64_t start = 0; start < n; start += kStretch) {
    const int64_t length = n - start < kStretch ? n - start : kStretch;
    vf sum = {}, weighted = {};
    for_vectors(length, [&](int64_t i, int64_t lanes) {
      const vf distance = load(z + start + i, lanes) - result.largest;
      vf e = exp(distance);
      if (lanes < W) e = iota() < set_int(int32_t(lanes)) ? e : vf{};
      sum += e;
      weighted = fma(e, e == 0.0f ? vf{} : distance, weighted);
    });
    result.sum += reduce_add(widen(sum));
    result.weighted += reduce_add(widen(weighted));
  }
  return result;
}

void gradient(int64_t n, float largest, float inverse, float a, float b, float shift, float *z) {
  for_vectors(n, [&](int64_t i, int64_t lanes) {
    const vf distance = load(z + i, lanes) - largest;
    const vf p = exp(distance) * inverse;
    vf factor = set(a);
    if (b != 0) factor += p == 0.0f ? vf{} : (distance + shift) * b;
    store(z + i, p * factor, lanes);
  });
}

}  // namespace

extern const LogitKernels logit_kernels;
const LogitKernels logit_kernels = {sums, gradient};

}  // namespace cria::cpu::CRIA_TIER_NS
