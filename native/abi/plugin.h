// plugin.h: how libcria opens a device that lives in a library of its own (libcria_cuda.so, libcria_simt.so). No
// exception crosses this edge: every function of such a device's table returns a status and gives its message to libcria.
#pragma once

#include "abi/device.h"

namespace cria {

// What libcria hands over.
struct PluginHost {
  int32_t abi_version;
  void (*set_last_error)(const char *message);
};

// The one function that a device library exports.
using PluginOpen = cria_status (*)(const PluginHost *host, const char *name, cria_device **device);
constexpr char kPluginOpen[] = "cria_plugin_open";

// Opens the device `name` of the library lib<library>.so, which lies beside libcria or on the loader's path; throws
// CRIA_UNSUPPORTED where there is none.
cria_device *open_plugin_device(const char *library, const char *name);

}  // namespace cria
