// operations.h: the functions of the CPU device, one per device entry of cria.h, with the entry's type.
#pragma once

#include "abi/device.h"

namespace cria::cpu {

#define CRIA_LIBRARY(name)
#define CRIA_DEVICE(name) decltype(::cria_##name) name;
#include "abi/entry_points.inc"

const DeviceTable &device_table();

}  // namespace cria::cpu
