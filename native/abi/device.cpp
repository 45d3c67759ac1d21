// device.cpp: entries that open devices and account for, allocate and copy their memory.
#include <cstring>

#include "abi/call.h"
#include "abi/plugin.h"

using namespace cria;

cria_status cria_device_open(const char *name, int32_t threads, cria_device **device) {
  return guarded("device_open", [&](const Arguments &check) -> cria_status {
    check.handle("name", name);
    check.handle("device", device);
    check.between("threads", threads, 0, 1024);
    if (std::strcmp(name, "cpu") == 0) {
      *device = open_cpu_device(threads);
    } else if (std::strncmp(name, "cuda:", 5) == 0) {
      *device = open_plugin_device("cria_cuda", name);
    } else if (std::strcmp(name, "simt") == 0) {
      *device = open_plugin_device("cria_simt", name);
    } else {
      fail(CRIA_INVALID_ARGUMENT, "device_open: unknown device '%s'; known: cpu, cuda:N, simt",
           name);
    }
    return CRIA_OK;
  });
}

cria_status cria_device_close(cria_device *device) {
  return guarded("device_close", [&](const Arguments &) -> cria_status {
    if (!device) return CRIA_OK;
    if (device->memory.objects.load() > 0) {
      fail(CRIA_INVALID_ARGUMENT,
           "device_close: %" PRId64 " objects of %" PRId64 " bytes are still alive",
           device->memory.objects.load(), device->memory.live.load());
    }
    delete device;
    return CRIA_OK;
  });
}

const char *cria_device_name(const cria_device *device) {
  return device ? device->name.c_str() : "";
}

const char *cria_device_isa(const cria_device *device) { return device ? device->isa() : ""; }

int32_t cria_device_threads(const cria_device *device) { return device ? device->threads() : 0; }

cria_status cria_device_memory(const cria_device *device, int64_t *live, int64_t *peak,
                               int64_t *scratch) {
  return guarded("device_memory", [&](const Arguments &check) -> cria_status {
    check.handle("device", device);
    if (live) *live = device->memory.live.load();
    if (peak) *peak = device->memory.peak.load();
    if (scratch) *scratch = device->memory.scratch.load();
    return CRIA_OK;
  });
}

cria_status cria_device_reset_peak(cria_device *device) {
  return guarded("device_reset_peak", [&](const Arguments &check) -> cria_status {
    check.handle("device", device);
    device->memory.peak = device->memory.live.load();
    return CRIA_OK;
  });
}

cria_status cria_device_set_limit(cria_device *device, int64_t limit) {
  return guarded("device_set_limit", [&](const Arguments &check) -> cria_status {
    check.handle("device", device);
    device->memory.limit = check.size("limit", limit);
    return CRIA_OK;
  });
}

cria_status cria_alloc(cria_device *device, int64_t bytes, void **address) {
  return guarded("alloc", [&](const Arguments &check) -> cria_status {
    check.handle("device", device);
    check.handle("address", address);
    check.size("bytes", bytes);
    return device->table->alloc(device, bytes, address);
  });
}

cria_status cria_free(cria_device *device, void *address) {
  return guarded("free", [&](const Arguments &check) -> cria_status {
    if (!address) return CRIA_OK;
    check.handle("device", device);
    return device->table->free(device, address);
  });
}

cria_status cria_queue_create(cria_device *device, cria_queue **queue) {
  return guarded("queue_create", [&](const Arguments &check) -> cria_status {
    check.handle("device", device);
    check.handle("queue", queue);
    return device->table->queue_create(device, queue);
  });
}

cria_status cria_queue_destroy(cria_queue *queue) {
  return guarded("queue_destroy", [&](const Arguments &) -> cria_status {
    return queue ? queue->device->table->queue_destroy(queue) : CRIA_OK;
  });
}

cria_status cria_queue_synchronize(cria_queue *queue) {
  return guarded("queue_synchronize", [&](const Arguments &check) {
    return check.queue(queue).queue_synchronize(queue);
  });
}

cria_status cria_upload(cria_queue *queue, int64_t bytes, const void *host, void *device) {
  return guarded("upload", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.size("bytes", bytes);
    check.pointer("host", host, bytes);
    check.pointer("device", device, bytes);
    return table.upload(queue, bytes, host, device);
  });
}

cria_status cria_download(cria_queue *queue, int64_t bytes, const void *device, void *host) {
  return guarded("download", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.size("bytes", bytes);
    check.pointer("device", device, bytes);
    check.pointer("host", host, bytes);
    return table.download(queue, bytes, device, host);
  });
}

cria_status cria_copy(cria_queue *queue, int64_t bytes, const void *from, void *to) {
  return guarded("copy", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.size("bytes", bytes);
    check.pointer("from", from, bytes);
    check.pointer("to", to, bytes);
    return table.copy(queue, bytes, from, to);
  });
}
