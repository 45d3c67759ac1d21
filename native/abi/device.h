// device.h: what every device has in common: its table of functions, its name and the account of its memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "cria.h"

namespace cria {

// One function per device entry of cria.h, with the same signature. Arguments arrive checked (abi/); a
// device function returns CRIA_OK or throws cria::Error.
struct DeviceTable {
#define CRIA_LIBRARY(name)
#define CRIA_DEVICE(name) decltype(&cria_##name) name;
#include "abi/entry_points.inc"
};

// Bytes that callers hold on a device.
struct MemoryAccount {
  std::atomic<int64_t> live{0};
  std::atomic<int64_t> peak{0};
  std::atomic<int64_t> limit{0};
  std::atomic<int64_t> scratch{0};
  std::atomic<int64_t> objects{0};  // reservations and queues that are alive

  // Books one object of `bytes`; throws CRIA_OUT_OF_MEMORY over the limit. One release with the same bytes ends it.
  void reserve(const char *operation, int64_t bytes);
  void release(int64_t bytes);
};

}  // namespace cria

struct cria_device {
  const cria::DeviceTable *table = nullptr;
  std::string name;
  cria::MemoryAccount memory;
  virtual const char *isa() const = 0;
  virtual int32_t threads() const = 0;
  virtual ~cria_device() = default;
};

// Every handle of a device (cria_queue, cria_nf4, cria_kv, cria_graph) begins with a pointer to its device.
struct cria_queue {
  cria_device *device;
};

namespace cria {

// Opens "cpu" with that many threads (0: as many as the process may use).
cria_device *open_cpu_device(int32_t threads);

}  // namespace cria
