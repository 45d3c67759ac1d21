// emulator_control.h: the functions of kernels/simt/control.h, in the libcria_simt.so that an open "simt" device has loaded.
#pragma once

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace emulator {

template <class... Arguments>
const char *call(const char *name, Arguments... arguments) {
  void *library = dlopen("libcria_simt.so", RTLD_NOW | RTLD_NOLOAD);
  void *function = library ? dlsym(library, name) : nullptr;
  if (!function) {
    std::printf("FAIL libcria_simt.so is not loaded or has no function %s\n", name);
    std::exit(1);
  }
  return reinterpret_cast<const char *(*)(Arguments...)>(function)(arguments...);
}

inline void configure(const char *settings) {
  if (const char *wrong = call("cria_simt_configure", settings)) {
    std::printf("FAIL %s\n", wrong);
    std::exit(1);
  }
}

}  // namespace emulator
