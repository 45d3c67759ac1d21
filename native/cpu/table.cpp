// table.cpp: the CPU device's table of functions.
#include "cpu/operations.h"

namespace cria::cpu {

const DeviceTable &device_table() {
  static const DeviceTable table = {
#define CRIA_LIBRARY(name)
#define CRIA_DEVICE(name) &cpu::name,
#include "abi/entry_points.inc"
  };
  return table;
}

}  // namespace cria::cpu
