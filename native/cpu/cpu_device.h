// cpu_device.h: the CPU device: its tier, its threads and its memory, as the operation files see them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "abi/device.h"
#include "cpu/tier.h"

namespace cria::cpu {

class Pool;

struct CpuDevice : cria_device {
  explicit CpuDevice(int32_t threads);
  ~CpuDevice() override;
  const char *isa() const override;
  int32_t threads() const override;

  // Runs body(task) for task = 0..tasks-1 on the pool and waits. Tasks are handed out dynamically,
  // so what a task computes must depend on its number only, never on the thread or on the number of
  // threads. The exception of the lowest failing task is rethrown here. Nested calls run serially in
  // the calling task.
  void parallel(int64_t tasks, const std::function<void(int64_t)> &body);

  // body(begin, end) over [0, n) in fixed pieces of `grain` elements.
  void parallel_range(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)> &body);

  // 64-byte aligned memory that counts as live; throws CRIA_OUT_OF_MEMORY naming the operation.
  // Every allocate needs one release with the same number of bytes. NULL may be released.
  void *allocate(const char *operation, int64_t bytes);
  void release(void *address, int64_t bytes);

  const Tier tier;
  std::unique_ptr<Pool> pool;

  // Live addresses of cria_alloc.
  std::mutex ledger_mutex;
  std::unordered_map<void *, int64_t> ledger;

  struct IdleBlock {
    void *data;
    int64_t bytes;
  };

  // Idle scratch blocks; see ScratchBlock.
  std::mutex scratch_mutex;
  std::vector<IdleBlock> idle_scratch;

 private:
  void *take_idle(int64_t bytes);
  bool keep_idle(void *address, int64_t bytes);

  // Large blocks that were released, oldest first, kept because the system zeroes fresh pages. They
  // and the live bytes together never exceed the peak of the live bytes.
  std::mutex idle_mutex;
  std::vector<IdleBlock> idle_mapped;
  int64_t idle_bytes = 0;
};

inline CpuDevice &device_of(cria_queue *queue) { return static_cast<CpuDevice &>(*queue->device); }

// A 64-byte aligned scratch block for one kernel, not initialised. Its memory goes back to a cache of
// the device (memory.scratch counts all of it) when the object goes out of scope, and to the system
// when a larger block replaces it or the device closes. Take it outside of inner loops: it locks.
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
