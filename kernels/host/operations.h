// operations.h: the functions of the GPU devices, one per device entry of cria.h, with the entry's type. They throw
// cria::Error; table.cpp turns that into a status at the edge of the library.
#pragma once

#include "abi/device.h"

namespace cria::gpu {

#define CRIA_LIBRARY(name)
#define CRIA_DEVICE(name) decltype(::cria_##name) name;
#include "abi/entry_points.inc"

const DeviceTable &device_table();

}  // namespace cria::gpu
