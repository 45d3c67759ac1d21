// self_check.cpp: entries by which the owner of a device sees whether it is right and how fast.
#include "abi/call.h"
#include "check/check.h"

using namespace cria;

cria_status cria_device_peak(cria_device *device, double *bytes_per_second,
                             double *bf16_flops_per_second, double *f32_flops_per_second) {
  return guarded("device_peak", [&](const Arguments &check) -> cria_status {
    check.handle("device", device);
    check.handle("bytes_per_second", bytes_per_second);
    check.handle("bf16_flops_per_second", bf16_flops_per_second);
    check.handle("f32_flops_per_second", f32_flops_per_second);
    return device->table->device_peak(device, bytes_per_second, bf16_flops_per_second,
                                      f32_flops_per_second);
  });
}

cria_status cria_check_primitive(cria_queue *queue, int32_t index, const char **name,
                                 double *worst) {
  return guarded("check_primitive", [&](const Arguments &check) -> cria_status {
    const DeviceTable &table = check.queue(queue);
    check.size("index", index);
    check.handle("name", name);
    check.handle("worst", worst);
    return table.check_primitive(queue, index, name, worst);
  });
}

cria_status cria_check_operation(cria_queue *queue, int32_t index, int32_t repeats,
                                 const char **name, double *worst, double *seconds, double *bytes,
                                 double *flops) {
  return guarded("check_operation", [&](const Arguments &check) -> cria_status {
    check.queue(queue);
    check.size("index", index);
    check.between("repeats", repeats, 0, 1000);
    check.handle("name", name);
    for (const auto &[what, pointer] :
         {std::pair{"worst", worst}, {"seconds", seconds}, {"bytes", bytes}, {"flops", flops}}) {
      check.handle(what, pointer);
      *pointer = 0;
    }
    *name = check::operation_name(index);
    if (!*name) return CRIA_OK;
    *worst = check::worst_error(queue, index);
    if (repeats > 0) {
      const check::Timing timing = check::time(queue, index, repeats);
      *seconds = timing.seconds;
      *bytes = timing.bytes;
      *flops = timing.flops;
    }
    return CRIA_OK;
  });
}
