// rmsnorm.cu: RMSNorm forward and backward: y = gain * x * r, r = 1 / sqrt(mean(x^2) + eps) per row (Zhang & Sennrich 2019).
//
// Float32 sums: per thread in order, then a fixed tree over the block. Bound by memory: a block takes several rows where there
// are enough, and a thread keeps the gain and what it has read of a row in shared memory, in places of its own, so that all is
// read once and no barrier is needed. Rows that are too wide for that, or not aligned for vectors, are read again from cache.
//
// Backward, with g = gain * dy: dx = r g - x r^3 mean(g x), dgain = sum over rows of dy x r. A block sums dgain over its rows; the
// sums of the blocks are added in order by a second kernel.
#include "device/block.h"
#include "device/device.h"
#include "each.h"
#include "host/launch.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = 256;
constexpr int kWidest = 6144;      // of the rows kept in shared memory: four of them fit every GPU
constexpr int kGradientRows = 16;  // rows whose dgain is summed by one block

// Rows of a block: some blocks for every multiprocessor first, then few loads of the gain.
int rows_of_block(const GpuQueue &queue, int64_t t) {
  return int(maximum(int64_t(1), minimum(int64_t(8), t / (2 * queue.gpu().threads()))));
}

int shared_bytes(int64_t kept) { return 2 * kReduceBytes + int(kept * 4); }

// Rows [rows * block, rows * (block + 1)) of t. KEPT: they are aligned for vectors and kept in shared memory.
template <bool KEPT>
CRIA_KERNEL(kThreads, 4)
void rmsnorm_kernel(int64_t t, int64_t c, int rows, float eps, const float *x, const float *gain,
                    float *y, float *inv_rms) {
  constexpr int N = KEPT ? 4 : 1;
  const int64_t first = int64_t(block_x()) * rows, end = minimum(t, first + rows);
  const auto kept_x = shared<float>(2 * kReduceBytes), kept_gain = kept_x + int(c);
  for (int64_t i = thread_index() * N; KEPT && i < c; i += kThreads * N) {
    kept_gain.set_vec(int(i), load_vec<N>(gain + i));
  }
  for (int64_t row = first; row < end; ++row) {
    const float *xr = x + row * c;
    float sum = 0;
    for (int64_t i = thread_index() * N; i < c; i += kThreads * N) {
      const Vec<float, N> v = load_vec<N>(xr + i);
      if (KEPT) kept_x.set_vec(int(i), v);
      for (int j = 0; j < N; ++j) sum += v[j] * v[j];
    }
    sum = block_sum<kThreads>(sum, uint32_t((row - first) % 2) * kReduceBytes);
    const float r = 1.0f / sqrtf(sum / float(c) + eps);
    for (int64_t i = thread_index() * N; i < c; i += kThreads * N) {
      const Vec<float, N> v = KEPT ? kept_x.vec<N>(int(i)) : load_vec<N>(xr + i);
      const Vec<float, N> g = KEPT ? kept_gain.vec<N>(int(i)) : load_vec<N>(gain + i);
      Vec<float, N> out;
      for (int j = 0; j < N; ++j) out[j] = g[j] * (v[j] * r);
      store_vec(y + row * c + i, out);
    }
    if (inv_rms && thread_index() == 0) store(inv_rms + row, r);
  }
}

// Rows as above; sums [blocks,C] receives their dgain, null: not wanted.
template <bool KEPT>
CRIA_KERNEL(kThreads, 4)
void rmsnorm_bwd_kernel(int64_t t, int64_t c, int rows, const float *x, const float *gain,
                        const float *inv_rms, const float *dy, int32_t accumulate, float *dx,
                        float *sums) {
  constexpr int N = KEPT ? 4 : 1;
  const int64_t first = int64_t(block_x()) * rows, end = minimum(t, first + rows);
  const auto kept_x = shared<float>(2 * kReduceBytes), kept_dy = kept_x + int(c),
             kept_gain = kept_dy + int(c), kept_sum = kept_gain + int(c);
  for (int64_t i = thread_index() * N; KEPT && i < c; i += kThreads * N) {
    kept_gain.set_vec(int(i), load_vec<N>(gain + i));
  }
  for (int64_t row = first; row < end; ++row) {
    const float *xr = x + row * c, *dyr = dy + row * c;
    float dot = 0;
    for (int64_t i = thread_index() * N; i < c; i += kThreads * N) {
      const Vec<float, N> v = load_vec<N>(xr + i), d = load_vec<N>(dyr + i);
      const Vec<float, N> g = KEPT ? kept_gain.vec<N>(int(i)) : load_vec<N>(gain + i);
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
      const Vec<float, N> g = KEPT ? kept_gain.vec<N>(int(i)) : load_vec<N>(gain + i);
      Vec<float, N> out;
      for (int j = 0; j < N; ++j) out[j] = fmaf(-mean, v[j], r * (g[j] * d[j]));
      float *to = dx + row * c + i;
      if (accumulate) {
        const Vec<float, N> old = load_vec<N>(to);
        for (int j = 0; j < N; ++j) out[j] += old[j];
      }
      store_vec(to, out);
      if (!sums) continue;
      float *sum = sums + block_x() * c + i;
      Vec<float, N> s;
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
  GpuQueue &gpu = queue_of(queue);
  const bool kept = c <= kWidest && vectors_of_4(c, {x, gain, y});
  const int rows = rows_of_block(gpu, t);
  launch(gpu, "rmsnorm", kept ? &rmsnorm_kernel<true> : &rmsnorm_kernel<false>,
         {divide_up(t, rows)}, kThreads, shared_bytes(kept ? 2 * c : 0), t, c, rows, eps, x, gain,
         y, inv_rms);
  return CRIA_OK;
}

cria_status rmsnorm_bwd(cria_queue *queue, int64_t t, int64_t c, const float *x, const float *gain,
                        const float *inv_rms, const float *dy, int32_t accumulate_dx, float *dx,
                        float *dgain) {
  if (t == 0 || c == 0) return CRIA_OK;
  GpuQueue &gpu = queue_of(queue);
  const bool kept = c <= kWidest && vectors_of_4(c, {x, gain, dy, dx});
  const int rows = dgain ? kGradientRows : rows_of_block(gpu, t);
  const int64_t blocks = divide_up(t, rows);
  const Scratch sums(gpu, dgain ? blocks * c * 4 : 0);
  launch(gpu, "rmsnorm_bwd", kept ? &rmsnorm_bwd_kernel<true> : &rmsnorm_bwd_kernel<false>,
         {blocks}, kThreads, shared_bytes(kept ? (dgain ? 4 : 3) * c : 0), t, c, rows, x, gain,
         inv_rms, dy, accumulate_dx, dx, dgain ? sums.as<float>() : nullptr);
  if (dgain) {
    each(gpu, "rmsnorm_dgain", c, vectors_of_4(c, {dgain}),
         AddSums{blocks, c, sums.as<float>(), dgain});
  }
  return CRIA_OK;
}

}  // namespace cria::gpu
