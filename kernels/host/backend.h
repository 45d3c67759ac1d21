// backend.h: the one function in which the libraries of the GPU devices differ.
#pragma once

#include <memory>

#include "host/gpu_device.h"

namespace cria::gpu {

// The runtime of "cuda:N" or "simt"; throws CRIA_DEVICE_ERROR or CRIA_INVALID_ARGUMENT where there is no such device.
std::unique_ptr<Runtime> open_runtime(const char *name);

}  // namespace cria::gpu
