// gpu_device.cpp: memory, queues, copies and deferred errors of a GPU device.
#include "host/gpu_device.h"

#include <algorithm>
#include <cinttypes>

#include "host/graph.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

constexpr int64_t kUnit = 256;  // alignment and least size of a block

}  // namespace

// Sizes are rounded so that blocks fit again: to 256 bytes, above 64 KiB to an eighth of the power of two below.
int64_t block_size(int64_t bytes) {
  int64_t unit = kUnit;
  while (unit * 16 <= bytes && bytes > (64 << 10)) unit *= 2;
  return std::max(kUnit, (bytes + unit - 1) / unit * unit);
}

GpuDevice::GpuDevice(const char *device_name, std::unique_ptr<Runtime> runtime_)
    : runtime(std::move(runtime_)), architecture(runtime->architecture()) {
  table = &device_table();
  name = device_name;
}

GpuDevice::~GpuDevice() { drop_idle(); }

const char *GpuDevice::isa() const { return architecture.c_str(); }

int32_t GpuDevice::threads() const { return runtime->multiprocessors(); }

void *GpuDevice::allocate(const char *operation, int64_t bytes) {
  memory.reserve(operation, bytes);
  try {
    void *address = take(operation, bytes);
    memory.scratch -= block_size(bytes);
    return address;
  } catch (...) {
    memory.release(bytes);
    throw;
  }
}

void GpuDevice::release(void *address, int64_t bytes) {
  if (!address) return;
  give_back(address);
  memory.scratch += block_size(bytes);
  memory.release(bytes);
}

void *GpuDevice::take(const char *operation, int64_t bytes) {
  const int64_t size = block_size(bytes);
  std::lock_guard lock(cache_mutex);
  const auto fits = idle.lower_bound(size);  // of this size the one that is idle for longest
  void *address = nullptr;
  if (fits != idle.end() && fits->first == size) {
    if (queues.size() > 1 && fits->second.freed_at > synchronised_at) synchronize_queues();
    address = fits->second.address;
    idle.erase(fits);
    runtime->forget(address, size);
  } else {
    address = runtime->allocate(size);
    if (!address && drop_idle()) address = runtime->allocate(size);
    if (!address) {
      fail(CRIA_OUT_OF_MEMORY,
           "%s: the device has no %" PRId64 " bytes left beside the %" PRId64 " that are in use",
           operation, bytes, in_use);
    }
    memory.scratch += size;
  }
  sizes.emplace(address, size);
  in_use += size;
  return address;
}

void GpuDevice::give_back(void *address) {
  std::lock_guard lock(cache_mutex);
  const auto entry = sizes.find(address);
  idle.emplace(entry->second, Block{address, ++frees});
  in_use -= entry->second;
  sizes.erase(entry);
}

// A queue that records was synchronised when it began, and runs nothing now.
void GpuDevice::synchronize_queues() {
  for (const GpuQueue *queue : queues) {
    if (!queue->recording) runtime->synchronize(queue->stream);
  }
  synchronised_at = frees;
}

// Returns the idle blocks to the driver; false if there are none, or a queue records: the driver may not free meanwhile.
bool GpuDevice::drop_idle() {
  const auto records = [](const GpuQueue *queue) { return queue->recording != nullptr; };
  if (idle.empty() || std::any_of(queues.begin(), queues.end(), records)) return false;
  synchronize_queues();
  for (const auto &[size, block] : idle) {
    runtime->release(block.address);
    memory.scratch -= size;
  }
  idle.clear();
  return true;
}

GpuQueue::GpuQueue(GpuDevice &owner, Stream created) : cria_queue{&owner}, stream(created) {}

// What the destructor undoes begins with the body: the other constructor is through.
GpuQueue::GpuQueue(GpuDevice &owner) : GpuQueue(owner, owner.runtime->create_stream()) {
  faults = static_cast<uint64_t *>(owner.take("queue_create", kFaults * sizeof(uint64_t)));
  owner.runtime->fill(stream, faults, 0xFF, kFaults * sizeof(uint64_t));
  std::lock_guard lock(owner.cache_mutex);
  owner.queues.push_back(this);
}

GpuQueue::~GpuQueue() {
  GpuDevice &owner = gpu();
  {
    std::lock_guard lock(owner.cache_mutex);
    owner.queues.erase(std::remove(owner.queues.begin(), owner.queues.end(), this),
                       owner.queues.end());
  }
  owner.runtime->destroy_stream(stream);
  if (faults) owner.give_back(faults);
}

void GpuQueue::refuse_recording(const char *what) const {
  if (recording) {
    fail(CRIA_UNSUPPORTED,
         "%s: the queue records a graph, and nothing passes between host and device before "
         "cria_graph_end",
         what);
  }
}

void GpuQueue::synchronize() {
  refuse_recording("queue_synchronize");
  uint64_t found[kFaults];
  gpu().runtime->download(stream, found, faults, sizeof found);
  for (int kind = 0; kind < kFaults; ++kind) {
    if (found[kind] == ~uint64_t{0}) continue;
    gpu().runtime->fill(stream, faults, 0xFF, sizeof found);
    const auto index = static_cast<int64_t>(found[kind] >> 32);
    const auto value = static_cast<int32_t>(found[kind]);
    const int64_t last = fault_limits[kind] - 1;
    switch (static_cast<Fault>(kind)) {
      case Fault::embedding_id:
        fail(CRIA_INVALID_ARGUMENT, "embedding: ids[%" PRId64 "] must be 0..%" PRId64 ": %" PRId32,
             index, last, value);
      case Fault::gather_index:
        fail(CRIA_INVALID_ARGUMENT,
             "gather_rows: index[%" PRId64 "] must be 0..%" PRId64 ": %" PRId32, index, last,
             value);
      case Fault::scatter_index:
        fail(CRIA_INVALID_ARGUMENT,
             "scatter_add_rows: index[%" PRId64 "] must be 0..%" PRId64 ": %" PRId32, index, last,
             value);
      case Fault::answer_length:
        fail(CRIA_INVALID_ARGUMENT,
             "dpo_loss: pair %" PRId64 " has an empty answer: length %" PRId32, index, value);
      default:
        fail(CRIA_NOT_FINITE, "sample: row %" PRId64 " has no finite logit", index);
    }
  }
}

void GpuQueue::download(void *host, const void *from, int64_t bytes) {
  refuse_recording("download");
  gpu().runtime->download(stream, host, from, bytes);
  synchronize();
}

void GpuQueue::upload(void *to, const void *host, int64_t bytes) {
  refuse_recording("upload");
  gpu().runtime->upload(stream, to, host, bytes);
}

Scratch::Scratch(GpuQueue &queue, int64_t bytes)
    : queue_(queue),
      data_(queue.recording ? queue.recording->take(bytes) : queue.gpu().take("scratch", bytes)) {}

Scratch::~Scratch() {
  if (queue_.recording) {
    queue_.recording->give_back(data_);
  } else {
    queue_.gpu().give_back(data_);
  }
}

// ---- Entries

cria_status alloc(cria_device *device, int64_t bytes, void **address) {
  auto &gpu = static_cast<GpuDevice &>(*device);
  void *data = gpu.allocate("alloc", bytes);
  try {
    std::lock_guard lock(gpu.ledger_mutex);
    gpu.ledger.emplace(data, bytes);
  } catch (...) {
    gpu.release(data, bytes);
    throw;
  }
  *address = data;
  return CRIA_OK;
}

cria_status free(cria_device *device, void *address) {
  auto &gpu = static_cast<GpuDevice &>(*device);
  int64_t bytes;
  {
    std::lock_guard lock(gpu.ledger_mutex);
    const auto entry = gpu.ledger.find(address);
    if (entry == gpu.ledger.end()) {
      fail(CRIA_INVALID_ARGUMENT, "free: %p is not a live address of this device", address);
    }
    bytes = entry->second;
    gpu.ledger.erase(entry);
  }
  gpu.release(address, bytes);
  return CRIA_OK;
}

cria_status device_peak(cria_device *device, double *bytes_per_second,
                        double *bf16_flops_per_second, double *f32_flops_per_second) {
  const Peak peak = static_cast<const GpuDevice &>(*device).runtime->peak();
  *bytes_per_second = peak.bytes_per_second;
  *bf16_flops_per_second = peak.bf16_flops_per_second;
  *f32_flops_per_second = peak.f32_flops_per_second;
  return CRIA_OK;
}

cria_status queue_create(cria_device *device, cria_queue **queue) {
  *queue = new GpuQueue(static_cast<GpuDevice &>(*device));
  ++device->memory.objects;
  return CRIA_OK;
}

cria_status queue_destroy(cria_queue *queue) {
  GpuQueue *gpu = &queue_of(queue);
  cria_device *device = queue->device;
  if (gpu->graphs > 0) {
    fail(CRIA_INVALID_ARGUMENT,
         "queue_destroy: %" PRId64 " graphs recorded from this queue are still alive", gpu->graphs);
  }
  discard_recording(*gpu);
  const auto finish = [&] {
    delete gpu;
    --device->memory.objects;
  };
  try {
    gpu->synchronize();
  } catch (...) {
    finish();
    throw;
  }
  finish();
  return CRIA_OK;
}

cria_status queue_synchronize(cria_queue *queue) {
  queue_of(queue).synchronize();
  return CRIA_OK;
}

cria_status upload(cria_queue *queue, int64_t bytes, const void *host, void *device) {
  if (bytes > 0) queue_of(queue).upload(device, host, bytes);
  return CRIA_OK;
}

cria_status download(cria_queue *queue, int64_t bytes, const void *device, void *host) {
  if (bytes > 0) queue_of(queue).download(host, device, bytes);
  return CRIA_OK;
}

cria_status copy(cria_queue *queue, int64_t bytes, const void *from, void *to) {
  GpuQueue &gpu = queue_of(queue);
  if (bytes > 0) gpu.gpu().runtime->copy(gpu.stream, to, from, bytes);
  return CRIA_OK;
}

}  // namespace cria::gpu
