// gpu_device.h: a GPU device: its memory, queues, scratch and deferred errors, as the operation files see them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "abi/device.h"
#include "abi/error.h"
#include "host/runtime.h"

namespace cria::gpu {

// What a kernel can find wrong with its data. The first place (lowest index) of each kind is kept on the device and
// reported by the next call that synchronises the queue.
enum class Fault : int {
  embedding_id,
  gather_index,
  scatter_index,
  answer_length,
  sample_row,
  count
};
constexpr int kFaults = static_cast<int>(Fault::count);

struct GpuQueue;

// The bytes of device memory that serve a request.
int64_t block_size(int64_t bytes);

struct GpuDevice : cria_device {
  GpuDevice(const char *device_name, std::unique_ptr<Runtime> runtime_);
  ~GpuDevice() override;
  const char *isa() const override;  // the architecture, "sm_90"
  int32_t threads() const override;  // multiprocessors

  // Memory that counts as live; throws CRIA_OUT_OF_MEMORY naming the operation. One release with the same bytes each.
  void *allocate(const char *operation, int64_t bytes);
  void release(void *address, int64_t bytes);

  // Memory from the cache that does not count as live (scratch).
  void *take(const char *operation, int64_t bytes);
  void give_back(void *address);

  const std::unique_ptr<Runtime> runtime;

  // Live addresses of cria_alloc.
  std::mutex ledger_mutex;
  std::unordered_map<void *, int64_t> ledger;

  std::mutex cache_mutex;
  std::vector<GpuQueue *> queues;  // alive, under cache_mutex

 private:
  struct Block {
    void *address;
    int64_t freed_at;  // number of the free, to know whether a queue may still use it
  };
  void synchronize_queues();
  bool drop_idle();

  // Released blocks by size, kept because allocation by the driver stops the device. A block that was released while
  // several queues existed serves again only after all of them were synchronised.
  std::multimap<int64_t, Block> idle;
  std::unordered_map<void *, int64_t> sizes;  // of all blocks in use
  int64_t in_use = 0;                         // their bytes
  int64_t frees = 0, synchronised_at = 0;
  std::string architecture;
};

struct GpuQueue : cria_queue {
  explicit GpuQueue(GpuDevice &device);
  ~GpuQueue();
  GpuDevice &gpu() const { return static_cast<GpuDevice &>(*device); }

  const Stream stream;
  // The graph whose work is being recorded, else null. Changes under cache_mutex of the device.
  std::unique_ptr<cria_graph> recording;
  int64_t graphs = 0;  // alive, recorded from this queue
  // Device memory: kFaults words, index << 32 | value of the first fault of each kind, all ones for none.
  uint64_t *faults = nullptr;
  int64_t fault_limits[kFaults] =
      {};  // the bound that the last launch of that kind checked against

  uint64_t *fault_slot(Fault kind, int64_t limit) {
    fault_limits[static_cast<int>(kind)] = limit;
    return faults + static_cast<int>(kind);
  }
  // Waits for the queue; throws what its kernels found, once.
  void synchronize();
  // Downloads and waits; reports faults too.
  void download(void *host, const void *from, int64_t bytes);
  void upload(void *to, const void *host, int64_t bytes);
  // Throws while recording: `what` cannot be part of a graph.
  void refuse_recording(const char *what) const;

 private:
  GpuQueue(GpuDevice &device, Stream stream);
};

inline GpuQueue &queue_of(cria_queue *queue) { return static_cast<GpuQueue &>(*queue); }

// Scratch of one operation: device memory, aligned to 256 bytes, not initialised, free again for later work of the same
// queue when the object goes out of scope (work of a queue runs in order). Recorded work keeps it for its graph alone.
class Scratch {
 public:
  Scratch(GpuQueue &queue, int64_t bytes);
  ~Scratch();
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  template <class T>
  T *as() const {
    return static_cast<T *>(data_);
  }

 private:
  GpuQueue &queue_;
  void *data_;
};

}  // namespace cria::gpu
