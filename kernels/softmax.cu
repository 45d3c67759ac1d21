// softmax.cu: softmax of rows and its logarithm, forward and backward; float64 sums in a fixed order.
//
// One block a row, which is read once and kept in shared memory; what does not fit there is read again. Bound by memory.
#include "device/block.h"
#include "device/device.h"
#include "held_rows.h"
#include "host/launch.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

constexpr int kReductions = 2 * kReduceBytes;  // shared memory in front of the rows
constexpr int64_t kFewColumns = 4096;          // rows up to this width get smaller blocks

template <int THREADS, bool LOG>
CRIA_KERNEL(THREADS, 1024 / THREADS)
void softmax_kernel(int64_t held, int64_t cols, const float *x, float *y) {
  const HeldRows<THREADS, 1> row(kReductions, held, cols, {x + block_x() * cols});
  float most = -INFINITY;
  row.each([&](int64_t, auto v) { most = fmaxf(most, v[0]); });
  most = block_max<THREADS>(most, 0);
  double sum = 0;
  row.each([&](int64_t, auto v) { sum += expf(v[0] - most); });
  sum = block_sum<THREADS>(sum, kReduceBytes);
  const float last = float(LOG ? log(sum) : 1 / sum);
  float *out = y + block_x() * cols;
  row.each([&](int64_t i, auto v) {
    const float z = v[0] - most;
    store(out + i, LOG ? z - last : expf(z) * last);
  });
}

// dx = y (dy - sum y dy), or for the logarithm dy - exp(y) sum dy.
template <int THREADS, bool LOG>
CRIA_KERNEL(THREADS, 1024 / THREADS)
void softmax_bwd_kernel(int64_t held, int64_t cols, const float *y, const float *dy, float *dx) {
  const int64_t at = block_x() * cols;
  const HeldRows<THREADS, 2> rows(kReductions, held, cols, {y + at, dy + at});
  double sum = 0;
  rows.each([&](int64_t, auto v) { sum += LOG ? double(v[1]) : double(v[0]) * v[1]; });
  const float total = float(block_sum<THREADS>(sum, 0));
  rows.each([&](int64_t i, auto v) {
    store(dx + at + i, LOG ? fmaf(expf(v[0]), -total, v[1]) : v[0] * (v[1] - total));
  });
}

}  // namespace

cria_status softmax(cria_queue *queue, int64_t rows, int64_t cols, int32_t log, const float *x,
                    float *y) {
  const bool few = cols <= kFewColumns;
  const auto kernel = few ? (log ? &softmax_kernel<256, true> : &softmax_kernel<256, false>)
                          : (log ? &softmax_kernel<1024, true> : &softmax_kernel<1024, false>);
  const int64_t held = held_elements(1, cols);
  if (cols > 0) {
    launch(queue_of(queue), "softmax", kernel, {rows}, few ? 256 : 1024,
           kReductions + int(held * 4), held, cols, x, y);
  }
  return CRIA_OK;
}

cria_status softmax_bwd(cria_queue *queue, int64_t rows, int64_t cols, int32_t log, const float *y,
                        const float *dy, float *dx) {
  const bool few = cols <= kFewColumns;
  const auto kernel =
      few ? (log ? &softmax_bwd_kernel<256, true> : &softmax_bwd_kernel<256, false>)
          : (log ? &softmax_bwd_kernel<1024, true> : &softmax_bwd_kernel<1024, false>);
  const int64_t held = held_elements(2, cols);
  if (cols > 0) {
    launch(queue_of(queue), "softmax_bwd", kernel, {rows}, few ? 256 : 1024,
           kReductions + int(held * 8), held, cols, y, dy, dx);
  }
  return CRIA_OK;
}

}  // namespace cria::gpu
