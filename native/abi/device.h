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

  void reserve(const char *operation, int64_t bytes);  // throws CRIA_OUT_OF_MEMORY over the limit
  void release(int64_t bytes) { live -= bytes; }
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

struct cria_queue {
  cria_device *device;
};
