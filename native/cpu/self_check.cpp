// self_check.cpp: the CPU device has no primitives of its own to check, and does not know its peak from a data sheet.
#include "cpu/operations.h"

namespace cria::cpu {

cria_status device_peak(const cria_device *, double *bytes_per_second, double *flops_per_second) {
  *bytes_per_second = 0;
  *flops_per_second = 0;
  return CRIA_OK;
}

cria_status check_primitive(cria_queue *, int32_t, const char **name, double *worst) {
  *name = nullptr;
  *worst = 0;
  return CRIA_OK;
}

}  // namespace cria::cpu
