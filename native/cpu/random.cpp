// random.cpp: random tensors: pieces for the threads, and rounding to bf16.
#include "cpu/kernels/random.h"
#include "cpu/cpu_device.h"
#include "cpu/kernels/elementwise.h"
#include "cpu/operations.h"

namespace cria::cpu {
namespace {

constexpr int64_t kGrain = 4096;  // elements per task

// make(first, n, x) writes elements [first, first + n) as float32.
template <class Make>
void generate(CpuDevice &device, int64_t n, cria_dtype dtype, void *x, Make make) {
  const auto narrow = elementwise_kernels(device.tier).bf16_from_f32;
  device.parallel_range(n, kGrain, [&](int64_t begin, int64_t end) {
    if (dtype == CRIA_F32) {
      make(static_cast<uint64_t>(begin), end - begin, static_cast<float *>(x) + begin);
    } else {
      float wide[kGrain];
      make(static_cast<uint64_t>(begin), end - begin, wide);
      narrow(end - begin, wide, static_cast<uint16_t *>(x) + begin);
    }
  });
}

}  // namespace

cria_status random_uniform(cria_queue *queue, int64_t n, uint64_t key, float low, float high,
                           cria_dtype dtype, void *x) {
  CpuDevice &device = device_of(queue);
  const auto kernel = random_kernels(device.tier).uniform;
  generate(device, n, dtype, x, [&](uint64_t first, int64_t count, float *to) {
    kernel(key, first, count, low, high, to);
  });
  return CRIA_OK;
}

cria_status random_normal(cria_queue *queue, int64_t n, uint64_t key, float mean, float deviation,
                          cria_dtype dtype, void *x) {
  CpuDevice &device = device_of(queue);
  const auto kernel = random_kernels(device.tier).normal;
  generate(device, n, dtype, x, [&](uint64_t first, int64_t count, float *to) {
    kernel(key, first, count, mean, deviation, to);
  });
  return CRIA_OK;
}

}  // namespace cria::cpu
