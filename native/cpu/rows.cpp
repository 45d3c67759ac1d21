// rows.cpp: RMSNorm, RoPE and SwiGLU of the CPU device: how rows are dealt out to threads.
#include "cpu/kernels/rows.h"

#include <algorithm>
#include <cmath>

#include "cpu/cpu_device.h"
#include "cpu/operations.h"
#include "cpu/rounding.h"

namespace cria::cpu {
namespace {

constexpr int64_t kElements = 16384;   // elements per task of element-wise work
constexpr int64_t kGradientRows = 32;  // rows whose dgain is summed by one task

// Rows per task so that a task has about kElements elements.
int64_t rows_per_task(int64_t width) {
  return std::max<int64_t>(1, kElements / std::max<int64_t>(1, width));
}

}  // namespace

cria_status rmsnorm(cria_queue *queue, int64_t t, int64_t c, float eps, const float *x,
                    const float *gain, float *y, float *inv_rms) {
  CpuDevice &device = device_of(queue);
  const RowKernels &kernels = row_kernels(device.tier);
  if (c == 0) return CRIA_OK;
  device.parallel_range(t, rows_per_task(c), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float r = kernels.rmsnorm(c, eps, x + row * c, gain, y + row * c);
      if (inv_rms) inv_rms[row] = r;
    }
  });
  return CRIA_OK;
}

cria_status rmsnorm_bwd(cria_queue *queue, int64_t t, int64_t c, const float *x, const float *gain,
                        const float *inv_rms, const float *dy, int32_t accumulate_dx, float *dx,
                        float *dgain) {
  CpuDevice &device = device_of(queue);
  const RowKernels &kernels = row_kernels(device.tier);
  if (t == 0 || c == 0) return CRIA_OK;
  // Each block of rows sums its dgain into a row of `partial`; the blocks are then added in order.
  const int64_t blocks = divide_up(t, kGradientRows);
  ScratchBlock scratch(device, dgain ? blocks * c * (int64_t)sizeof(float) : 0);
  float *partial = dgain ? scratch.as<float>() : nullptr;
  device.parallel(blocks, [&](int64_t block) {
    float *sum = partial ? partial + block * c : nullptr;
    if (sum) std::fill(sum, sum + c, 0.0f);
    const int64_t end = std::min(t, (block + 1) * kGradientRows);
    for (int64_t row = block * kGradientRows; row < end; row++)
      kernels.rmsnorm_bwd(c, x + row * c, gain, inv_rms[row], dy + row * c, accumulate_dx,
                          dx + row * c, sum);
  });
  if (!dgain) return CRIA_OK;
  device.parallel_range(
      c, std::max<int64_t>(64, kElements / blocks), [&](int64_t begin, int64_t end) {
        for (int64_t block = 1; block < blocks; block++)
          kernels.add_to(end - begin, partial + block * c + begin, partial + begin);
        kernels.add_to(end - begin, partial + begin, dgain + begin);
      });
  return CRIA_OK;
}

cria_status rope(cria_queue *queue, int64_t t, int64_t heads, int64_t d, const int32_t *positions,
                 const float *inv_freq, int32_t inverse, const float *x, float *y) {
  CpuDevice &device = device_of(queue);
  const RowKernels &kernels = row_kernels(device.tier);
  const int64_t width = heads * d, half = d / 2;
  if (width == 0) return CRIA_OK;
  device.parallel_range(t, rows_per_task(width), [&](int64_t begin, int64_t end) {
    ScratchBlock scratch(device, 2 * half * (int64_t)sizeof(float));
    float *cosine = scratch.as<float>(), *sine = cosine + half;
    for (int64_t row = begin; row < end; row++) {
      for (int64_t i = 0; i < half; i++) {
        const float angle = (float)positions[row] * inv_freq[i];
        cosine[i] = std::cos(angle);
        sine[i] = std::sin(angle);
      }
      kernels.rope(heads, half, cosine, sine, inverse ? -1.0f : 1.0f, x + row * width,
                   y + row * width);
    }
  });
  return CRIA_OK;
}

cria_status swiglu(cria_queue *queue, int64_t n, const float *gate, const float *up, float *y) {
  CpuDevice &device = device_of(queue);
  const RowKernels &kernels = row_kernels(device.tier);
  device.parallel_range(n, kElements, [&](int64_t begin, int64_t end) {
    kernels.swiglu(end - begin, gate + begin, up + begin, y + begin);
  });
  return CRIA_OK;
}

cria_status swiglu_bwd(cria_queue *queue, int64_t n, const float *gate, const float *up,
                       const float *dy, float *dgate, float *dup) {
  CpuDevice &device = device_of(queue);
  const RowKernels &kernels = row_kernels(device.tier);
  device.parallel_range(n, kElements, [&](int64_t begin, int64_t end) {
    kernels.swiglu_bwd(end - begin, gate + begin, up + begin, dy + begin, dgate + begin,
                       dup + begin);
  });
  return CRIA_OK;
}

}  // namespace cria::cpu
