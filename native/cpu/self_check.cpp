// self_check.cpp: what this processor can do at best, by measurement. The CPU device has no primitives of its own to check.
#include <algorithm>
#include <atomic>
#include <chrono>

#include "cpu/cpu_device.h"
#include "cpu/kernels/elementwise.h"
#include "cpu/kernels/peak.h"
#include "cpu/operations.h"

namespace cria::cpu {
namespace {

constexpr int kRuns = 5;
constexpr int64_t kReadBytes = int64_t{256} << 20;  // more than caches hold
constexpr int64_t kPiece = int64_t{1} << 18;        // floats of a task that reads

// Seconds of the fastest of several runs of `tasks` tasks.
template <class Body>
double fastest(CpuDevice &device, int64_t tasks, const Body &body) {
  double best = 1e9;
  for (int i = 0; i < kRuns; ++i) {
    const auto start = std::chrono::steady_clock::now();
    device.parallel(tasks, body);
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    best = std::min(best, passed.count());
  }
  return best;
}

double rate_of_products(CpuDevice &device, float (*multiply)(int64_t), double flops) {
  // About 10 ms at 100 GFLOP/s a thread.
  const auto repeats = static_cast<int64_t>(1e9 / flops);
  std::atomic<float> sink{0};
  const double seconds =
      fastest(device, device.threads(), [&](int64_t) { sink = multiply(repeats); });
  return device.threads() * static_cast<double>(repeats) * flops / seconds;
}

double rate_of_reading(CpuDevice &device) {
  const int64_t n = kReadBytes / 4;
  auto *x = static_cast<float *>(device.allocate("device_peak", kReadBytes));
  const auto fill = elementwise_kernels(device.tier).fill;
  const auto read = peak_kernels(device.tier).read;
  device.parallel_range(n, kPiece,
                        [&](int64_t begin, int64_t end) { fill(end - begin, 1, x + begin); });
  std::atomic<float> sink{0};
  const double seconds =
      fastest(device, n / kPiece, [&](int64_t task) { sink = read(kPiece, x + task * kPiece); });
  device.release(x, kReadBytes);
  return static_cast<double>(kReadBytes) / seconds;
}

}  // namespace

cria_status device_peak(cria_device *device, double *bytes_per_second,
                        double *bf16_flops_per_second, double *f32_flops_per_second) {
  auto &cpu = static_cast<CpuDevice &>(*device);
  const PeakKernels &kernels = peak_kernels(cpu.tier);
  *bytes_per_second = rate_of_reading(cpu);
  *f32_flops_per_second = rate_of_products(cpu, kernels.multiply_f32, kernels.flops_f32);
  // Tiers without products of bf16 widen it.
  *bf16_flops_per_second = kernels.multiply_bf16
                               ? rate_of_products(cpu, kernels.multiply_bf16, kernels.flops_bf16)
                               : *f32_flops_per_second;
  return CRIA_OK;
}

cria_status check_primitive(cria_queue *, int32_t, const char **name, double *worst) {
  *name = nullptr;
  *worst = 0;
  return CRIA_OK;
}

}  // namespace cria::cpu
