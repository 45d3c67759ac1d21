// rmsnorm.cu: RMSNorm forward and backward: y = gain * x * r, r = 1 / sqrt(mean(x^2) + eps) per row (Zhang & Sennrich 2019).
//
// One block a row, float32 sums: per thread in order, then a fixed tree over the block. Bound by memory: a thread keeps what
// it has read of a row in shared memory, in places of its own, so that a row is read once. Rows that are too wide for that, or
// not aligned for vectors, are read twice, the second time from cache.
//
// Backward, with g = gain * dy: dx = r g - x r^3 mean(g x), dgain = sum over rows of dy x r. For dgain a block takes several
// rows and keeps a sum of its own; the sums of the blocks are added in order by a second kernel.
#include "device/block.h"
#include "device/device.h"
#include "each.h"
#include "host/launch.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = 256;
constexpr int kWidest = 8192;      // of rows that are kept in shared memory
constexpr int kGradientRows = 16;  // rows whose dgain is summed by one block

// KEPT: rows are aligned for vectors and kept in shared memory.
template <bool KEPT>
CRIA_KERNEL(kThreads, 4)
void rmsnorm_kernel(int64_t c, float eps, const float *x, const float *gain, float *y,
                    float *inv_rms) {
  constexpr int N = KEPT ? 4 : 1;
  const int64_t row = block_x();
  const float *xr = x + row * c;
  const auto kept = shared<float>(kReduceBytes);
  float sum = 0;
  for (int64_t i = thread_index() * N; i < c; i += kThreads * N) {
    const Vec<float, N> v = load_vec<N>(xr + i);
    if (KEPT) kept.set_vec(int(i), v);
    for (int j = 0; j < N; ++j) sum += v[j] * v[j];
  }
  const float r = 1.0f / sqrtf(block_sum<kThreads>(sum, 0) / float(c) + eps);
  for (int64_t i = thread_index() * N; i < c; i += kThreads * N) {
    const Vec<float, N> v = KEPT ? kept.vec<N>(int(i)) : load_vec<N>(xr + i);
    const Vec<float, N> g = load_vec<N>(gain + i);
    Vec<float, N> out;
    for (int j = 0; j < N; ++j) out[j] = g[j] * (v[j] * r);
    store_vec(y + row * c + i, out);
  }
  if (inv_rms && thread_index() == 0) store(inv_rms + row, r);
}

// Rows [rows * block, rows * (block + 1)) of t. sums [blocks,C] receives their dgain, null: not wanted.
template <bool KEPT>
CRIA_KERNEL(kThreads, 4)
void rmsnorm_bwd_kernel(int64_t t, int64_t c, int rows, const float *x, const float *gain,
                        const float *inv_rms, const float *dy, int32_t accumulate, float *dx,
                        float *sums) {
  constexpr int N = KEPT ? 4 : 1;
  const int64_t first = int64_t(block_x()) * rows, end = minimum(t, first + rows);
  const auto kept_x = shared<float>(2 * kReduceBytes), kept_dy = kept_x + int(c),
             kept_sum = kept_dy + int(c);
  for (int64_t row = first; row < end; ++row) {
    const float *xr = x + row * c, *dyr = dy + row * c;
    float dot = 0;
    for (int64_t i = thread_index() * N; i < c; i += kThreads * N) {
      const Vec<float, N> v = load_vec<N>(xr + i), d = load_vec<N>(dyr + i),
                          g = load_vec<N>(gain + i);
      if (KEPT) kept_x.set_vec(int(i), v);
      if (KEPT) kept_dy.set_vec(int(i), d);
      for (int j = 0; j < N; ++j) dot += g[j] * d[j] * v[j];
    }
    const float r = load(inv_rms + row);
    dot = block_sum<kThreads>(dot, uint32_t((row - first) % 2) * kReduceBytes);
    const float mean = dot / float(c) * (r * r * r);
    for (int64_t i = thread_index() * N; i < c; i += kThreads * N) {
      const Vec<float, N> v = KEPT ? kept_x.vec<N>(int(i)) : load_vec<N>(xr + i);
      const Vec<float, N> d = KEPT ? kept_dy.vec<N>(int(i)) : load_vec<N>(dyr + i);
      const Vec<float, N> g = load_vec<N>(gain + i);
      Vec<float, N> out, s;
      for (int j = 0; j < N; ++j) out[j] = fmaf(-mean, v[j], r * (g[j] * d[j]));
      float *to = dx + row * c + i;
      if (accumulate) {
        const Vec<float, N> old = load_vec<N>(to);
        for (int j = 0; j < N; ++j) out[j] += old[j];
      }
      store_vec(to, out);
      if (!sums) continue;
      float *sum = sums + block_x() * c + i;
      for (int j = 0; j < N; ++j) s[j] = v[j] * r * d[j];
      if (row > first) {
        const Vec<float, N> old = KEPT ? kept_sum.vec<N>(int(i)) : load_vec<N>(sum);
        for (int j = 0; j < N; ++j) s[j] += old[j];
      }
      if (KEPT && row < end - 1) {
        kept_sum.set_vec(int(i), s);
      } else {
        store_vec(sum, s);
      }
    }
  }
}

struct AddSums {
  int64_t blocks, c;
  const float *sums;
  float *dgain;
  template <int N>
  CRIA_GPU void at(int64_t i) const {
    Vec<float, N> total = load_vec<N>(sums + i);
    for (int64_t block = 1; block < blocks; ++block) {
      const Vec<float, N> s = load_vec<N>(sums + block * c + i);
      for (int j = 0; j < N; ++j) total[j] += s[j];
    }
    const Vec<float, N> old = load_vec<N>(dgain + i);
    for (int j = 0; j < N; ++j) total[j] += old[j];
    store_vec(dgain + i, total);
  }
};

}  // namespace

cria_status rmsnorm(cria_queue *queue, int64_t t, int64_t c, float eps, const float *x,
                    const float *gain, float *y, float *inv_rms) {
  const bool kept = c <= kWidest && vectors_of_4(c, {x, gain, y});
  launch(queue_of(queue), "rmsnorm", kept ? &rmsnorm_kernel<true> : &rmsnorm_kernel<false>, {t},
         kThreads, kReduceBytes + (kept ? int(c) * 4 : 0), c, eps, x, gain, y, inv_rms);
  return CRIA_OK;
}

cria_status rmsnorm_bwd(cria_queue *queue, int64_t t, int64_t c, const float *x, const float *gain,
                        const float *inv_rms, const float *dy, int32_t accumulate_dx, float *dx,
                        float *dgain) {
  if (t == 0 || c == 0) return CRIA_OK;
  GpuQueue &gpu = queue_of(queue);
  const bool kept = c <= kWidest && vectors_of_4(c, {x, gain, dy, dx});
  const int rows = dgain ? kGradientRows : 1;
  const int64_t blocks = divide_up(t, rows);
  const Scratch sums(gpu, dgain ? blocks * c * 4 : 0);
  launch(gpu, "rmsnorm_bwd", kept ? &rmsnorm_bwd_kernel<true> : &rmsnorm_bwd_kernel<false>,
         {blocks}, kThreads, 2 * kReduceBytes + (kept ? int(c) * (dgain ? 12 : 8) : 0), t, c, rows,
         x, gain, inv_rms, dy, accumulate_dx, dx, dgain ? sums.as<float>() : nullptr);
  if (dgain) {
    each(gpu, "rmsnorm_dgain", c, vectors_of_4(c, {dgain}),
         AddSums{blocks, c, sums.as<float>(), dgain});
  }
  return CRIA_OK;
}

}  // namespace cria::gpu
