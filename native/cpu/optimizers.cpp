// optimizers.cpp: AdamW: how parameters are dealt out to threads.
#include "cpu/kernels/optimizers.h"

#include "cpu/cpu_device.h"
#include "cpu/operations.h"

namespace cria::cpu {
namespace {

constexpr int64_t kGrain = 16384;  // parameters per task, whole blocks

uint16_t *at(void *bf16, int64_t i) { return bf16 ? static_cast<uint16_t *>(bf16) + i : nullptr; }

}  // namespace

cria_status adamw(cria_queue *queue, int64_t n, float *p, void *bf16, const float *grad,
                  float grad_scale, float lr, double beta1, double beta2, float eps, float decay,
                  int64_t step, float *m, float *v) {
  CpuDevice &device = device_of(queue);
  const AdamWStep s = adamw_step(grad_scale, lr, beta1, beta2, eps, decay, step);
  const auto kernel = optimizer_kernels(device.tier).adamw;
  device.parallel_range(n, kGrain, [&](int64_t begin, int64_t end) {
    kernel(s, end - begin, p + begin, at(bf16, begin), grad + begin, m + begin, v + begin);
  });
  return CRIA_OK;
}

cria_status adamw8(cria_queue *queue, int64_t n, float *p, void *bf16, const float *grad,
                   float grad_scale, float lr, double beta1, double beta2, float eps, float decay,
                   int64_t step, uint8_t *m_codes, float *m_absmax, uint8_t *v_codes,
                   float *v_absmax) {
  CpuDevice &device = device_of(queue);
  const AdamWStep s = adamw_step(grad_scale, lr, beta1, beta2, eps, decay, step);
  const auto kernel = optimizer_kernels(device.tier).adamw8;
  const DynamicMap &m_map = signed_dynamic_map(), &v_map = unsigned_dynamic_map();
  device.parallel_range(n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kMomentBlock) {
      const Moments8 moments{&m_map,
                             &v_map,
                             m_codes + i,
                             v_codes + i,
                             m_absmax + i / kMomentBlock,
                             v_absmax + i / kMomentBlock};
      kernel(s, end - i < kMomentBlock ? end - i : kMomentBlock, p + i, at(bf16, i), grad + i,
             moments);
    }
  });
  return CRIA_OK;
}

}  // namespace cria::cpu
