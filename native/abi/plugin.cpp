// plugin.cpp: finds and loads the libraries of devices that are not built in. They are opened only when asked for.
#include "abi/plugin.h"

#include <dlfcn.h>

#include "abi/call.h"

namespace cria {
namespace {

// The file beside the library that holds this function; a name without folder where that is not known.
std::string beside_this_library(const std::string &file) {
  Dl_info here;
  if (!dladdr(reinterpret_cast<void *>(&beside_this_library), &here) || !here.dli_fname)
    return file;
  const std::string path = here.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? file : path.substr(0, slash + 1) + file;
}

}  // namespace

cria_device *open_plugin_device(const char *library, const char *name) {
  const std::string file = std::string("lib") + library + ".so";
  void *handle = dlopen(beside_this_library(file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = dlerror();
    fail(CRIA_UNSUPPORTED,
         "device_open: device '%s' needs %s, which cannot be loaded (%s); use 'cpu'", name,
         file.c_str(), reason ? reason : "unknown reason");
  }
  const auto open = reinterpret_cast<PluginOpen>(dlsym(handle, kPluginOpen));
  if (!open)
    fail(CRIA_UNSUPPORTED, "device_open: %s is not a device library of Cria", file.c_str());
  static const PluginHost host = {CRIA_ABI_VERSION,
                                  [](const char *message) { set_last_error(message); }};
  cria_device *device = nullptr;
  const cria_status status = open(&host, name, &device);
  if (status != CRIA_OK) throw Error{status, cria_last_error()};
  return device;
}

}  // namespace cria
