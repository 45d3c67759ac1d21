// rmsnorm.cu: RMSNorm forward and backward: y = gain * x * r, r = 1 / sqrt(mean(x^2) + eps) per row (Zhang & Sennrich 2019).
//
// One block a row, float32 sums: per thread in order, then a fixed tree over the block. Bound by memory: a row of 3200 is
// read twice, the second time from L1.
#include "device/block.h"
#include "device/device.h"
#include "host/launch.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = 256;
constexpr int kShared = kReduceBytes;

template <int N>
CRIA_KERNEL(kThreads, 4)
void rmsnorm_kernel(int64_t c, float eps, const float *x, const float *gain, float *y,
                    float *inv_rms) {
  const int64_t row = block_x();
  const float *xr = x + row * c;
  float sum = 0;
  for (int64_t i = thread_index() * N; i < c; i += kThreads * N) {
    const Vec<float, N> v = load_vec<N>(xr + i);
    for (int j = 0; j < N; ++j) sum += v[j] * v[j];
  }
  const float r = 1.0f / sqrtf(block_sum<kThreads>(sum, 0) / float(c) + eps);
  for (int64_t i = thread_index() * N; i < c; i += kThreads * N) {
    const Vec<float, N> v = load_vec<N>(xr + i), g = load_vec<N>(gain + i);
    Vec<float, N> out;
    for (int j = 0; j < N; ++j) out[j] = g[j] * (v[j] * r);
    store_vec(y + row * c + i, out);
  }
  if (inv_rms && thread_index() == 0) store(inv_rms + row, r);
}

}  // namespace

cria_status rmsnorm(cria_queue *queue, int64_t t, int64_t c, float eps, const float *x,
                    const float *gain, float *y, float *inv_rms) {
  const auto kernel = vectors_of_4(c, {x, gain, y}) ? &rmsnorm_kernel<4> : &rmsnorm_kernel<1>;
  launch(queue_of(queue), "rmsnorm", kernel, {t}, kThreads, kShared, c, eps, x, gain, y, inv_rms);
  return CRIA_OK;
}

}  // namespace cria::gpu
