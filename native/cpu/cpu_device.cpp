// cpu_device.cpp: the CPU device: memory, scratch cache, threads, queues and copies.
#include "cpu/cpu_device.h"

#include <algorithm>
#include <cstring>

#include "abi/error.h"
#include "cpu/operations.h"
#include "cpu/pool.h"
#include "cpu/rounding.h"
#include "cpu/system_memory.h"

namespace cria::cpu {

CpuDevice::CpuDevice(int32_t threads) : tier(detect_tier()) {
  table = &device_table();
  name = "cpu";
  pool = std::make_unique<Pool>(threads > 0 ? threads : usable_processors());
}

CpuDevice::~CpuDevice() {
  for (const IdleBlock &block : idle_scratch) system_free(block.data, block.bytes);
  for (const IdleBlock &block : idle_mapped) system_free(block.data, block.bytes);
}

const char *CpuDevice::isa() const { return tier_name(tier); }

int32_t CpuDevice::threads() const { return pool->threads(); }

void CpuDevice::parallel(int64_t tasks, const std::function<void(int64_t)> &body) {
  pool->run(tasks, body);
}

void CpuDevice::parallel_range(int64_t n, int64_t grain,
                               const std::function<void(int64_t, int64_t)> &body) {
  if (n <= 0) return;
  parallel((n + grain - 1) / grain,
           [&](int64_t task) { body(task * grain, std::min(n, (task + 1) * grain)); });
}

void *CpuDevice::allocate(const char *operation, int64_t bytes) {
  memory.reserve(operation, bytes);
  void *address = bytes >= kMapped ? take_idle(bytes) : nullptr;
  if (!address) address = system_allocate(bytes);
  if (!address) {
    memory.release(bytes);
    fail(CRIA_OUT_OF_MEMORY, "%s: the system has no %lld bytes left", operation,
         static_cast<long long>(bytes));
  }
  return address;
}

void CpuDevice::release(void *address, int64_t bytes) {
  if (!address) return;
  memory.release(bytes);
  if (bytes < kMapped || !keep_idle(address, bytes)) system_free(address, bytes);
}

// The smallest idle block that fits without wasting more than it holds; what it has too much goes back.
void *CpuDevice::take_idle(int64_t bytes) {
  const int64_t size = mapped_size(bytes);
  std::lock_guard lock(idle_mutex);
  size_t best = idle_mapped.size();
  for (size_t i = 0; i < idle_mapped.size(); ++i) {
    const int64_t have = idle_mapped[i].bytes;
    if (have >= size && have <= 2 * size &&
        (best == idle_mapped.size() || have < idle_mapped[best].bytes)) {
      best = i;
    }
  }
  if (best < idle_mapped.size()) {
    const IdleBlock block = idle_mapped[best];
    idle_mapped.erase(idle_mapped.begin() + static_cast<ptrdiff_t>(best));
    idle_bytes -= block.bytes;
    system_trim(block.data, block.bytes, size);
    return block.data;
  }
  // A new block is needed: the oldest idle ones make room for it below the peak.
  while (!idle_mapped.empty() && memory.live + idle_bytes > memory.peak) {
    const IdleBlock block = idle_mapped.front();
    idle_mapped.erase(idle_mapped.begin());
    idle_bytes -= block.bytes;
    system_free(block.data, block.bytes);
  }
  return nullptr;
}

bool CpuDevice::keep_idle(void *address, int64_t bytes) {
  const int64_t size = mapped_size(bytes);
  std::lock_guard lock(idle_mutex);
  if (memory.live + idle_bytes + size > memory.peak) return false;
  try {
    idle_mapped.push_back({address, size});
  } catch (const std::bad_alloc &) {
    return false;
  }
  idle_bytes += size;
  return true;
}

// A cached block serves requests down to a quarter of its size. A request that none serves replaces the
// largest idle block that was too small for it by less than that, so the cache holds at most the
// blocks that were in use at one time, by size class.
ScratchBlock::ScratchBlock(CpuDevice &device, int64_t bytes)
    : device_(device), data_(nullptr), bytes_(round_up(std::max<int64_t>(bytes, 1), 4096)) {
  {
    std::lock_guard lock(device.scratch_mutex);
    auto &idle = device.idle_scratch;
    size_t best = idle.size(), replaced = idle.size();
    for (size_t i = 0; i < idle.size(); ++i) {
      const int64_t have = idle[i].bytes;
      if (have >= bytes_ && have / 4 <= bytes_ && (best == idle.size() || have < idle[best].bytes))
        best = i;
      if (have < bytes_ && have > bytes_ / 4 &&
          (replaced == idle.size() || have > idle[replaced].bytes)) {
        replaced = i;
      }
    }
    const bool found = best < idle.size();
    const size_t taken = found ? best : replaced;
    if (taken < idle.size()) {
      const CpuDevice::IdleBlock block = idle[taken];
      idle[taken] = idle.back();
      idle.pop_back();
      if (found) {
        data_ = block.data;
        bytes_ = block.bytes;
        return;
      }
      system_free(block.data, block.bytes);
      device.memory.scratch -= block.bytes;
    }
  }
  data_ = system_allocate(bytes_);
  if (!data_) {
    fail(CRIA_OUT_OF_MEMORY, "scratch: the system has no %lld bytes left",
         static_cast<long long>(bytes_));
  }
  device.memory.scratch += bytes_;
}

ScratchBlock::~ScratchBlock() {
  std::lock_guard lock(device_.scratch_mutex);
  try {
    device_.idle_scratch.push_back({data_, bytes_});
  } catch (const std::bad_alloc &) {
    system_free(data_, bytes_);
    device_.memory.scratch -= bytes_;
  }
}

cria_status alloc(cria_device *device, int64_t bytes, void **address) {
  auto &cpu = static_cast<CpuDevice &>(*device);
  void *data = cpu.allocate("alloc", bytes);
  try {
    std::lock_guard lock(cpu.ledger_mutex);
    cpu.ledger.emplace(data, bytes);
  } catch (...) {
    cpu.release(data, bytes);
    throw;
  }
  *address = data;
  return CRIA_OK;
}

cria_status free(cria_device *device, void *address) {
  auto &cpu = static_cast<CpuDevice &>(*device);
  int64_t bytes;
  {
    std::lock_guard lock(cpu.ledger_mutex);
    const auto entry = cpu.ledger.find(address);
    if (entry == cpu.ledger.end()) {
      fail(CRIA_INVALID_ARGUMENT, "free: %p is not a live address of this device", address);
    }
    bytes = entry->second;
    cpu.ledger.erase(entry);
  }
  cpu.release(address, bytes);
  return CRIA_OK;
}

cria_status queue_create(cria_device *device, cria_queue **queue) {
  *queue = new cria_queue{device};
  ++device->memory.objects;
  return CRIA_OK;
}

cria_status queue_destroy(cria_queue *queue) {
  --queue->device->memory.objects;
  delete queue;
  return CRIA_OK;
}

cria_status queue_synchronize(cria_queue *) { return CRIA_OK; }

cria_status upload(cria_queue *queue, int64_t bytes, const void *host, void *device) {
  return copy(queue, bytes, host, device);
}

cria_status download(cria_queue *queue, int64_t bytes, const void *device, void *host) {
  return copy(queue, bytes, device, host);
}

cria_status copy(cria_queue *queue, int64_t bytes, const void *from, void *to) {
  device_of(queue).parallel_range(bytes, 1 << 20, [&](int64_t begin, int64_t end) {
    std::memcpy(static_cast<char *>(to) + begin, static_cast<const char *>(from) + begin,
                static_cast<size_t>(end - begin));
  });
  return CRIA_OK;
}

}  // namespace cria::cpu

cria_device *cria::open_cpu_device(int32_t threads) { return new cpu::CpuDevice(threads); }
