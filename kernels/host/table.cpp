// table.cpp: the GPU devices' table of functions and the entry of their library; the edge that exceptions do not cross.
#include <exception>
#include <new>

#include "abi/error.h"
#include "abi/plugin.h"
#include "host/backend.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

void (*set_last_error)(const char *message) = nullptr;

cria_status report(cria_status status, const char *message) {
  set_last_error(message);
  return status;
}

template <class Body>
cria_status guarded(const char *operation, Body body) {
  try {
    return body();
  } catch (const Error &e) {
    return report(e.status, e.message.c_str());
  } catch (const std::bad_alloc &) {
    return report(CRIA_OUT_OF_MEMORY, (std::string(operation) + ": out of memory").c_str());
  } catch (const std::exception &e) {
    return report(CRIA_INTERNAL, (std::string(operation) + ": " + e.what()).c_str());
  }
}

// The operation behind a function that throws nothing.
template <class Function>
struct Guard;
template <class... Parameters>
struct Guard<cria_status (*)(Parameters...)> {
  template <cria_status (*operation)(Parameters...)>
  static cria_status call(Parameters... parameters) {
    return guarded("gpu", [&] { return operation(parameters...); });
  }
};

}  // namespace

const DeviceTable &device_table() {
  static const DeviceTable table = {
#define CRIA_LIBRARY(name)
#define CRIA_DEVICE(name) &Guard<decltype(&gpu::name)>::call<&gpu::name>,
#include "abi/entry_points.inc"
  };
  return table;
}

}  // namespace cria::gpu

extern "C" CRIA_API cria_status cria_plugin_open(const cria::PluginHost *host, const char *name,
                                                 cria_device **device) {
  using namespace cria::gpu;
  set_last_error = host->set_last_error;
  return guarded("device_open", [&] {
    if (host->abi_version != CRIA_ABI_VERSION) {
      cria::fail(CRIA_UNSUPPORTED,
                 "device_open: the library of device '%s' has ABI version %d, libcria %d; use the "
                 "libraries of one release",
                 name, CRIA_ABI_VERSION, host->abi_version);
    }
    *device = new GpuDevice(name, open_runtime(name));
    return CRIA_OK;
  });
}
