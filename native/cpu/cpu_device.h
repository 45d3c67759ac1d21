// cpu_device.h: the CPU device: its tier, its threads and its scratch memory, as the operation files see them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "abi/device.h"
#include "cpu/tier.h"

namespace cria::cpu {

class Pool;

struct CpuDevice : cria_device {
  explicit CpuDevice(int32_t threads);
  ~CpuDevice() override;
  const char *isa() const override;
  int32_t threads() const override;

  // Runs body(task) for task = 0..tasks-1 on the pool and waits. Tasks are handed out dynamically, so what a task
  // computes must depend on its number only, never on the thread or on the number of threads. Exceptions of a body
  // are rethrown here. Nested calls run serially in the calling task.
  void parallel(int64_t tasks, const std::function<void(int64_t)> &body);

  // body(begin, end) over [0, n) in fixed pieces of `grain` elements.
  void parallel_range(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)> &body);

  const Tier tier;
  std::unique_ptr<Pool> pool;
};

inline CpuDevice &device_of(cria_queue *queue) { return static_cast<CpuDevice &>(*queue->device); }

// A 64-byte aligned scratch block, returned to the (thread-local, device-counted) cache when it goes out of scope.
// Contents are not initialised.
class ScratchBlock {
 public:
  ScratchBlock(CpuDevice &device, int64_t bytes);
  ~ScratchBlock();
  ScratchBlock(const ScratchBlock &) = delete;
  ScratchBlock &operator=(const ScratchBlock &) = delete;
  template <class T>
  T *as() const {
    return static_cast<T *>(data_);
  }

 private:
  CpuDevice &device_;
  void *data_;
  int64_t bytes_;
};

}  // namespace cria::cpu
